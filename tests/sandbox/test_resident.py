"""What stays inside to start commands: unseen by them, cheap, and replaced where it is broken.

That its commands keep the contract is what `test_commands.py` shows.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath

import pytest
from docker.errors import ImageNotFound

from sandbox.bootstrap import base_tag
from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from sandbox.sandbox import MIB, Limits, Sandbox
from tasks.task import ImageBuild
from tests.sandbox.resident_host import ResidentHost

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("base_image")]

IMAGE = base_tag()

STARTED_BY = "cat /proc/$PPID/comm 2> /dev/null || echo engine"

WORLD = r"""
tr '\0' '\n' < /proc/$$/environ | sort; pwd; umask; ulimit -a; readlink /proc/$$/fd/0
grep -E '^(Uid|Gid|Groups|Sig(Ign|Blk)|Cap|NoNewPrivs|Seccomp:)' /proc/self/status
ls /proc/$$/fd; cut -d' ' -f5-8,19 /proc/$$/stat | sed "s/$$/own/g"; cat /proc/$$/oom_score_adj
"""


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with (
        DockerHost(run_id="test") as host,
        ResidentHost(host).open(IMAGE, Limits()) as sandbox,
    ):
        yield sandbox


async def sh(sandbox: Sandbox, script: str, timeout: float = 60) -> str:
    result = await sandbox.exec(["sh", "-c", script], timeout=timeout)
    return result.stdout.decode()


async def is_resident(sandbox: Sandbox) -> bool:
    return await sh(sandbox, STARTED_BY) == "ksolve\n"


async def test_a_command_finds_the_world_as_if_the_engine_had_started_it() -> None:
    async with (
        DockerHost(run_id="test") as host,
        host.open(IMAGE, Limits()) as plain,
        plain.resident() as resident,
    ):
        assert await is_resident(resident)
        assert not await is_resident(plain)
        assert await sh(resident, WORLD) == await sh(plain, WORLD)


async def test_neither_folder_nor_variables_nor_limits_live_on(sandbox: Sandbox) -> None:
    before = await sh(sandbox, WORLD)
    await sh(sandbox, "cd /tmp; export A=b; umask 0; ulimit -n 20; trap '' TERM PIPE; exit 1")
    assert await sh(sandbox, WORLD) == before


async def test_what_runs_on_disturbs_no_later_command_and_is_not_disturbed(
    sandbox: Sandbox,
) -> None:
    # More than a pipe holds, so that it gets on only if somebody reads.
    behind = "(sleep 0.5; seq 100000; seq 100000 >&2; echo $? > /tmp/code) & echo begun"
    assert await sh(sandbox, behind) == "begun\n"
    seen = await sandbox.exec(["sh", "-c", "sleep 1; echo mine"], timeout=60)
    assert (seen.stdout, seen.stderr) == (b"mine\n", b"")
    assert await sandbox.read(PurePosixPath("/tmp/code"), 9) == b"0\n"


async def test_what_is_printed_last_is_not_lost(sandbox: Sandbox) -> None:
    """The shell does not wait for the program that it prints through."""
    script = "seq 50000 > >(cat; echo last)"
    for _ in range(3):
        result = await sandbox.exec(["bash", "-c", script], timeout=60)
        assert result.stdout.endswith(b"50000\nlast\n")


@pytest.mark.parametrize(
    "blow",
    [
        "kill -9 $PPID; sleep 60",
        "kill -9 -1",
        "kill -STOP $PPID",
        "head -c 100000 /dev/urandom > /proc/$PPID/fd/1; sleep 60",
        "for fd in /proc/$PPID/fd/*; do printf 'x\\377\\377\\377\\377' > $fd & done; sleep 60",
    ],
)
async def test_who_breaks_it_hears_so_and_the_next_command_runs(
    sandbox: Sandbox, blow: str
) -> None:
    result = await sandbox.exec(["sh", "-c", f"echo before; sleep 0.5; {blow}"], timeout=5)
    assert result.exit_code == (None if result.timed_out else 137)
    assert result.stdout.startswith(b"before\n")
    assert result.timed_out or result.stderr.startswith(b"ksolve: every process")
    assert await is_resident(sandbox)
    # Process 1 is one, too.
    assert (await sh(sandbox, "cat /proc/[0-9]*/comm")).count("sleep") == 1


async def test_a_command_behind_it_can_be_killed_while_nothing_runs(sandbox: Sandbox) -> None:
    await sh(sandbox, "server=$PPID; (sleep 0.3; kill -9 $server) &")
    await asyncio.sleep(1)
    assert await sh(sandbox, "echo one") == "one\n"
    assert await is_resident(sandbox)


async def test_who_ends_every_python_spares_it(sandbox: Sandbox) -> None:
    pkill = """
for process in /proc/[0-9]*; do
    case $(cat $process/comm) in python*) kill -9 ${process#/proc/} && echo killed ;; esac
done
"""
    script = f"python3 -c 'import time; time.sleep(60)' & sleep 0.5; {pkill} echo on"
    assert await sh(sandbox, script) == "killed\non\n"


async def test_cancelled_command_leaves_the_sandbox_usable(sandbox: Sandbox) -> None:
    task = asyncio.create_task(sandbox.exec(["sleep", "60"], timeout=60))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await is_resident(sandbox)


async def test_commands_at_once_do_not_wait_for_each_other(sandbox: Sandbox) -> None:
    meet = "touch /tmp/$0; until [ -e /tmp/$1 ]; do sleep 0.1; done; echo $0"
    pairs = (("a", "b"), ("b", "c"), ("c", "a"))
    results = await asyncio.gather(
        *(sandbox.exec(["sh", "-c", meet, *pair], timeout=60) for pair in pairs)
    )
    assert [result.stdout for result in results] == [b"a\n", b"b\n", b"c\n"]


async def test_large_input_meets_a_command_that_does_not_read_it(sandbox: Sandbox) -> None:
    result = await sandbox.exec(["echo", "deaf"], stdin=bytes(8 * MIB), timeout=60)
    assert (result.exit_code, result.stdout) == (0, b"deaf\n")
    result = await sandbox.exec(["wc", "-c"], stdin=bytes(8 * MIB), timeout=60)
    assert int(result.stdout) == 8 * MIB


async def test_without_python_commands_are_started_by_the_engine(tmp_path: Path) -> None:
    tag = "ksolve-test/no-python:1"
    remove = "USER root\nRUN rm /usr/bin/python3*\nUSER solver\n"
    recipe = ImageBuild(tag=tag, dockerfile=f"FROM {IMAGE}\n{remove}", context=tmp_path)
    async with DockerHost(run_id="test") as host:
        await ensure_image(host, tag, recipe, lambda _: None)
        try:
            async with ResidentHost(host).open(tag, Limits()) as sandbox:
                assert not await is_resident(sandbox)
                assert await sh(sandbox, "echo still") == "still\n"
        finally:
            with contextlib.suppress(ImageNotFound):
                host.client.images.remove(tag, force=True)
