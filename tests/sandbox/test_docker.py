"""Docker keeps the contract, and holds what runs inside to its limits."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import PurePosixPath

import psutil
import pytest

from sandbox.docker import DockerHost, DockerSandbox
from sandbox.orphans import remove_run, sweep_orphans
from sandbox.sandbox import MIB, Limits, Sandbox, SandboxError
from tests.sandbox import contract

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("base_image")]

IMAGE = "ksolve/base:1"


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


async def python(sandbox: Sandbox, code: str, timeout: float = 60) -> tuple[int | None, str, str]:
    result = await sandbox.exec(["python3", "-c", code], timeout=timeout)
    return result.exit_code, result.stdout.decode(), result.killed_for


class TestContract(contract.SandboxContract):
    image = IMAGE

    @pytest.fixture
    async def host(self, host: DockerHost) -> DockerHost:
        return host


async def test_command_gets_its_folder_and_variables(host: DockerHost) -> None:
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


async def test_command_has_no_power(host: DockerHost) -> None:
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


async def test_endless_output_is_read_and_dropped(host: DockerHost) -> None:
    flood = "import sys\nfor _ in range(400): sys.stdout.write('x' * (1 << 20))"
    before = psutil.Process().memory_info().rss
    async with host.open(IMAGE, Limits(output_bytes=MIB)) as sandbox:
        code, out, _ = await python(sandbox, flood)
    assert code == 0
    assert len(out) == MIB
    assert psutil.Process().memory_info().rss - before < 100 * MIB


async def test_deadline_ends_children_that_hid(host: DockerHost) -> None:
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


async def test_background_child_does_not_hold_the_command(host: DockerHost) -> None:
    async with host.open(IMAGE, Limits()) as sandbox:
        result = await sandbox.exec(["sh", "-c", "sleep 1000 & echo started"], timeout=60)
    assert result.exit_code == 0
    assert result.stdout == b"started\n"
    assert not result.timed_out


async def test_command_that_closes_its_outputs_is_waited_for(host: DockerHost) -> None:
    script = "exec >&- 2>&-; sleep 1; touch /tmp/done; exit 7"
    async with host.open(IMAGE, Limits()) as sandbox:
        result = await sandbox.exec(["sh", "-c", script], timeout=60)
        assert await sandbox.read(PurePosixPath("/tmp/done"), 1) == b""
    assert result.exit_code == 7


async def test_command_that_kills_all_it_may_does_not_end_its_sandbox(host: DockerHost) -> None:
    async with host.open(IMAGE, Limits()) as sandbox:
        killer = "import os\ntry: os.kill(-1, 9)\nexcept OSError: pass\nos.kill(os.getpid(), 9)"
        code, _, killed_for = await python(sandbox, killer)
        again, _, _ = await python(sandbox, "")
    assert (code, killed_for) == (137, "")
    assert again == 0


async def test_orphans_are_cleared_away(host: DockerHost) -> None:
    orphan = (
        "import os\nif os.fork() == 0:\n  if os.fork() == 0: os._exit(0)\n  os._exit(0)\nos.wait()"
    )
    count = (
        "import os, time; time.sleep(0.5); print(sum(n.isdecimal() for n in os.listdir('/proc')))"
    )
    async with host.open(IMAGE, Limits()) as sandbox:
        for _ in range(3):
            await python(sandbox, orphan)
        _, left, _ = await python(sandbox, count)
    assert int(left) == 2  # process 1 and the one that counts


async def test_fork_bomb_meets_its_limit(host: DockerHost) -> None:
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
    async with host.open(IMAGE, Limits(pids=40)) as sandbox:
        code, out, _ = await python(sandbox, bomb)
        after = await sandbox.exec(["true"], timeout=60)
        late = await sandbox.exec(["sleep", "1000"], timeout=0.5)
        clean, processes, _ = await python(
            sandbox, "import os; print(sum(n.isdecimal() for n in os.listdir('/proc')))"
        )
    assert code == 0
    assert int(out) <= 40
    assert after.exit_code == 0
    assert late.timed_out
    assert clean == 0
    assert int(processes) == 2


async def test_memory_hog_is_told_from_a_failing_command(host: DockerHost) -> None:
    async with host.open(IMAGE, Limits(memory_bytes=64 * MIB)) as sandbox:
        code, _, killed_for = await python(sandbox, "x = b'x' * (1 << 30)")
        again, _, _ = await python(sandbox, "")
    assert (code, killed_for) == (None, "memory")
    assert again == 0


async def test_disk_filler_is_ended(host: DockerHost) -> None:
    fill = """
import itertools
for number in itertools.count():
    with open(f'/tmp/fill{number}', 'wb') as file: file.write(bytes(1 << 20))
    __import__('time').sleep(0.02)
"""
    async with host.open(IMAGE, Limits(disk_bytes=20 * MIB)) as sandbox:
        code, _, killed_for = await python(sandbox, fill)
    assert (code, killed_for) == (None, "disk")


async def test_one_file_cannot_pass_the_disk_limit(host: DockerHost) -> None:
    async with host.open(IMAGE, Limits(disk_bytes=20 * MIB)) as sandbox:
        code, _, _ = await python(sandbox, "open('/tmp/big', 'wb').write(bytes(21 << 20))")
        size = await sandbox.exec(["stat", "-c", "%s", "/tmp/big"], timeout=60)
    assert code != 0
    assert int(size.stdout) <= 20 * MIB


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


@pytest.mark.parametrize("argv", [["x" * 200_000], ["echo", "x" * 200_000], ["/testbed"], ["a\0b"]])
async def test_command_that_cannot_be_started_fails_by_itself(
    host: DockerHost, argv: list[str]
) -> None:
    async with host.open(IMAGE, Limits()) as sandbox:
        result = await sandbox.exec(argv, timeout=60)
        assert result.exit_code not in (0, None)
        assert result.stderr
        assert (await sandbox.exec(["true"], timeout=60)).exit_code == 0


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
        assert (await python(sandbox, code))[0] == 0
        changes = await sandbox.changes()
    home = PurePosixPath("/home/solver")
    assert changes[home / ".profile"] == "modified"
    assert changes[home / ".bashrc"] == "deleted"
    assert changes[PurePosixPath("/tmp/d/f")] == "added"
    assert changes[home] == "modified"


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
    with pytest.raises(SandboxError, match="ksolve doctor"):
        async with DockerHost():
            pass
