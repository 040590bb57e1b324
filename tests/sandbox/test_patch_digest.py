"""Patches with one digest do the same to a tree, whatever they hold; real git and patch say so."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.patch import apply_command, check_patch, normalise_patch, patch_bytes, patch_digest

BASE = {"a.txt": b"1\n2\n3\n4\n5\n", "b.txt": b"one\ntwo\n", "\u00e9.txt": b"x\n"}

# The ways to write a part of a patch; the first is the usual one.
Ways = list[str]

# Text that stands for itself, for bytes that are no text, for halves of characters, for nothing.
ODD = ["", "?", "\ud800", "\udfff", "\udcff", "\udcc3\udca9", "\u00e9", "\0", "\u0663", "\u2028"]
WORDS = ["", " def f():", " @@", "x", *(f" {odd}" for odd in ODD)]
TIME = ["", "\t", "\t2024-01-02 03:04:05", "\t2025-01-02 03:04:05.1 +0000", "\t1970-01-01 00:00"]
COUNT = ["", ",1", ",01", ",0", f",{'9' * 5000}"]
LINE_END = ["\n", "\r\n", "\n\\ No newline at end of file\n", "\n\n", "\n \n"]
END = ["", "-- \n2.39.5\n", "-- \n2.39.5\n\n", "\n\n", "-- \n", " ", "\n "]


def of_file(name: str, *spelt: str) -> list[Ways]:
    """The parts of the patch of one file."""
    first = BASE[name].split(b"\n")[0].decode()
    old, new = ([spelling.format(side) for spelling in spelt] for side in ("a", "b"))
    return [
        ["", f"diff --git {old[0]} {new[0]}\n", "From: me\n"],
        [f"--- {one}" for one in old],
        TIME,
        [f"\n+++ {one}" for one in new],
        TIME,
        ["\n@@ -1", "\n@@ -3", "\n@@ -\u0661"],
        COUNT,
        [" +1"],
        COUNT,
        [" @@"],
        WORDS,
        [f"\n-{first}", f"\n-{first} "],
        ["\n+new "],
        ODD,
        LINE_END,
    ]


PATCHES = [
    [*of_file("a.txt", "{}/a.txt"), END],
    [*of_file("b.txt", "{}/b.txt"), *of_file("a.txt", "{}/a.txt"), END],
    [*of_file("\u00e9.txt", '"{}/\\303\\251.txt"', '"{}/\u00e9.txt"', "{}/\u00e9.txt"), END],
]


@st.composite
def variants(draw: st.DrawFn) -> list[str]:
    """One patch, written in different ways in one place or two."""
    parts = draw(st.sampled_from(PATCHES))
    places = [place for place, ways in enumerate(parts) if len(ways) > 1]
    # Most often what may say nothing.
    places += [place for place in places if parts[place] in (TIME, COUNT, WORDS, END)] * 5
    words = st.text(st.characters(exclude_characters="\n"), max_size=8)

    def changed(written: list[str], most: int) -> list[str]:
        written = list(written)
        for place in draw(st.lists(st.sampled_from(places), max_size=most)):
            ways = st.sampled_from(parts[place])
            written[place] = draw(ways | words if parts[place] is WORDS else ways)
        return written

    first = changed([ways[0] for ways in parts], 2)
    texts = ["".join(changed(first, 2)) for _ in range(draw(st.integers(2, 10)))]
    return [*texts, texts[0].removesuffix("\n")]


Outcome = tuple[bool, str, dict[str, bytes]]
Apply = Callable[[str], Outcome]


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Apply:
    """Applies a patch to a fresh copy of the same repository."""
    tree = tmp_path_factory.mktemp("tree")
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path_factory.mktemp("home")),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
    }

    def run(*command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command, input=stdin, cwd=tree, env=environment, capture_output=True, check=False
        )

    def files() -> dict[str, bytes]:
        found = (path for path in tree.rglob("*") if ".git" not in path.parts and path.is_file())
        return {str(path.relative_to(tree)): path.read_bytes() for path in found}

    for name, data in BASE.items():
        (tree / name).write_bytes(data)
    me = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    for command in (["init", "-q"], ["add", "."], [*me, "commit", "-q", "-m", "base"]):
        assert run("git", *command).returncode == 0

    def apply(text: str) -> Outcome:
        run("git", "checkout", "-q", "-f", ".")
        run("git", "clean", "-q", "-d", "-f", "-x")
        script, arguments, stdin = apply_command(text)
        did = run("sh", "-c", script, "sh", *arguments, stdin=stdin)
        how = [line for line in did.stdout.split(b"\n") if line.startswith(b"$ ")]
        return did.returncode == 0, how[-1].decode(), files()

    return apply


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(variants())
def test_patches_of_one_digest_do_the_same(applied: Apply, texts: list[str]) -> None:
    by_digest: dict[str, set[str]] = {}
    for text in texts:
        by_digest.setdefault(patch_digest(text), set()).add(text)
    for alike in by_digest.values():
        if len(alike) > 1:
            first, *others = [applied(text) for text in sorted(alike)]
            assert all(other == first for other in others)


HUNK = "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@{words}\n-1\n+{new}\n"


@pytest.mark.parametrize("code", [0xD800, 0xDBFF, 0xDC00, 0xDC7F, 0xDD00, 0xDFFF])
def test_half_a_character_behind_the_hunk_does_not_hide_the_bytes_in_it(code: int) -> None:
    """Half a character made question marks of all bytes, but only where they were applied."""
    plain = HUNK.format(words="", new="\udcff")
    odd = HUNK.format(words=f" {chr(code)}", new="\udcff")
    assert patch_digest(plain) == patch_digest(odd)
    assert patch_bytes(odd) == patch_bytes(plain).replace(b"@@\n", b"@@ ?\n")
    assert b"+\xff\n" in apply_command(odd)[2]
    assert patch_digest(plain) != patch_digest(HUNK.format(words="", new="?"))


def test_a_last_line_without_an_end_is_not_one_with_it(applied: Apply) -> None:
    """`git apply` refuses the one, so that what `patch` may not do either is not done."""
    text = (
        "diff --git a/b.txt b/b.txt\ndeleted file mode 100644\n--- a/b.txt\n+++ /dev/null\n"
        "@@ -1,2 +0,0 @@\n-one\n-two\n"
        "diff --git a/b.txt/c b/b.txt/c\nnew file mode 100644\n--- /dev/null\n+++ b/b.txt/c\n"
        "@@ -0,0 +1 @@\n+x\n"
    )
    assert applied(text)[0]
    assert not applied(text[:-1])[0]
    assert patch_digest(text) != patch_digest(text[:-1])


@given(st.text(st.characters(), max_size=60), st.text(st.characters(), max_size=60))
def test_texts_of_one_digest_are_given_to_git_alike(one: str, other: str) -> None:
    """Surrogates included: what differs in no byte that is applied is one patch, and no more is."""
    pair = [HUNK.format(words="", new=text.replace("\n", "")) for text in (one, other)]
    same = patch_bytes(pair[0]) == patch_bytes(pair[1])
    assert (patch_digest(pair[0]) == patch_digest(pair[1])) == same


@given(st.text(st.characters() | st.sampled_from('-+@ \n\t"\\/ab1,'), max_size=200))
def test_whatever_text_is_told_in_one_sentence_that_can_be_kept(text: str) -> None:
    for variant in (text, f"--- a/x\n+++ b/x\n@@ -1 +1 @@\n{text}"):
        assert normalise_patch(normalise_patch(variant)) == normalise_patch(variant)
        script, _, data = apply_command(variant)
        assert script
        assert data.endswith(patch_bytes(variant))
        reason = check_patch(variant)
        if reason is not None:
            reason.encode()
            assert len(reason) < 300
            assert "\n" not in reason


def test_a_number_of_any_length_is_only_a_malformed_patch() -> None:
    text = f"--- a/x\n+++ b/x\n@@ -1,{'9' * 5000} +1 @@\n-x\n+y\n"
    assert patch_digest(text)
    assert "malformed" in (check_patch(text) or "")


def test_names_are_unquoted_as_git_does_it(applied: Apply) -> None:
    """A name of other bytes than UTF-8 is put back, too, when a later part does not apply."""
    hunk = "@@ -0,0 +1 @@\n+x\n"
    new = 'diff --git "a/\\377" "b/\\377"\nnew file mode 100644\n--- /dev/null\n'
    new += f'+++ "b/\\377"\n{hunk}'
    assert applied(new)[0]
    assert b"./\xff\0" in apply_command(new)[2]
    hopeless = HUNK.format(words="", new="y").replace("-1", "-no such line")
    ok, _, files = applied(new + hopeless)
    assert not ok
    assert {name: data for name, data in files.items() if name in BASE} == BASE
    assert files.keys() == BASE.keys()
