"""A cached folder is whole or absent, whatever interrupts its building."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from agent.backend import BackendUnusableError
from agent.local.cache import cached_folder, is_whole

PROCESSES = multiprocessing.get_context("spawn")


def quiet(stage: str, share: float | None) -> None:
    """Take no notice of progress."""


def build(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "data").write_text("x" * 1000)


def build_one_by_one(folder: Path) -> None:
    """Fail if two are at it at once; leave a trace of each building."""
    busy = folder.parent / "busy"
    busy.touch(exist_ok=False)
    time.sleep(0.5)
    build(folder)
    busy.unlink()
    with (folder.parent / "trace").open("a") as trace:
        trace.write("built\n")


def build_for_ever(folder: Path) -> None:
    (folder / "half").write_text("half")
    (folder.parent / "begun").touch()
    time.sleep(600)


def in_another_process(folder: Path, name: str) -> None:
    cached_folder(folder, globals()[name], space=1, progress=quiet)


def test_it_is_built_once_and_then_found(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert cached_folder(folder, build, space=1, progress=quiet) == folder
    assert is_whole(folder)
    cached_folder(folder, lambda _: pytest.fail("built again"), space=1, progress=quiet)


@pytest.mark.parametrize("damage", ["missing", "short", "no stamp"])
def test_a_damaged_folder_is_built_again(tmp_path: Path, damage: str) -> None:
    folder = cached_folder(tmp_path / "f", build, space=1, progress=quiet)
    data = folder / "sub" / "data"
    if damage == "missing":
        data.unlink()
    elif damage == "short":
        data.write_text("x")
    else:
        (folder / ".complete.json").unlink()
    assert not is_whole(folder)
    cached_folder(folder, build, space=1, progress=quiet)
    assert len(data.read_text()) == 1000


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError, OSError])
def test_a_failed_building_leaves_nothing(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    def broken(folder: Path) -> None:
        build(folder)
        raise interruption

    with pytest.raises(interruption):
        cached_folder(tmp_path / "f", broken, space=1, progress=quiet)
    assert [entry.name for entry in tmp_path.iterdir()] == [".f.lock"]


def test_a_killed_building_is_begun_anew(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    process = PROCESSES.Process(target=in_another_process, args=(folder, "build_for_ever"))
    process.start()
    while not (tmp_path / "begun").exists():
        assert process.is_alive()
        time.sleep(0.05)
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not folder.exists()
    cached_folder(folder, build, space=1, progress=quiet)
    assert sorted(entry.name for entry in folder.iterdir()) == [".complete.json", "sub"]


def test_two_processes_do_not_build_at_once(tmp_path: Path) -> None:
    both = [
        PROCESSES.Process(target=in_another_process, args=(tmp_path / "f", "build_one_by_one"))
        for _ in range(2)
    ]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert (tmp_path / "trace").read_text() == "built\n"


def test_a_disk_without_room_is_one_sentence_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(
        BackendUnusableError, match=r"needs 10{9}\.0 GB .* XDG_CACHE_HOME .*disk\.$"
    ):
        cached_folder(tmp_path / "f", build, space=10**18, progress=quiet)


def test_a_disk_that_fills_up_is_one_sentence(tmp_path: Path) -> None:
    def fill(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(BackendUnusableError, match=r"the disk is full; make room there"):
        cached_folder(tmp_path / "f", fill, space=1, progress=quiet)
    assert not (tmp_path / "f").exists()
