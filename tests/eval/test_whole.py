"""A file that is being written is what it was until all of it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.whole import whole, write_whole


def test_what_breaks_in_the_middle_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("before")

    def break_in_the_middle() -> None:
        with whole(file) as partial:
            partial.write_text("half")
            assert file.read_text() == "before"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_in_the_middle()
    with pytest.raises(UnicodeEncodeError):
        write_whole(file, "half \udcff")
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]
    write_whole(file, "after")
    assert file.read_text() == "after"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_is_never_taken_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "page.html", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
