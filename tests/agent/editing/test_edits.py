"""Answers as models really write them, and what has to come of each."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent.editing.edits import EditResult, patch_from_answer
from agent.reading.snapshot import RepositorySnapshot

STATS = '''\
"""Counters."""

from __future__ import annotations

import math


def mean(values):
    """The average."""
    total = sum(values)
    return total / len(values)


class Window:
    """The last values."""

    def __init__(self, size):
        self.size = size
        self.values = []

    @property
    def full(self):
        return len(self.values) > self.size

    def push(self, value):
        self.values.append(value)
        if self.full:
            self.values.pop()

    def spread(self):
        low, high = min(self.values), max(self.values)
        return high - low
'''

TEXT = """\
def shorten(text, width):
    if len(text) >= width:
        return text[:width]
    return text


def push(stack, value):
    stack.append(value)
"""

BASE = {
    "pkg/stats.py": STATS,
    "pkg/text.py": TEXT,
    "README.md": "# pkg\n\nHow to use it\n=============\n\nCall it.\n",
    "pkg/data/units.csv": "m,1\nkm,1000\n",
    "pkg/bare.py": "LIMIT = 3",
    "pkg/dos.py": "def f(x):\r\n    return x\r\n\r\n\r\nLIMIT = 3\r\n",
    "pkg/mixed.py": "A = 1\r\nB = 2\nC = 3\n",
    "pkg/empty.py": "",
}
SNAPSHOT = RepositorySnapshot(texts=BASE, skipped=frozenset({"logo.png", "link"}))
SHOWN = ("pkg/stats.py", "pkg/text.py")

RIGHT = {"pkg/stats.py": STATS.replace("self.values.pop()", "self.values.pop(0)")}


def read(answer: str, *, cut_off: bool = False) -> EditResult:
    return patch_from_answer(answer, SNAPSHOT, shown=SHOWN, cut_off=cut_off)


def applied(patch: str, folder: Path) -> dict[str, str]:
    """Apply a patch with git, strictly, and return the files that differ from the base."""
    for path, text in BASE.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    command = ["git", "apply", "--whitespace=nowarn", "-"]
    done = subprocess.run(
        command, cwd=folder, input=patch.encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, (done.stderr.decode(), patch)
    found = {
        str(file.relative_to(folder)): file.read_bytes().decode()
        for file in folder.rglob("*")
        if file.is_file()
    }
    return {path: text for path, text in found.items() if text != BASE.get(path)}


def block(search: str, replace: str) -> str:
    return f"<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"


POP = block("            self.values.pop()", "            self.values.pop(0)")

SAME_FIX = {
    "plain": f"pkg/stats.py\n{POP}",
    "fence around the block": f"pkg/stats.py\n```python\n{POP}```",
    "fence around path and block": f"```\npkg/stats.py\n{POP}```",
    "path in the info string": f"```python pkg/stats.py\n{POP}```",
    "path after the language": f"```python:pkg/stats.py\n{POP}```",
    "path in backticks with a label": f"**File: `pkg/stats.py`**:\n\n```python\n{POP}```",
    "heading": f"### pkg/stats.py\n{POP}",
    "path with ./": f"./pkg/stats.py\n{POP}",
    "path with a/": f"a/pkg/stats.py\n{POP}",
    "backslashes": f"pkg\\stats.py\n{POP}",
    "only the file's name": f"stats.py\n{POP}",
    "path on the marker": POP.replace("SEARCH", "SEARCH pkg/stats.py"),
    "no path": POP,
    "a path that does not exist": f"src/other.py\n{POP}",
    "another file's path": f"pkg/text.py\n{POP}",
    "prose around": f"The bug is in `push`. In pkg/stats.py:\n{POP}\nThis removes the oldest.",
    "long markers": POP.replace("<<<<<<<", "<<<<<<<<<").replace(">>>>>>>", ">>>>>>>>>"),
    "short markers": POP.replace("<<<<<<<", "<<<").replace(">>>>>>>", ">>>"),
    "lower case": POP.lower(),
    "windows newlines": POP.replace("\n", "\r\n"),
    "no end marker": POP.replace(">>>>>>> REPLACE\n", ""),
    "no end marker in a fence": f"```\n{POP.replace('>>>>>>> REPLACE', '')}```\nDone.",
    "end marker instead of the divider": (
        "<<<<<<< SEARCH\n            self.values.pop()\n>>>>>>> REPLACE\n"
        "            self.values.pop(0)\n>>>>>>> REPLACE\n"
    ),
    "only the new half": (
        "pkg/stats.py\n<<<<<<< SEARCH\n    def push(self, value):\n"
        "        self.values.append(value)\n        if self.full:\n"
        "            self.values.pop(0)\n>>>>>>> REPLACE\nThis removes the oldest."
    ),
    "a template copied before the code": (
        block("the lines to change", "the same lines, corrected")
        + "```python\ndef push(self, value):\n    self.values.append(value)\n"
        "    if self.full:\n        self.values.pop(0)\n```"
    ),
    "divider twice": POP.replace(">>>>>>> R", "=======\n>>>>>>> R"),
    "fences inside": block(
        "```python\n            self.values.pop()\n```",
        "```python\n            self.values.pop(0)\n```",
    ),
    "trailing blanks": block("            self.values.pop()   ", "            self.values.pop(0)"),
    "no indentation": block("self.values.pop()", "self.values.pop(0)"),
    "less indentation": block(
        "def push(self, value):\n    self.values.append(value)\n    if self.full:\n"
        "        self.values.pop()",
        "def push(self, value):\n    self.values.append(value)\n    if self.full:\n"
        "        self.values.pop(0)",
    ),
    "more indentation": block(
        "            if self.full:\n                self.values.pop()",
        "            if self.full:\n                self.values.pop(0)",
    ),
    "only the first line lost its indentation": block(
        "if self.full:\n            self.values.pop()",
        "if self.full:\n            self.values.pop(0)",
    ),
    "tabs": block(
        "\t\tif self.full:\n\t\t\tself.values.pop()", "\t\tif self.full:\n\t\t\tself.values.pop(0)"
    ),
    "blank line left out": block(
        "        return len(self.values) > self.size\n    def push(self, value):\n"
        "        self.values.append(value)\n        if self.full:\n"
        "            self.values.pop()",
        "        return len(self.values) > self.size\n    def push(self, value):\n"
        "        self.values.append(value)\n        if self.full:\n"
        "            self.values.pop(0)",
    ),
    "blank lines around": block(
        "\n\n            self.values.pop()\n\n", "\n\n            self.values.pop(0)\n\n"
    ),
    "a word drifted": block(
        "    def push(self, val):\n        self.values.append(value)\n        if self.full:\n"
        "            self.values.pop()",
        "    def push(self, val):\n        self.values.append(value)\n        if self.full:\n"
        "            self.values.pop(0)",
    ),
    "line numbers": block(
        "23 |     def push(self, value):\n24 |         self.values.append(value)\n"
        "25 |         if self.full:\n26 |             self.values.pop()",
        "23 |     def push(self, value):\n24 |         self.values.append(value)\n"
        "25 |         if self.full:\n26 |             self.values.pop(0)",
    ),
    "dots at the ends": block(
        "...\n        if self.full:\n            self.values.pop()\n...",
        "...\n        if self.full:\n            self.values.pop(0)\n...",
    ),
    "dots in the middle": block(
        "    def push(self, value):\n        # ...\n            self.values.pop()",
        "    def push(self, value):\n        # ...\n            self.values.pop(0)",
    ),
    "diff": (
        "```diff\n--- a/pkg/stats.py\n+++ b/pkg/stats.py\n@@ -24,4 +24,4 @@ class Window:\n"
        "         self.values.append(value)\n         if self.full:\n"
        "-            self.values.pop()\n+            self.values.pop(0)\n```"
    ),
    "diff with wrong numbers": (
        "--- a/pkg/stats.py\n+++ b/pkg/stats.py\n@@ -1,90 +7,3 @@\n"
        "         if self.full:\n"
        "-            self.values.pop()\n+            self.values.pop(0)\n"
    ),
    "diff without numbers": (
        "```\ndiff --git a/pkg/stats.py b/pkg/stats.py\nindex 123..456 100644\n"
        "--- pkg/stats.py\n+++ pkg/stats.py\n@@ ... @@\n"
        "-            self.values.pop()\n+            self.values.pop(0)\n```"
    ),
    "diff whose context lacks its blank": (
        "```diff\n--- a/pkg/stats.py\n+++ b/pkg/stats.py\n@@ -24,3 +24,3 @@\n"
        "        if self.full:\n"
        "-            self.values.pop()\n+            self.values.pop(0)\n```"
    ),
    "whole file": f"pkg/stats.py\n```python\n{RIGHT['pkg/stats.py']}```",
    "whole file named in a comment": f"```python\n# pkg/stats.py\n{RIGHT['pkg/stats.py']}```",
    "whole file without a name": f"Here it is:\n```python\n{RIGHT['pkg/stats.py']}```",
    "whole file without a fence": RIGHT["pkg/stats.py"],
    "whole file as it was shown": f'<file path="pkg/stats.py">\n{RIGHT["pkg/stats.py"]}</file>',
    "the class": "```python\n"
    + RIGHT["pkg/stats.py"].partition("class ")[2].join(["class ", "```"]),
    "one method in its class": (
        "```python\nclass Window:\n    def push(self, value):\n        self.values.append(value)\n"
        "        if self.full:\n            self.values.pop(0)\n```"
    ),
    "one method": (
        "pkg/stats.py\n```python\ndef push(self, value):\n    self.values.append(value)\n"
        "    if self.full:\n        self.values.pop(0)\n```"
    ),
    "old method and new": (
        "The method\n```python\n    def push(self, value):\n        self.values.append(value)\n"
        "        if self.full:\n            self.values.pop()\n```\nshould be\n"
        "```python\n    def push(self, value):\n        self.values.append(value)\n"
        "        if self.full:\n            self.values.pop(0)\n```"
    ),
    "a search that is not there for a method that is": (
        "pkg/stats.py\n"
        + block(
            "def push(self, item):\n    data.push(item)\n    return data.trimmed()",
            "def push(self, value):\n    self.values.append(value)\n    if self.full:\n"
            "        self.values.pop(0)",
        )
    ),
}


@pytest.mark.parametrize("form", SAME_FIX)
def test_every_form_of_one_fix_makes_the_same_change(form: str, tmp_path: Path) -> None:
    result = read(SAME_FIX[form])
    assert result.stop == "patch", result.note
    assert applied(result.patch, tmp_path) == RIGHT


def test_lines_that_were_not_changed_stay_as_the_file_has_them(tmp_path: Path) -> None:
    drifted = block(
        "def mean(values):\n    '''The average.'''\n    total = sum(values)",
        "def mean(values):\n    '''The average.'''\n    total = math.fsum(values)",
    )
    result = read(f"pkg/stats.py\n{drifted}")
    expected = STATS.replace("total = sum(values)", "total = math.fsum(values)")
    assert applied(result.patch, tmp_path) == {"pkg/stats.py": expected}
    assert "like the file" in result.note


def test_new_lines_are_indented_like_the_lines_they_follow(tmp_path: Path) -> None:
    answer = block(
        "low, high = min(self.values), max(self.values)",
        "if not self.values:\n    return 0\nlow, high = min(self.values), max(self.values)",
    )
    expected = STATS.replace(
        "        low, high", "        if not self.values:\n            return 0\n        low, high"
    )
    assert applied(read(answer).patch, tmp_path) == {"pkg/stats.py": expected}


def test_blocks_build_on_each_other_and_reach_several_files(tmp_path: Path) -> None:
    answer = (
        "pkg/text.py\n"
        + block("    if len(text) >= width:", "    if len(text) > width:")
        + block("len(text) > width", "width < len(text)")  # what the first block wrote
        + "\npkg/stats.py\n"
        + POP
    )
    result = read(answer)
    changed = applied(result.patch, tmp_path)
    assert changed.keys() == {"pkg/text.py", "pkg/stats.py"}
    assert "    width < len(text)\n" in changed["pkg/text.py"]


def test_an_edit_without_a_place_does_not_lose_the_others(tmp_path: Path) -> None:
    result = read(f"pkg/stats.py\n{block('nowhere = 1', 'nowhere = 2')}{POP}")
    assert applied(result.patch, tmp_path) == RIGHT
    assert "not in pkg/stats.py" in result.note


def test_a_text_that_stands_twice_is_noted_and_a_diff_picks_the_nearer(tmp_path: Path) -> None:
    twice = RepositorySnapshot(texts={"a.py": "x = 1\n" * 3 + "y = 2\n" + "x = 1\n"})
    first = patch_from_answer(f"a.py\n{block('x = 1', 'x = 5')}", twice)
    assert "4 places" in first.note
    hunk = "```diff\n--- a/a.py\n+++ b/a.py\n@@ -5,1 +5,1 @@\n-x = 1\n+x = 5\n```"
    assert patch_from_answer(hunk, twice).patch.endswith(" y = 2\n-x = 1\n+x = 5\n")


@pytest.mark.parametrize(
    ("path", "search", "replace", "expected"),
    [
        (
            "pkg/dos.py",
            "    return x",
            "    x += 1\n    return x",
            "def f(x):\r\n    x += 1\r\n    return x\r\n\r\n\r\nLIMIT = 3\r\n",
        ),
        (
            "pkg/dos.py",
            "LIMIT = 3",
            "LIMIT = 4",
            "def f(x):\r\n    return x\r\n\r\n\r\nLIMIT = 4\r\n",
        ),
        ("pkg/bare.py", "LIMIT = 3", "LIMIT = 4", "LIMIT = 4"),
        ("pkg/mixed.py", "B = 2", "B = 5", "A = 1\r\nB = 5\nC = 3\n"),
    ],
)
def test_newlines_stay_what_they_are_in_a_file(
    path: str, search: str, replace: str, expected: str, tmp_path: Path
) -> None:
    result = read(f"{path}\n{block(search, replace)}")
    assert applied(result.patch, tmp_path) == {path: expected}


def test_whole_files_keep_the_newlines_of_the_file(tmp_path: Path) -> None:
    answer = "pkg/dos.py\n```python\ndef f(x):\n    return -x\n\n\nLIMIT = 3\n```"
    expected = BASE["pkg/dos.py"].replace("return x", "return -x")
    assert applied(read(answer).patch, tmp_path) == {"pkg/dos.py": expected}


@pytest.mark.parametrize(
    "answer",
    [
        f"pkg/new/mod.py\n{block('', 'A = 1')}",
        "```python\n# pkg/new/mod.py\nA = 1\n```",
        "--- /dev/null\n+++ b/pkg/new/mod.py\n@@ -0,0 +1 @@\n+A = 1\n",
    ],
)
def test_a_new_file_may_be_made(answer: str, tmp_path: Path) -> None:
    assert applied(read(answer).patch, tmp_path) == {"pkg/new/mod.py": "A = 1\n"}


@pytest.mark.parametrize(
    "path",
    [
        "../outside.py",
        "/etc/cron.py",
        "pkg/../../outside.py",
        ".git/hooks.py",
        "pkg/.GIT/config.py",
        "~/x.py",
        "logo.png",
        "link/x.py",
        "pkg/text.py/x.py",
    ],
)
@pytest.mark.parametrize("form", ["block", "fence", "diff"])
def test_no_file_is_made_where_none_may_be(path: str, form: str) -> None:
    answer = {
        "block": f"`{path}`\n{block('', 'A = 1')}",
        "fence": f"`{path}`\n```\nA = 1\n```",
        "diff": f"--- /dev/null\n+++ {path}\n@@ -0,0 +1 @@\n+A = 1\n",
    }[form]
    result = read(answer)
    assert (result.patch, result.stop) == ("", "unusable")
    assert result.note


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "  \n\n",
        f"pkg/stats.py\n{block('    total = sum(values)', '    total = sum(values)')}",
        f"pkg/stats.py\n```python\n{STATS}```",
        f"pkg/text.py\n{block('return text', 'return text')}",
    ],
)
def test_edits_that_change_nothing_are_empty(answer: str) -> None:
    assert (read(answer).stop, read(answer).patch) == ("empty", "")


@pytest.mark.parametrize(
    "answer",
    [
        "I cannot help with that.",
        "pkg/stats.py needs a fix in push().",
        "```bash\npip install pkg\n```",
        "```python\n>>> push([], 1)\n```",
        f"pkg/stats.py\n{block('completely = different', 'things = 1')}",
        "<<<<<<< SEARCH\n    total = sum(values)\n",
    ],
)
def test_text_without_a_usable_edit_is_unusable_and_says_why(answer: str) -> None:
    result = read(answer)
    assert (result.stop, result.patch) == ("unusable", "")
    assert result.note


def test_an_answer_cut_off_keeps_its_whole_blocks_and_drops_the_torn_one(tmp_path: Path) -> None:
    torn = "<<<<<<< SEARCH\n    return total / len(values)\n=======\n    return total /"
    result = read(f"pkg/stats.py\n{POP}\n{torn}", cut_off=True)
    assert applied(result.patch, tmp_path) == RIGHT
    assert read(f"pkg/stats.py\n{torn}", cut_off=True).stop == "unusable"


def test_a_file_cut_off_keeps_the_functions_before_the_torn_one(tmp_path: Path) -> None:
    answer = (
        "pkg/text.py\n```python\ndef shorten(text, width):\n    return text[:width]\n\n\n"
        "def push(stack, value):\n    stack"
    )
    changed = applied(read(answer, cut_off=True).patch, tmp_path)
    assert changed == {
        "pkg/text.py": "def shorten(text, width):\n    return text[:width]\n\n\n"
        "def push(stack, value):\n    stack.append(value)\n"
    }
    torn = "pkg/new.py\n```python\nA = 1\nB ="
    assert read(torn, cut_off=True).stop == "unusable"
    torn = "```diff\n--- a/pkg/text.py\n+++ b/pkg/text.py\n@@ -1 +1 @@\n-    return text\n+    ret"
    assert read(torn, cut_off=True).stop == "unusable"


def test_python_that_no_longer_parses_is_given_and_noted() -> None:
    result = read(f"pkg/stats.py\n{block('    total = sum(values)', '    total = sum(values')}")
    assert result.stop == "patch"
    assert "does not parse" in result.note


def test_decorators_that_an_answer_leaves_out_stay(tmp_path: Path) -> None:
    answer = "```python\ndef full(self):\n    return len(self.values) >= self.size\n```"
    expected = STATS.replace("> self.size", ">= self.size")
    assert applied(read(answer).patch, tmp_path) == {"pkg/stats.py": expected}


IMPORTING = """\
```python
from __future__ import annotations

import cmath
import math
from statistics import fmean

def mean(values: list[cmath]) -> float:
    return fmean(values) if values else math.nan
```
"""


def test_an_import_that_a_function_needs_comes_with_it(tmp_path: Path) -> None:
    after = applied(read(IMPORTING).patch, tmp_path)["pkg/stats.py"]
    assert "import math\nimport cmath\nfrom statistics import fmean\n\n\ndef mean(" in after
    assert after.count("import math\n") == after.count("annotations\n") == 1


def test_an_import_that_nothing_needs_is_left_out(tmp_path: Path) -> None:
    code = "import os\n\ndef push(stack, value):\n    stack.insert(0, value)\n"
    after = applied(read(f"pkg/text.py\n```\n{code}```\n").patch, tmp_path)["pkg/text.py"]
    assert "insert" in after
    assert "import" not in after


def test_an_import_goes_to_the_top_of_a_file_without_any(tmp_path: Path) -> None:
    code = "import bisect\n\ndef push(stack, value):\n    bisect.insort(stack, value)\n"
    after = applied(read(f"pkg/text.py\n```\n{code}```\n").patch, tmp_path)["pkg/text.py"]
    assert after.startswith("import bisect\n")
    assert "bisect.insort" in after


def test_a_function_of_two_files_is_replaced_where_more_of_the_answer_belongs() -> None:
    answer = (
        "```python\ndef push(stack, value):\n    stack.insert(0, value)\n\n\n"
        "def shorten(text, width):\n    return text[:width]\n```"
    )
    assert "a/pkg/text.py" in read(answer).patch
    assert "a/pkg/stats.py" not in read(answer).patch


def test_a_rest_headline_in_a_text_is_not_taken_for_the_divider(tmp_path: Path) -> None:
    answer = "README.md\n" + block("How to use it\n=============", "Usage\n=====")
    expected = BASE["README.md"].replace("How to use it\n=============", "Usage\n=====")
    assert applied(read(answer).patch, tmp_path) == {"README.md": expected}


MUTATIONS = st.sampled_from(
    ["\n", " ", "=", "<", ">", "`", "```", "\t", "...", "\r", "\0", "é", "@@"]
)


@given(st.text())
@settings(max_examples=200, deadline=None)
@example("\ud800")
@example("<<<<<<< SEARCH\n\ud800\n=======\n\x00\n>>>>>>> REPLACE")
@example("```\n")
@example("--- \n+++ \n@@")
@example("1:" * 5000)
def test_no_text_raises(text: str) -> None:
    result = read(text)
    assert bool(result.patch) == (result.stop == "patch")


@given(
    st.sampled_from(sorted(SAME_FIX.values())),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 12), MUTATIONS), max_size=6),
    st.booleans(),
)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_mangled_answer_never_raises_and_its_patch_always_applies(
    tmp_path_factory: pytest.TempPathFactory,
    answer: str,
    cuts: list[tuple[int, int, str]],
    cut_off: bool,
) -> None:
    for at, length, inserted in cuts:
        answer = answer[:at] + inserted + answer[at + length :]
    result = read(answer, cut_off=cut_off)
    assert bool(result.patch) == (result.stop == "patch")
    if result.patch:
        assert applied(result.patch, tmp_path_factory.mktemp("mangled"))


HOSTILE = {
    "many blocks": block("x = 1", "x = 2") * 8_000,
    "one long line": "<<<<<<< SEARCH\n" + "x" * 900_000,
    "blanks": " " * 900_000 + "`",
    "many equal lines": "pkg/stats.py\n"
    + block("\n".join(["x"] * 50_000), "\n".join(["y", "x"] * 9_000)),
    "many fences": "```\n" * 200_000,
    "a file rewritten without reason": "pkg/big.py\n"
    + block("x = 1\n" * 20_000, "x = 1\n\n" * 20_000),
    "deep nesting": "```python\n" + "(" * 100_000 + "\n```",
    "almost there": "pkg/big.py\n"
    + "".join(
        block("\n".join(f"    valeu_{n} = {n}" for n in range(i, i + 40)), "pass")
        for i in range(200)
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_answer_ends_soon(kind: str) -> None:
    big = "".join(f"    value_{n} = {n}\n" if n % 3 else "x = 1\n" for n in range(20_000))
    snapshot = RepositorySnapshot(texts={**BASE, "pkg/big.py": big})
    # Quadratic work on these sizes would take hours, and the suite would not end.
    result = patch_from_answer(HOSTILE[kind], snapshot, shown=[*SHOWN, "pkg/big.py"])
    assert result.stop in {"patch", "empty", "unusable"}
