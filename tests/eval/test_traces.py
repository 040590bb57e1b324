"""What a patch leaves behind is told from what the base and chance hold."""

from __future__ import annotations

import io
import py_compile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from eval.traces import Trace, archived, source_of, source_size, stripped_lines, traces_of
from tasks.task import Oracle

LINES = [f"a line that tells something, number {number}" for number in range(20)]


def trace(lines: list[str]) -> Trace:
    return Trace(patch="gold patch", path="a.py", creates=False, lines=frozenset(lines), growth=0)


def oracle(gold: str) -> Oracle:
    return Oracle(eval_script="", fail_to_pass=(), pass_to_pass=(), log_parser="", gold_patch=gold)


@pytest.mark.parametrize(("of", "needed"), [(1, 1), (2, 1), (3, 2), (8, 4), (20, 5)])
def test_half_of_the_lines_or_five_tell_a_patch(of: int, needed: int) -> None:
    patch = trace(LINES[:of])
    assert patch.is_in(set(LINES[:needed]), set())
    assert not patch.is_in(set(LINES[: needed - 1]), set())


def test_lines_that_the_base_holds_tell_nothing() -> None:
    assert not trace(LINES[:3]).is_in(set(LINES[:3]), set(LINES))
    assert trace(LINES[:3]).is_in({LINES[2]}, set(LINES[:2]))
    assert not trace([]).is_in(set(LINES), set())


def test_short_lines_are_no_trace_and_sizes_are_counted_in_bytes() -> None:
    patch = (
        "--- a/pkg/a.py\n+++ b/pkg/a.py\n@@ -1,2 +1,3 @@\n x = 1\n-y = 2\n+y = '\u00e9'\n"
        "+    zebra = 'a line that tells something'\n"
    )
    (found,) = traces_of(oracle(patch))
    assert (found.path, found.creates) == ("pkg/a.py", False)
    assert found.lines == {"zebra = 'a line that tells something'"}
    assert found.growth == len("y = '\u00e9'\n".encode()) + 42 - len("y = 2\n")


def test_a_patch_that_is_no_diff_still_has_lines() -> None:
    (found,) = traces_of(oracle("--- a/x\n+++ b/x\n@@ -1 +1,9 @@\n+a line that tells something\n"))
    assert "a line that tells something" in found.lines


def test_lines_of_a_patch_lose_their_sign() -> None:
    assert "x = 1" in stripped_lines(b"@@ -1 +1 @@\n+    x = 1\n")


def test_compiled_python_tells_its_source(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text("x = 1\n" * 7)
    made = py_compile.compile(str(source), doraise=True)
    assert made is not None
    compiled = Path(made)
    assert source_of(PurePosixPath(compiled)) == PurePosixPath(source)
    assert source_size(compiled.read_bytes()) == 42
    by_hash = py_compile.PycInvalidationMode.CHECKED_HASH
    py_compile.compile(str(source), doraise=True, invalidation_mode=by_hash)
    assert source_size(compiled.read_bytes()) is None
    assert source_size(b"") is None


def test_what_is_no_archive_or_too_large_is_passed_over() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pkg/a.py", "small")
        archive.writestr("other/a.py", b"\0" * 5_000_000)
        archive.writestr("pkg/b.py", "not asked for")
    assert archived("x.whl", buffer.getvalue(), {"a.py"}) == [b"small"]
    assert archived("x.whl", b"broken", {"a.py"}) == []
    assert archived("x.tar.gz", b"broken", {"a.py"}) == []
