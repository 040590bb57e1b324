"""A repository read through the commands that a sandbox would run, by the real git and tar."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.reading.snapshot import FILE_LIMIT, RepositorySnapshot, read_snapshot
from sandbox.fake import FakeHost, FakeSandbox
from sandbox.sandbox import ExecResult, SandboxError
from tasks.task import Issue

ISSUE = Issue(id="i", statement="", repo="r", base_commit="c", image="image")


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=n", "-c", "user.email=e@localhost"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def host_of(folder: Path) -> FakeHost:
    """Return a host whose commands run in a folder of this machine."""

    def answer(argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        done = subprocess.run(
            argv, cwd=folder, input=stdin, capture_output=True, check=False, env=os.environ
        )
        return ExecResult(
            exit_code=done.returncode,
            stdout=done.stdout,
            stderr=done.stderr,
            truncated=False,
            timed_out=False,
            seconds=0.0,
        )

    return FakeHost(answer)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    files = {
        "pkg/a.py": b"x = 1\n",
        "pkg/dos.py": b"x = 1\r\ny = 2\r\n",
        "pkg/no_end.py": b"x = 1",
        "empty.txt": b"",
        "with blank.txt": b"b\n",
        "-dash.txt": b"d\n",
        "caf\u00e9.txt": "caf\u00e9\n".encode(),
        "logo.png": b"\x89PNG\0\0",
        "latin.txt": b"caf\xe9\n",
        "huge.json": b" " * (FILE_LIMIT + 1),
        "gone.py": b"z = 1\n",
    }
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    (tmp_path / "link.py").symlink_to("pkg/a.py")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "base")
    (tmp_path / "gone.py").unlink()
    (tmp_path / "untracked.py").write_text("u = 1\n")
    return tmp_path


async def test_tracked_text_is_read_exactly(repository: Path) -> None:
    snapshot = await read_snapshot(ISSUE, host_of(repository))
    assert snapshot.texts == {
        "pkg/a.py": "x = 1\n",
        "pkg/dos.py": "x = 1\r\ny = 2\r\n",
        "pkg/no_end.py": "x = 1",
        "empty.txt": "",
        "with blank.txt": "b\n",
        "-dash.txt": "d\n",
        "caf\u00e9.txt": "caf\u00e9\n",
    }


async def test_what_is_no_text_is_listed_and_not_read(repository: Path) -> None:
    snapshot = await read_snapshot(ISSUE, host_of(repository))
    assert snapshot.skipped == {"logo.png", "latin.txt", "huge.json", "link.py"}


async def test_the_repository_is_made_clean_before_it_is_read(repository: Path) -> None:
    git(repository, "checkout", "-q", "-b", "main")
    git(repository, "branch", "fix")
    git(repository, "commit", "-q", "--allow-empty", "-m", "the fix")
    git(repository, "branch", "-f", "fix")
    git(repository, "reset", "-q", "--hard", "main~1")
    await read_snapshot(ISSUE, host_of(repository))
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "show", "fix")


async def test_the_sandbox_is_closed_again(repository: Path) -> None:
    host = host_of(repository)
    await read_snapshot(ISSUE, host)
    assert (host.opened, host.closed) == (1, 1)


async def test_a_repository_without_text_is_an_empty_snapshot(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert await read_snapshot(ISSUE, host_of(tmp_path)) == RepositorySnapshot(texts={})


async def test_an_image_without_a_repository_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"/testbed in image 'image' is no readable git"):
        await read_snapshot(ISSUE, host_of(tmp_path))


async def test_a_broken_archive_is_an_error_of_the_sandbox(repository: Path) -> None:
    real = host_of(repository)

    def answer(argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        result = real.answer(argv, stdin, sandbox)
        if argv[0] != "tar":
            return result
        return ExecResult(
            exit_code=0,
            stdout=result.stdout[:100],
            stderr=b"",
            truncated=False,
            timed_out=False,
            seconds=0.0,
        )

    with pytest.raises(SandboxError, match="broken archive"):
        await read_snapshot(ISSUE, FakeHost(answer))
