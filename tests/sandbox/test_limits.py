"""What a sandbox may use: each limit is in force, and one that was met is named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sandbox.abilities import shortcomings
from sandbox.cgroup import COUNTERS, counters_here, told
from sandbox.docker import DockerHost, DockerSandbox
from sandbox.sandbox import MIB, Limits
from tasks.task import Resources

IMAGE = "ksolve/base:1"

HOG = "x = bytearray(500 * 2 ** 20)"
# Goes on after what was refused, and ends well, as a test suite may.
PATIENT = """
import subprocess
running = []
try:
    for _ in range(100):
        running.append(subprocess.Popen(["sleep", "100"]))
except BlockingIOError:
    pass
for one in running:
    one.kill()
"""
FILE = """
try:
    with open("/tmp/large", "wb") as file:
        for _ in range(100):
            file.write(bytes(2 ** 20))
            file.flush()
except OSError as error:
    raise SystemExit(str(error))
"""
CHILD = """
import os, subprocess
raise SystemExit(subprocess.run(["python3", "-c", os.environ["C"]]).returncode and 1)
"""


@pytest.fixture
async def host() -> AsyncIterator[DockerHost]:
    async with DockerHost(run_id="test") as host:
        yield host


@pytest.mark.docker
@pytest.mark.usefixtures("base_image")
@pytest.mark.parametrize("is_resident", [False, True])
@pytest.mark.parametrize(
    ("code", "limit"),
    [
        ("import time; time.sleep(1000)", "deadline"),
        (FILE, "disk"),
        (HOG, "memory"),
        (PATIENT, "processes"),
        ("raise SystemExit(1)", ""),
        ("print('413: file too large')", ""),
    ],
)
async def test_a_limit_that_was_met_is_named(
    host: DockerHost, code: str, limit: str, *, is_resident: bool
) -> None:
    limits = Limits(memory_bytes=64 * MIB, pids=40, disk_bytes=20 * MIB)
    async with host.open(IMAGE, limits) as plain:
        sandbox = await plain.resident().__aenter__() if is_resident else plain
        # A limit that a command met before is not the next one's.
        await sandbox.exec(["python3", "-c", HOG], timeout=60)
        timeout = 1 if limit == "deadline" else 60
        result = await sandbox.exec(["python3", "-c", code], timeout=timeout)
    assert result.limits_met == ((limit,) if limit else ())


@pytest.mark.docker
@pytest.mark.usefixtures("base_image")
async def test_a_limit_that_ended_only_a_child_is_named(host: DockerHost) -> None:
    async with host.open(IMAGE, Limits(memory_bytes=64 * MIB)) as sandbox:
        result = await sandbox.exec(["python3", "-c", CHILD], timeout=60, env={"C": HOG})
    assert (result.exit_code, result.killed_for) == (1, "")
    assert result.limits_met == ("memory",)


@pytest.mark.docker
@pytest.mark.usefixtures("base_image")
async def test_counters_are_the_same_from_outside_and_inside(host: DockerHost) -> None:
    async with host.open(IMAGE, Limits(memory_bytes=64 * MIB, pids=40)) as sandbox:
        assert isinstance(sandbox, DockerSandbox)
        await sandbox.exec(["python3", "-c", HOG], timeout=60)
        await sandbox.exec(["python3", "-c", PATIENT], timeout=60)
        inside = await sandbox.exec(["sh", "-c", COUNTERS], timeout=60)
        processes = sandbox.processes
        outside = await asyncio.to_thread(counters_here, processes.pid, processes.container_id)
        elsewhere = await asyncio.to_thread(counters_here, processes.pid, "0" * 64)
    assert elsewhere is None
    if outside is None:
        pytest.skip("the engine's processes cannot be seen from here")
    assert outside == told(inside.stdout.decode().splitlines())
    assert set(outside) == {"memory", "processes"}
    assert all(outside.values())


def test_counters_of_both_versions_are_read() -> None:
    first = ["pids.events max 3", "memory.oom_control oom_kill_disable 0"]
    first += ["memory.oom_control under_oom 0", "memory.oom_control oom_kill 2"]
    # Of memory, `max` says that it was reclaimed, which hurts nobody.
    second = ["pids.events max 3", "memory.events low 0", "memory.events max 99"]
    second += ["memory.events oom 5", "memory.events oom_kill 2"]
    assert told(first) == told(second) == {"processes": 3, "memory": 2}
    assert told(["", "pids.events max none", "what"]) == {}


@pytest.mark.docker
@pytest.mark.usefixtures("base_image")
async def test_a_run_wins_over_a_task() -> None:
    of_task = Limits(memory_bytes=300 * MIB).with_resources(Resources(pids=99, network=True))
    of_run = Resources(memory_bytes=200 * MIB, cpus=0.5, network=False)
    async with (
        DockerHost(run_id="test", resources=of_run) as host,
        host.open(IMAGE, of_task) as sandbox,
    ):
        assert isinstance(sandbox, DockerSandbox)
        found = (await host.call(host.client.api.inspect_container, sandbox.name))["HostConfig"]
    assert (found["Memory"], found["PidsLimit"]) == (200 * MIB, 99)
    assert (found["NanoCpus"], found["NetworkMode"]) == (500_000_000, "none")


@pytest.mark.docker
@pytest.mark.usefixtures("base_image")
async def test_no_more_processors_are_asked_for_than_there_are(host: DockerHost) -> None:
    async with host.open(IMAGE, Limits(cpus=4096)) as sandbox:
        assert (await sandbox.exec(["true"], timeout=60)).exit_code == 0


@pytest.mark.docker
@pytest.mark.usefixtures("base_image")
async def test_network_is_there_for_who_asks_for_it(host: DockerHost) -> None:
    code = "print(len(open('/proc/net/route').readlines()) > 1)"
    said = []
    for network in (False, True):
        async with host.open(IMAGE, Limits(network=network)) as sandbox:
            result = await sandbox.exec(["python3", "-c", code], timeout=60)
            said.append(result.stdout)
    assert said == [b"False\n", b"True\n"]


@pytest.mark.docker
@pytest.mark.usefixtures("base_image")
@pytest.mark.parametrize("network", [False, True])
async def test_the_own_name_of_a_container_resolves(host: DockerHost, *, network: bool) -> None:
    code = """
