"""A file that is being written is what it was until all of it is there."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
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


def test_what_is_no_file_of_its_own_stays_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "there.html").write_text("before")
    (tmp_path / "link.html").symlink_to("there.html")
    write_whole(tmp_path / "link.html", "after")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "there.html").read_text() == "after"
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor() as reader:
        said = reader.submit((tmp_path / "pipe").read_text)
        write_whole(tmp_path / "pipe", "text")
        assert said.result(timeout=10) == "text"
    assert (tmp_path / "pipe").is_fifo()


def test_a_folder_is_never_taken_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "page.html", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
