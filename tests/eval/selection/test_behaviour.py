"""Patches that do the same are one group, however they are written; others never are."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.editing.diff import git_diff
from eval.selection.behaviour import NONE, behaviours

PATH = "shop/basket.py"
CODE = '''\
"""A basket."""

import os
import sys


class Basket:
    """Holds what is bought."""

    def __init__(self):
        self.counts = {}

    def add(self, name, count=1):
        """Put articles into the basket."""
        self.counts[name] = count

    def size(self):
        # All of them.
        return sum(self.counts.values())
'''
LINE = "        self.counts[name] = count\n"
FIX = "        self.counts[name] = self.counts.get(name, 0) + count\n"


def patch(to: str, *, line: str = LINE, path: str = PATH, code: str = CODE) -> str:
    assert line in code
    return git_diff(path, code, code.replace(line, to))


def groups(*patches: str, texts: Mapping[str, str] | None = None) -> list[int]:
    return list(behaviours(patches, texts or {}))


SAME_BY_THE_LINES = [
    FIX,
    f"        # As often as it is added.\n{FIX}",
    f"\n{FIX}\n",
    FIX.replace("\n", "  # summed\n"),
    FIX.replace(" + ", "+").replace(", 0", ",0"),
    FIX.replace("name, 0", "\n            name, 0\n        "),
]
SAME_BY_THE_FILE = [
    "        before = self.counts.get(name, 0)\n        self.counts[name] = before + count\n",
    "        old = self.counts.get(name, 0)\n        self.counts[name] = (old + count)\n",
    '        """x"""\n        a = self.counts.get(name, 0)\n        self.counts[name] = a+count\n',
]


@pytest.mark.parametrize("texts", [{}, {PATH: CODE}], ids=["lines", "files"])
def test_comments_blank_lines_and_spaces_do_not_split_a_vote(texts: dict[str, str]) -> None:
    assert len(set(groups(*map(patch, SAME_BY_THE_LINES), texts=texts))) == 1


def test_with_the_file_known_neither_do_names_of_locals_brackets_and_docstrings() -> None:
    assert len(set(groups(*map(patch, SAME_BY_THE_FILE), texts={PATH: CODE}))) == 1


@pytest.mark.parametrize("texts", [{}, {PATH: CODE}], ids=["lines", "files"])
@pytest.mark.parametrize(
    "other",
    [
        FIX.replace("0", "1"),
        FIX.replace("+", "-"),
        FIX.replace("        ", "            ", 1).replace(
            "self", "if count:\n                self", 1
        ),
        f"{FIX}        return self\n",
        FIX.replace("name, 0", "name, '  '"),
        FIX.replace("name, 0", "name, ' '"),
    ],
)
def test_what_behaves_otherwise_is_never_counted_along(other: str, texts: dict[str, str]) -> None:
    first, second = groups(patch(FIX), patch(other), texts=texts)
    assert first != second
    assert NONE not in {first, second}


@pytest.mark.parametrize("texts", [{}, {PATH: CODE}], ids=["lines", "files"])
def test_a_patch_that_only_says_something_does_nothing(texts: dict[str, str]) -> None:
    said = patch(f"        # Why not add up?\n\n{LINE}")
    swapped = patch("import sys\nimport os\n", line="import os\nimport sys\n")
    assert groups("", "  \n", said, swapped, texts=texts) == [NONE] * 4


def test_where_the_place_in_the_file_differs_the_fix_does() -> None:
    code = "def a(x):\n    return x\n\n\n" + "# far\n" * 9 + "def b(x):\n    return x\n"
    in_a, in_b = (
        git_diff(
            "m.py",
            code,
            code.replace(f"def {name}(x):\n    return x", f"def {name}(x):\n    return -x"),
        )
        for name in "ab"
    )
    assert len(set(groups(in_a, in_b))) == 2


def test_a_part_that_begins_within_a_docstring_hides_no_code() -> None:
    """Its end was taken for the beginning of another, and all up to the next one left out."""
    head = 'class A:\n    def f(self):\n        """Long.\n\n' + "        More.\n" * 6
    tail = '        """\n        return 1\n\n    def g(self):\n        """Short."""\n'
    code = head + tail
    one, two = (git_diff("a.py", code, code.replace("return 1", f"return {n}")) for n in (2, 3))
    first, second = groups(one, two)
    assert NONE not in {first, second}
    assert first != second


def test_blanks_within_a_text_count() -> None:
    """`"a \\n"` and `"a\\n"` were the same, and a fix that took the blank away did nothing."""
    code = 'def f(x):\n    return "{} \\n{}".format(x, x)\n'
    fixed = git_diff("a.py", code, code.replace("{} \\n", "{}\\n"))
    assert NONE not in groups(fixed)


def test_the_way_a_diff_is_cut_does_not_count() -> None:
    whole = patch(FIX)
    header, _, body = whole.partition("@@ ")
    lines = body.partition("\n")[2].splitlines()
    changed = [line for line in lines if line[:1] in "+-"]
    number = CODE.splitlines().index(LINE.rstrip("\n")) + 1
    bare = header + f"@@ -{number} +{number} @@\n" + "\n".join(changed) + "\n"
    assert len(set(groups(whole, bare))) == 1
    assert len(set(groups(whole, bare, texts={PATH: CODE}))) == 1