import socket
own = socket.gethostbyname(socket.gethostname())
print(socket.gethostbyname("localhost"), socket.getfqdn() == socket.gethostname())
print(socket.getaddrinfo("localhost", 80, socket.AF_INET6)[0][4][0])
with socket.create_server((own, 0)) as server:
    socket.create_connection(server.getsockname()).close()
"""
    async with host.open(IMAGE, Limits(network=network)) as sandbox:
        result = await sandbox.exec(["python3", "-c", code], timeout=60)
        changes = await sandbox.changes()
    assert (result.stdout, result.stderr) == (b"127.0.0.1 True\n::1\n", b"")
    assert changes == {}


@pytest.mark.docker
@pytest.mark.usefixtures("base_image")
async def test_root_has_the_capabilities_that_were_asked_for(host: DockerHost) -> None:
    tag = "ksolve-test/root:1"
    image = await host.call(host.client.images.get, IMAGE)
    container = await host.call(
        host.client.containers.create, image.id, ["true"], user="0", network_mode="none"
    )
    await host.call(container.commit, "ksolve-test/root", "1", conf={"User": "0"})
    await host.call(container.remove)
    become = "import os; os.setuid(1000); print(os.getuid()); os.execvp('sleep', ['sleep', '1000'])"
    try:
        async with host.open(tag, Limits()) as sandbox:
            refused = await sandbox.exec(["python3", "-c", become], timeout=60)
        async with host.open(tag, Limits(capabilities=("SETUID",))) as sandbox:
            # What became another user is ended like all else.
            became = await sandbox.exec(["python3", "-uc", become], timeout=1)
            left = await sandbox.exec(
                ["sh", "-c", "stat -c %u /proc/[0-9]* | grep -xc 1000"], timeout=60
            )
    finally:
        await host.call(host.client.images.remove, tag)
    assert b"not permitted" in refused.stderr
    assert (became.stdout, became.killed_for) == (b"1000\n", "deadline")
    assert left.stdout == b"0\n"


@pytest.mark.docker
@pytest.mark.usefixtures("base_image")
async def test_an_engine_that_can_do_all_has_no_shortcoming() -> None:
    found = await shortcomings(IMAGE)
    # Whoever may not read the engine's storage hears of that alone.
    assert all("storage" in sentence for sentence in found)


def test_what_can_change_a_verdict_is_in_the_digest_of_limits() -> None:
    usual = Limits()
    others = [
        Limits(memory_bytes=1),
        Limits(cpus=2),
        Limits(pids=1),
        Limits(disk_bytes=1),
        Limits(output_bytes=1),
        Limits(network=True),
        Limits(capabilities=("SETUID",)),
    ]
    digests = {one.digest for one in (usual, *others)}
    assert len(digests) == len(others) + 1
    assert usual.digest == Limits(lifetime=1).digest == ""
