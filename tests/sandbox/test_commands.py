"""What a command gets and is held to, whoever starts it: the engine, or what stays inside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import PurePosixPath

import psutil
import pytest

from sandbox.bootstrap import base_tag
from sandbox.docker import DockerHost
from sandbox.sandbox import MIB, Limits, Sandbox, SandboxHost
from tests.sandbox import contract
from tests.sandbox.resident_host import ResidentHost

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("base_image")]

IMAGE = base_tag()


@pytest.fixture(params=["engine", "resident"])
async def host(request: pytest.FixtureRequest) -> AsyncIterator[SandboxHost]:
    async with DockerHost(run_id="test") as host:
        yield host if request.param == "engine" else ResidentHost(host)


async def python(sandbox: Sandbox, code: str, timeout: float = 60) -> tuple[int | None, str, str]:
    result = await sandbox.exec(["python3", "-c", code], timeout=timeout)
    return result.exit_code, result.stdout.decode(), result.killed_for


class TestContract(contract.SandboxContract):
    image = IMAGE

    @pytest.fixture
    async def host(self, host: SandboxHost) -> SandboxHost:
        return host


async def test_command_gets_its_folder_and_variables(host: SandboxHost) -> None:
    async with host.open(IMAGE, Limits()) as sandbox:
        result = await sandbox.exec(
            ["sh", "-c", 'pwd; echo "$A"; echo "$HOME"'],
            timeout=60,
            cwd=PurePosixPath("/usr/lib"),
            env={"A": "b c"},
        )
        default = await sandbox.exec(["pwd"], timeout=60)
        nowhere = await sandbox.exec(["pwd"], timeout=60, cwd=PurePosixPath("/nowhere"))
    assert result.stdout.decode().splitlines() == ["/usr/lib", "b c", "/home/solver"]
    assert default.stdout == b"/testbed\n"
    assert nowhere.exit_code not in (0, None)


async def test_command_has_no_power(host: SandboxHost) -> None:
    async with host.open(IMAGE, Limits()) as sandbox:
        status = await sandbox.exec(["cat", "/proc/self/status"], timeout=60)
        links = await sandbox.exec(["ls", "/sys/class/net"], timeout=60)
        _, reached, _ = await python(
            sandbox,
            "import socket\n"
            "try: socket.create_connection(('1.1.1.1', 53), 5); print('out')\n"
            "except OSError as error: print(error.strerror)",
        )
    fields = dict(line.split(":\t", 1) for line in status.stdout.decode().splitlines())
    assert fields["Uid"].split()[0] == "1000"
    assert int(fields["CapBnd"], 16) == 0
    assert int(fields["CapEff"], 16) == 0
    assert fields["NoNewPrivs"] == "1"
    assert links.stdout == b"lo\n"
    assert reached.strip() == "Network is unreachable"


async def test_endless_output_is_read_and_dropped(host: SandboxHost) -> None:
    flood = "import sys\nfor _ in range(400): sys.stdout.write('x' * (1 << 20))"
    before = psutil.Process().memory_info().rss
    async with host.open(IMAGE, Limits(output_bytes=MIB)) as sandbox:
        code, out, _ = await python(sandbox, flood)
    assert code == 0
    assert len(out) == MIB
    assert psutil.Process().memory_info().rss - before < 100 * MIB


async def test_deadline_ends_children_that_hid(host: SandboxHost) -> None:
    hide = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import signal
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        while True:
            with open('/tmp/alive', 'a') as file: file.write('x')
            time.sleep(0.05)
    os._exit(0)
time.sleep(1000)
"""
    async with host.open(IMAGE, Limits()) as sandbox:
        late = await sandbox.exec(["python3", "-c", hide], timeout=2)
        once = await sandbox.read(PurePosixPath("/tmp/alive"), MIB)
        await asyncio.sleep(0.5)
        twice = await sandbox.read(PurePosixPath("/tmp/alive"), MIB)
    assert late.timed_out
    assert len(once) > 0
    assert once == twice


async def test_background_child_does_not_hold_the_command(host: SandboxHost) -> None:
    async with host.open(IMAGE, Limits()) as sandbox:
        result = await sandbox.exec(["sh", "-c", "sleep 1000 & echo started"], timeout=60)
    assert result.exit_code == 0
    assert result.stdout == b"started\n"
    assert not result.timed_out


async def test_command_that_closes_its_outputs_is_waited_for(host: SandboxHost) -> None:
    script = "exec >&- 2>&-; sleep 1; touch /tmp/done; exit 7"
    async with host.open(IMAGE, Limits()) as sandbox:
        result = await sandbox.exec(["sh", "-c", script], timeout=60)
        assert await sandbox.read(PurePosixPath("/tmp/done"), 1) == b""
    assert result.exit_code == 7