def test_lines_that_stand_a_little_elsewhere_are_found() -> None:
    shifted = patch(FIX).replace("@@ -1", "@@ -9").replace("+1", "+9")
    moved = {PATH: "# a\n# b\n" + CODE}
    assert len(set(groups(patch(FIX), shifted, texts=moved))) == 1


def test_tests_and_prose_beside_a_fix_do_not_count_but_alone_they_do() -> None:
    test = git_diff("tests/test_basket.py", None, "def test_it():\n    assert True\n")
    notes = git_diff("CHANGES.md", "old\n", "new\n")
    fix, with_both, alone, notes_alone = groups(patch(FIX), patch(FIX) + test + notes, test, notes)
    assert fix == with_both
    assert len({fix, alone, notes_alone, NONE}) == 4


def test_new_deleted_and_renamed_files_and_modes_count() -> None:
    renamed = (
        f"diff --git a/{PATH} b/shop/bag.py\nsimilarity index 100%\n"
        f"rename from {PATH}\nrename to shop/bag.py\n"
    )
    mode = f"diff --git a/{PATH} b/{PATH}\nold mode 100644\nnew mode 100755\n"
    made = git_diff("shop/new.py", None, "x = 1\n")
    made_alike = git_diff("shop/new.py", None, "# One.\nx = 1\n")
    deleted = (
        "diff --git a/x.py b/x.py\ndeleted file mode 100644\n--- a/x.py\n+++ /dev/null\n"
        "@@ -1 +0,0 @@\n-x = 1\n"
    )
    found = groups(renamed, mode, made, deleted, made_alike)
    assert found[2] == found[4]
    assert len(set(found)) == 4
    assert NONE not in found


def test_other_languages_are_compared_without_their_comments() -> None:
    code = "function f(x) {\n  return x; // as it is\n}\n"
    plain, told, other = (
        git_diff("a.js", code, code.replace("return x; // as it is", to))
        for to in ("return x + 1;", "return x+1; /* one more */", "return x + 2;")
    )
    first, second, third = groups(plain, told, other)
    assert first == second != third


def test_a_python_that_this_one_cannot_read_is_compared_by_its_words() -> None:
    code = "def f(x):\n    print x\n"
    plain, told, other = (
        git_diff("a.py", code, code.replace("print x", to))
        for to in ("print -x", "print  -x  # less", "print +x")
    )
    first, second, third = groups(plain, told, other, texts={"a.py": code})
    assert first == second != third


def test_what_is_no_diff_is_alone_with_its_equals() -> None:
    first, again, other = groups("hello", "hello", "world")
    assert first == again != other
    assert NONE not in {first, other}


@given(st.lists(st.sampled_from([*SAME_BY_THE_LINES, FIX.replace("0", "1"), LINE]), max_size=6))
def test_groups_do_not_depend_on_the_order_of_a_pool(bodies: list[str]) -> None:
    patches = [patch(body) for body in bodies]
    shuffled = random.Random(1).sample(range(len(patches)), len(patches))
    found = groups(*patches)
    assert groups(*(patches[place] for place in shuffled)) == [found[place] for place in shuffled]


@given(
    st.lists(
        st.lists(
            st.sampled_from(
                ["--- a/x.py", "+++ b/x.py", "@@ -1,2 +1,2 @@", "@@ -0,0 +5 @@", " a", "-b", "+'''"]
            ),
            max_size=7,
        ).map("\n".join),
        max_size=4,
    )
)
def test_no_text_breaks_it(patches: list[str]) -> None:
    assert len(groups(*patches)) == len(patches)


def test_lines_that_are_far_away_are_as_near_as_any() -> None:
    """A hunk can say any number, and a list as long as that was made."""
    far = "--- a/x.txt\n+++ b/x.txt\n@@ -{0},2 +{0},2 @@\n a\n-b\n+{1}\n"
    line = 10**15
    one, other = far.format(line, "c"), far.format(line, "d")
    assert groups(one, one + "\n", other, far.format(3, "c")) != groups(one, one, one, one)
    first, again, different, elsewhere = groups(one, one + "\n", other, far.format(3, "c"))
    assert first == again
    assert len({first, different, elsewhere}) == 3


def test_many_hunks_that_have_drifted_are_put_to_their_lines() -> None:
    lines = [f"line {number}" for number in range(60_000)]
    text = "\n".join(lines) + "\n"
    hunk = "@@ -{0},2 +{0},2 @@\n line {1}\n-line {2}\n+LINE {2}\n"

    def written(drift: int) -> str:
        hunks = (hunk.format(n + 1 + drift, n, n + 1) for n in range(100, 59_000, 10))
        return "--- a/x.txt\n+++ b/x.txt\n" + "".join(hunks)

    first, second, third = groups(written(0), written(40), written(-90), texts={"x.txt": text})
    assert first == second == third


def test_a_hunk_goes_to_the_nearest_of_equal_lines() -> None:
    text = "".join(f"{'same' if number in {3, 10} else number}\n" for number in range(14))
    hunk = "--- a/x.txt\n+++ b/x.txt\n@@ -{} +{} @@\n-same\n+new\n"
    at = {start: hunk.format(start, start) for start in (1, 4, 6, 8, 9, 11, 14)}
    upper, lower = groups(at[4], at[11], texts={"x.txt": text})
    found = groups(*at.values(), texts={"x.txt": text})
    assert upper != lower
    assert found == [upper, upper, upper, lower, lower, lower, lower]
