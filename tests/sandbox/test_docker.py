"""Docker's containers: their files, how they begin and end, and that none is left behind."""

from __future__ import annotations

import asyncio
import grp
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import PurePosixPath

import pytest

from sandbox.bootstrap import base_tag
from sandbox.docker import DockerHost, DockerSandbox
from sandbox.layers import layers_of
from sandbox.orphans import remove_run, sweep_orphans
from sandbox.sandbox import Limits, Sandbox, SandboxError

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("base_image")]

IMAGE = base_tag()
RUN_ID = f"test-{uuid.uuid4().hex}"


@pytest.fixture
async def host() -> AsyncIterator[DockerHost]:
    async with DockerHost(run_id=RUN_ID) as host:
        yield host


def name_of(sandbox: Sandbox) -> str:
    assert isinstance(sandbox, DockerSandbox)
    return sandbox.name


def names(host: DockerHost) -> set[str]:
    """The containers of these tests; others may be at work on the same engine."""
    found = host.client.api.containers(all=True, filters={"label": f"ksolve.run={RUN_ID}"})
    return {one["Names"][0].removeprefix("/") for one in found}


async def test_only_regular_files_are_read(host: DockerHost) -> None:
    make = "ln -s /etc/passwd /tmp/link; mkfifo /tmp/pipe; ln -s /tmp/loop /tmp/loop"
    async with host.open(IMAGE, Limits()) as sandbox:
        await sandbox.exec(["sh", "-c", make], timeout=60)
        for path in ("/tmp/link", "/tmp/pipe", "/tmp/loop", "/dev/zero", "/dev/null", "/etc"):
            with pytest.raises(FileNotFoundError):
                await sandbox.read(PurePosixPath(path), 10)


async def test_a_part_of_a_large_file_is_read(host: DockerHost) -> None:
    async with host.open(IMAGE, Limits()) as sandbox:
        await sandbox.exec(["truncate", "-s", "1G", "/tmp/large"], timeout=60)
        assert await sandbox.read(PurePosixPath("/tmp/large"), 10) == bytes(10)


async def test_written_file_is_the_users_and_never_goes_through_a_link(host: DockerHost) -> None:
    path = PurePosixPath("/tmp/file")
    async with host.open(IMAGE, Limits()) as sandbox:
        for make in ("echo old > /tmp/old; ln -s /tmp/old /tmp/file", "rm -f $0; mkfifo $0"):
            await sandbox.exec(["sh", "-c", make, str(path)], timeout=60)
            await sandbox.write(path, b"new")
            assert await sandbox.read(path, 10) == b"new"
        assert await sandbox.read(PurePosixPath("/tmp/old"), 10) == b"old\n"
        owner = await sandbox.exec(["stat", "-c", "%U", str(path)], timeout=60)
        with pytest.raises(SandboxError):
            await sandbox.write(PurePosixPath("/etc/passwd"), b"")
    assert owner.stdout == b"solver\n"


async def test_read_only_file_of_the_user_is_replaced(host: DockerHost) -> None:
    path = PurePosixPath("/tmp/file")
    async with host.open(IMAGE, Limits()) as sandbox:
        await sandbox.exec(["sh", "-c", "echo old > /tmp/file; chmod 444 /tmp/file"], timeout=60)
        await sandbox.write(path, b"new")
        assert await sandbox.read(path, 10) == b"new"


async def test_no_change_can_be_hidden(host: DockerHost) -> None:
    async with host.open(IMAGE, Limits()) as sandbox:
        # Of the first, neither size nor time differ afterwards.
        code = """
import os
profile, bashrc = map(os.path.expanduser, ("~/.profile", "~/.bashrc"))
before, text = os.stat(profile), open(profile).read()
with open(profile, "w") as file:
    file.write(text.swapcase())
os.utime(profile, ns=(before.st_atime_ns, before.st_mtime_ns))
os.remove(bashrc)
os.mkdir("/tmp/d")
open("/tmp/d/f", "w").close()
"""
        assert (await sandbox.exec(["python3", "-c", code], timeout=60)).exit_code == 0
        changes = await sandbox.changes()
    home = PurePosixPath("/home/solver")
    assert changes[home / ".profile"] == "modified"
    assert changes[home / ".bashrc"] == "deleted"
    assert changes[PurePosixPath("/tmp/d/f")] == "added"
    assert changes[home] == "modified"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
