"""Process 1 of a container sleeps: whoever wakes it to take it over is found out."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from docker.errors import ImageNotFound

from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from sandbox.keeper import sleeps_begun, was_woken
from sandbox.sandbox import Limits, TakenOverError
from tasks.base import BASE_IMAGE
from tasks.task import ImageBuild

TAG = "ksolve-test/keeper:1"

# Orphans that end, signals of every kind, a look at its files: none of it wakes process 1.
HARMLESS = """
for number in 1 2 3; do (sleep 0.1 &); done
sleep 0.3
for signal in CONT STOP TERM HUP CHLD USR1 KILL; do kill -s $signal 1; done
cat /proc/1/status > /dev/null
kill -9 -1
"""
TRACED = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
assert libc.ptrace(16, 1, None, None) == 0, os.strerror(ctypes.get_errno())
os.waitpid(1, 0x40000000)
assert libc.ptrace(17, 1, None, None) == 0
"""


@pytest.fixture
async def host(docker_engine: None, tmp_path: Path) -> AsyncIterator[DockerHost]:
    async with DockerHost(run_id="test") as host:
        rooted = ImageBuild(tag=TAG, dockerfile=f"FROM {BASE_IMAGE}\nUSER root\n", context=tmp_path)
        await ensure_image(host, BASE_IMAGE, None, lambda _: None)
        await ensure_image(host, TAG, rooted, lambda _: None)
        yield host
        try:
            host.client.images.remove(TAG, force=True)
        except ImageNotFound:
            return


@pytest.mark.docker
@pytest.mark.parametrize("image", [BASE_IMAGE, TAG])
async def test_nothing_harmless_wakes_it(host: DockerHost, image: str) -> None:
    async with host.open(image, Limits()) as sandbox:
        await sandbox.exec(["sh", "-c", HARMLESS], timeout=60)
        assert (await sandbox.exec(["true"], timeout=60)).exit_code == 0
        await sandbox.changes()


@pytest.mark.docker
async def test_root_that_traces_it_is_found_out(host: DockerHost) -> None:
    async with host.open(TAG, Limits()) as sandbox:
        await sandbox.changes()
        traced = await sandbox.exec(["python3", "-c", TRACED], timeout=60)
        assert traced.exit_code == 0, traced.stderr
        with pytest.raises(TakenOverError):
            await sandbox.changes()


@pytest.mark.docker
async def test_who_is_not_root_cannot_trace_it(host: DockerHost) -> None:
    async with host.open(BASE_IMAGE, Limits()) as sandbox:
        traced = await sandbox.exec(["python3", "-c", TRACED], timeout=60)
        assert b"Operation not permitted" in traced.stderr
        await sandbox.changes()


def test_a_process_that_is_none_of_the_container_is_not_watched() -> None:
    assert sleeps_begun(os.getpid(), "no such container") is None
    assert sleeps_begun(2**22 + 1, "none") is None
    assert not was_woken(os.getpid(), "no such container", 1)
    assert not was_woken(2**22 + 1, "none", 1)
    assert not was_woken(1, "", None)