async def test_command_that_kills_all_it_may_does_not_end_its_sandbox(host: SandboxHost) -> None:
    async with host.open(IMAGE, Limits()) as sandbox:
        killer = "import os\ntry: os.kill(-1, 9)\nexcept OSError: pass\nos.kill(os.getpid(), 9)"
        code, _, killed_for = await python(sandbox, killer)
        again, _, _ = await python(sandbox, "")
    assert (code, killed_for) == (137, "")
    assert again == 0


async def test_orphans_are_cleared_away(host: SandboxHost) -> None:
    orphan = (
        "import os\nif os.fork() == 0:\n  if os.fork() == 0: os._exit(0)\n  os._exit(0)\nos.wait()"
    )
    count = (
        "import os, time; time.sleep(0.5); print(sum(n.isdecimal() for n in os.listdir('/proc')))"
    )
    async with host.open(IMAGE, Limits()) as sandbox:
        _, before, _ = await python(sandbox, count)
        for _ in range(3):
            await python(sandbox, orphan)
        _, left, _ = await python(sandbox, count)
    assert left == before


async def test_fork_bomb_meets_its_limit(host: SandboxHost) -> None:
    bomb = """
import os, time
if os.fork() == 0:
    os.setsid()
    for number in range(3): os.close(number)
    while True:
        try:
            if os.fork() == 0: time.sleep(1000)
        except OSError: time.sleep(0.01)
time.sleep(1)
print(sum(name.isdecimal() for name in os.listdir('/proc')))
"""
    count = "import os; print(sum(n.isdecimal() for n in os.listdir('/proc')))"
    async with host.open(IMAGE, Limits(pids=40)) as sandbox:
        _, before, _ = await python(sandbox, count)
        code, out, _ = await python(sandbox, bomb)
        after = await sandbox.exec(["true"], timeout=60)
        late = await sandbox.exec(["sleep", "1000"], timeout=0.5)
        clean, processes, _ = await python(sandbox, count)
    assert code == 0
    assert int(out) <= 40
    assert after.exit_code == 0
    assert late.timed_out
    assert clean == 0
    # Fewer, where what starts a container had not ended when they were first counted.
    assert int(processes) <= int(before)


async def test_memory_hog_is_told_from_a_failing_command(host: SandboxHost) -> None:
    async with host.open(IMAGE, Limits(memory_bytes=64 * MIB)) as sandbox:
        code, _, killed_for = await python(sandbox, "x = b'x' * (1 << 30)")
        again, _, _ = await python(sandbox, "")
    assert (code, killed_for) == (None, "memory")
    assert again == 0


async def test_disk_filler_is_ended(host: SandboxHost) -> None:
    fill = """
import itertools
for number in itertools.count():
    with open(f'/tmp/fill{number}', 'wb') as file: file.write(bytes(1 << 20))
    __import__('time').sleep(0.02)
"""
    async with host.open(IMAGE, Limits(disk_bytes=20 * MIB)) as sandbox:
        code, _, killed_for = await python(sandbox, fill)
    assert (code, killed_for) == (None, "disk")


async def test_one_file_cannot_pass_the_disk_limit(host: SandboxHost) -> None:
    async with host.open(IMAGE, Limits(disk_bytes=20 * MIB)) as sandbox:
        code, _, _ = await python(sandbox, "open('/tmp/big', 'wb').write(bytes(21 << 20))")
        size = await sandbox.exec(["stat", "-c", "%s", "/tmp/big"], timeout=60)
    assert code != 0
    assert int(size.stdout) <= 20 * MIB


@pytest.mark.parametrize("argv", [["x" * 200_000], ["echo", "x" * 200_000], ["/testbed"], ["a\0b"]])
async def test_command_that_cannot_be_started_fails_by_itself(
    host: SandboxHost, argv: list[str]
) -> None:
    async with host.open(IMAGE, Limits()) as sandbox:
        result = await sandbox.exec(argv, timeout=60)
        assert result.exit_code not in (0, None)
        assert result.stderr
        assert (await sandbox.exec(["true"], timeout=60)).exit_code == 0


async def test_words_that_are_no_text_are_no_fault(host: SandboxHost) -> None:
    async with host.open(IMAGE, Limits()) as sandbox:
        result = await sandbox.exec(["echo", "\ud800", "\udcff", "\u4e2d"], timeout=60)
    assert result.exit_code == 0
    assert result.stdout.endswith(" \u4e2d\n".encode())