async def test_engine_whose_storage_may_not_be_read_is_asked(host: DockerHost) -> None:
    make = "mkdir /tmp/d; echo x > /tmp/d/f; echo x >> ~/.profile; rm ~/.bashrc"
    group = grp.getgrnam("docker").gr_gid
    async with host.open(IMAGE, Limits()) as sandbox:
        await sandbox.exec(["sh", "-c", make], timeout=60)
        container = await host.call(host.client.api.inspect_container, name_of(sandbox))
        read = await sandbox.changes()
        assert layers_of(container)
        os.setegid(group)
        os.seteuid(65534)
        try:
            assert not layers_of(container)
            asked = await sandbox.changes()
        finally:
            os.seteuid(0)
            os.setegid(0)
    assert asked == read
    assert read[PurePosixPath("/tmp/d/f")] == "added"


async def test_many_sandboxes_at_once(host: DockerHost) -> None:
    async def one(number: int) -> bytes:
        async with host.open(IMAGE, Limits()) as sandbox:
            results = [
                await sandbox.exec(["sh", "-c", f"echo {number}"], timeout=60) for _ in range(5)
            ]
        return b"".join(result.stdout for result in results)

    said = await asyncio.gather(*(one(number) for number in range(12)))
    assert said == [f"{number}\n".encode() * 5 for number in range(12)]
    assert names(host) == set()


async def test_no_container_is_left_behind(host: DockerHost) -> None:
    async with host.open(IMAGE, Limits()) as sandbox:
        name = name_of(sandbox)
        assert name in names(host)
    assert name not in names(host)


@pytest.mark.parametrize("moment", [0, 0.01, 0.1, 0.2, 0.4, 1])
async def test_cancelling_at_any_moment_leaves_no_container(
    host: DockerHost, moment: float
) -> None:
    async def work() -> None:
        async with host.open(IMAGE, Limits()) as sandbox:
            await sandbox.exec(["sleep", "0.3"], timeout=0.2)
            await sandbox.exec(["sleep", "1000"], timeout=1000)

    task = asyncio.create_task(work())
    await asyncio.sleep(moment)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(host) == set()


async def test_container_killed_from_outside_is_a_fault(host: DockerHost) -> None:
    async with host.open(IMAGE, Limits()) as sandbox:
        running = asyncio.create_task(sandbox.exec(["sleep", "1000"], timeout=1000))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(host.client.api.kill, name_of(sandbox))
        with pytest.raises(SandboxError):
            await running
        with pytest.raises(SandboxError):
            await sandbox.exec(["true"], timeout=60)
        with pytest.raises(SandboxError):
            await sandbox.read(PurePosixPath("/etc/passwd"), 1)


async def test_container_ends_by_itself(host: DockerHost) -> None:
    async with host.open(IMAGE, Limits(lifetime=1)) as sandbox:
        with pytest.raises(SandboxError):
            await sandbox.exec(["sleep", "1000"], timeout=1000)
        await asyncio.sleep(0.5)
        assert name_of(sandbox) not in names(host)


async def test_sweep_removes_what_a_dead_owner_left_and_spares_the_living(
    host: DockerHost,
) -> None:
    leave = (
        "import asyncio, os\n"
        "from sandbox.docker import DockerHost\n"
        "from sandbox.sandbox import Limits\n"
        "async def main():\n"
        f"    async with DockerHost(run_id='{RUN_ID}') as host:\n"
        f"        async with host.open('{IMAGE}', Limits()) as sandbox:\n"
        "            print(sandbox.name, flush=True)\n"
        "            os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    dead = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", leave], capture_output=True, text=True, check=False
    )
    orphan = dead.stdout.strip()
    async with host.open(IMAGE, Limits()) as sandbox:
        assert {orphan, name_of(sandbox)} <= names(host)
        removed = await sweep_orphans()
        assert orphan in removed
        assert name_of(sandbox) not in removed
        left = names(host)
    assert orphan not in left
    assert name_of(sandbox) in left


async def test_a_runs_containers_are_removed_by_its_name(host: DockerHost) -> None:
    run_id = f"{RUN_ID}-mine"
    async with (
        DockerHost(run_id=run_id) as mine,
        mine.open(IMAGE, Limits()) as sandbox,
        host.open(IMAGE, Limits()) as other,
    ):
        assert await remove_run(run_id) == [name_of(sandbox)]
        assert name_of(other) in names(host)


async def test_unreachable_engine_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(SandboxError, match="DOCKER_HOST"):
        async with DockerHost():
            pass
