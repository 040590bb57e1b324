"""Patches that attack the host stay within their limits, and what comes after them is unharmed."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import psutil
import pytest
import pytest_asyncio

from eval.verdict import Verdict
from eval.verifier import Verifier
from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from sandbox.sandbox import MIB, Limits
from tasks.task import Task
from tests.attacks.attack import in_package, in_setup
from tests.attacks.patches import Link, diff
from tests.attacks.victims import FIX, PYTEST

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("docker_engine"),
    # One host for all: what an attack leaves behind would be met by those after it.
    pytest.mark.asyncio(loop_scope="module"),
]

LIMITS = Limits(memory_bytes=256 * MIB, pids=64, disk_bytes=64 * MIB, output_bytes=MIB)
SECONDS = 15.0
# For one evaluation.
GOLD = diff(PYTEST.files, FIX)
ROOM = 200 * MIB
"""What the verifying process may grow by, beside copies of the patch: far below what runs write."""


@dataclass(slots=True)
class Place:
    """Where one hostile patch is judged, and the gold patch after it."""

    task: Task
    host: DockerHost
    verifier: Verifier
    run_id: str
    peak: int = field(default=0)

    async def judge(self, patch: str, seconds: float = SECONDS) -> Verdict:
        """Judge a patch; then see that nothing is left and that the next one is judged well."""
        before = self.peak = psutil.Process().memory_info().rss
        watching = asyncio.create_task(self._watch())
        verdict = await self.verifier.verify(with_limit(self.task, seconds), patch)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        grown = self.peak - before - 3 * len(patch)
        assert grown < ROOM, f"memory grew by {grown // MIB} MiB"
        assert await self.containers() == []
        after = await self.verifier.verify(self.task, f"{GOLD}\n# {uuid.uuid4().hex}\n")
        assert after.outcome == "resolved", after.note
        return verdict

    async def containers(self) -> list[str]:
        found = await self.host.call(
            self.host.client.api.containers,
            all=True,
            filters={"label": f"ksolve.run={self.run_id}"},
        )
        return [one["Id"] for one in found]

    async def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, psutil.Process().memory_info().rss)
            await asyncio.sleep(0.02)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(
    tmp_path_factory: pytest.TempPathFactory, docker_engine: None
) -> AsyncIterator[Place]:
    """A task whose image is there, and a verifier that knows it."""
    task = PYTEST.task(tmp_path_factory.mktemp("victims"))
    task = with_limit(task, SECONDS)
    run_id = f"test-{uuid.uuid4().hex}"
    async with DockerHost(run_id=run_id) as host:
        await ensure_image(host, task.issue.image, task.build, lambda _: None)
        verifier = Verifier(host, limits=LIMITS, workers=1)
        # What is learnt of the task without a candidate is not to be measured.
        assert (await verifier.verify(task, GOLD)).outcome == "resolved"
        yield Place(task, host, verifier, run_id)


def with_limit(task: Task, seconds: float) -> Task:
    return dataclasses.replace(task, oracle=dataclasses.replace(task.oracle, time_limit=seconds))


def package(code: str) -> str:
    """Run some code when the package is imported by pytest."""
    lines = "".join(f"    {line}\n" for line in code.strip("\n").split("\n"))
    return diff(PYTEST.files, in_package(f"import sys\nif 'pytest' in sys.modules:\n{lines}"))


def setup(code: str) -> str:
    """Run some code before the tests."""
    return diff(PYTEST.files, in_setup(code))


FORK = """
import os, time
def bomb():
    while True:
        try:
            if os.fork() == 0:
                os.setsid()
        except OSError:
            time.sleep(0.01)
"""
HOG = "kept = []\nwhile True:\n    kept.append(bytearray(1 << 22))"
FILL = """
import itertools
for number in itertools.count():
    with open(f"/tmp/fill{number}", "wb") as file:
        file.write(bytes(1 << 20))
"""
OUTPUT = """
import os
log = os.open(f"/proc/{os.getppid()}/fd/1", os.O_WRONLY)  # past pytest, which would keep it
piece = b"x" * ((1 << 20) - 1) + b"\\n"
for _ in range(2048):
    left = piece
    while left:
        left = left[os.write(log, left):]
"""
OUTLIVE = """
import os, signal, time
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(1, 65):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            while True:
                with open("/tmp/alive", "a") as file:
                    file.write("x")
                time.sleep(0.01)
        os._exit(0)
"""
WAY_OUT = """
import socket
def way_out():
    for family, address in (
        (socket.AF_INET, ("1.1.1.1", 53)),
        (socket.AF_INET, ("172.17.0.1", 22)),
        (socket.AF_INET6, ("2606:4700:4700::1111", 53)),
    ):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as made:
                made.settimeout(2)
                made.connect(address)
            return True
        except ConnectionRefusedError:
            return True
        except OSError:
            pass
    try:
        socket.getaddrinfo("example.org", 443)
        return True
    except OSError:
        return False
"""
MEND = f"open('/testbed/spans/units.py', 'w').write({FIX['spans/units.py']!r})"


@pytest.mark.parametrize(
    "patch",
    [setup(f"{FORK}\nbomb()"), package(f"{FORK}\nbomb()")],
    ids=["in-the-preparation", "in-the-tests"],
)
async def test_fork_bomb(place: Place, patch: str) -> None:
    verdict = await place.judge(patch)
    assert verdict.outcome in ("timeout", "unresolved", "tampered")
    assert verdict.note


@pytest.mark.parametrize(
    "patch", [setup(HOG), package(HOG)], ids=["in-the-preparation", "in-the-tests"]
)
async def test_memory_hog_is_named(place: Place, patch: str) -> None:
    verdict = await place.judge(patch)
    assert verdict.outcome == "unresolved"
    assert "memory" in verdict.note


@pytest.mark.parametrize(
    "patch", [setup(FILL), package(FILL)], ids=["in-the-preparation", "in-the-tests"]
)
async def test_disk_filler_is_named(place: Place, patch: str) -> None:
    verdict = await place.judge(patch)
    assert verdict.outcome == "unresolved"
    assert "disk" in verdict.note


@pytest.mark.parametrize(
    "patch",
    [setup(OUTPUT), package(OUTPUT)],
    ids=["in-the-preparation", "in-the-tests"],
)
async def test_gigabytes_of_output_are_read_and_dropped(place: Place, patch: str) -> None:
    verdict = await place.judge(patch)
    assert verdict.outcome in ("unresolved", "timeout")
    assert "output" in verdict.note or verdict.outcome == "timeout"
    assert len(verdict.log) < 4 * MIB


async def test_flood_of_every_descriptor(place: Place) -> None:
    code = """
import os
for number in os.listdir("/proc/self/fd"):
    try:
        for _ in range(64):
            os.write(int(number), b"x" * (1 << 20))
    except OSError:
        pass
"""
    verdict = await place.judge(package(code))
    assert verdict.outcome in ("unresolved", "tampered", "timeout")
    assert len(verdict.log) < 4 * MIB


async def test_endless_loop_is_a_timeout(place: Place) -> None:
    verdict = await place.judge(package("while True: pass"), seconds=6.0)
    assert verdict.outcome == "timeout"
    assert "6 s" in verdict.note


@pytest.mark.parametrize(
    "patch", [setup(OUTLIVE), package(OUTLIVE)], ids=["in-the-preparation", "in-the-tests"]
)
async def test_processes_do_not_outlive_the_run(place: Place, patch: str) -> None:
    verdict = await place.judge(patch)
    assert verdict.outcome == "unresolved"


@pytest.mark.parametrize(
    "patch",
    [
        setup(f"{WAY_OUT}\nif way_out():\n    {MEND}"),
        package(f"{WAY_OUT}\nif way_out():\n    {MEND}"),
    ],
    ids=["in-the-preparation", "in-the-tests"],
)
async def test_there_is_no_network(place: Place, patch: str) -> None:
    verdict = await place.judge(patch)
    assert verdict.outcome in ("unresolved", "tampered")


def new_file(path: str, text: str = "x\n") -> str:
    """A patch that makes a file, at a path that `diff` would not be asked for."""
    return f"--- /dev/null\n+++ {path}\n@@ -0,0 +1 @@\n+{text}"


ESCAPES = {
    "above": new_file("b/../../tmp/escaped"),
    "far-above": new_file("b/" + "../" * 20 + "tmp/escaped"),
    "absolute": new_file("/tmp/escaped"),
    "absolute-below": new_file("b//tmp/escaped"),
    "git-hook": new_file("b/.git/hooks/post-checkout"),
    "git-hook-in-capitals": new_file("b/.GIT/hooks/post-checkout"),
    "git-hook-the-long-way": new_file("b/spans/../.git/hooks/post-checkout"),
    "above-in-gits-form": "diff --git a/../../tmp/escaped b/../../tmp/escaped\n"
    "new file mode 100644\n" + new_file("b/../../tmp/escaped"),
    "renamed-out": "diff --git a/README.md b/../escaped\nsimilarity index 100%\n"
    "rename from README.md\nrename to ../escaped\n",
}


@pytest.mark.parametrize("patch", ESCAPES.values(), ids=ESCAPES)
async def test_patch_stays_in_the_work_tree(place: Place, patch: str) -> None:
    verdict = await place.judge(patch)
    assert verdict.outcome in ("not_applied", "unresolved")
    # What did apply, applied inside.
    seen = await files_after(place, patch)
    assert not [path for path in seen if path in ("/tmp/escaped", "/escaped")]
    assert not [path for path in seen if path.endswith("/post-checkout")]


async def files_after(place: Place, patch: str) -> list[str]:
    """Return the files that a patch leaves where it is applied, seen from outside."""
    from sandbox.patch import apply_patch

    async with place.host.open(place.task.issue.image, LIMITS) as sandbox:
        await apply_patch(sandbox, patch, place.task.issue.workdir)
        return [str(path) for path in await sandbox.changes()]


@pytest.mark.parametrize("target", ["/tmp", "/etc", "../../tmp", ".git/hooks", "/proc/1"])
async def test_patch_does_not_write_through_its_own_link(place: Place, target: str) -> None:
    patch = diff(PYTEST.files, {"way": Link(target)}) + new_file("b/way/escaped")
    verdict = await place.judge(patch)
    assert verdict.outcome in ("not_applied", "unresolved")
    seen = await files_after(place, patch)
    assert not [path for path in seen if path.endswith("/escaped") and "/way/" not in path]


LINKS = {
    "host-file": {"pyproject.toml": Link("/etc/shadow")},
    "device": {"pyproject.toml": Link("/dev/zero"), "setup.cfg": Link("/dev/zero")},
    "loop": {"pyproject.toml": Link("pyproject.toml"), "tests/conftest.py": Link("conftest.py")},
    "test-file": {"tests/test_parse.py": Link("/proc/self/mem")},
    "package": {"spans/units.py": Link("/dev/zero")},
}


@pytest.mark.parametrize("name", LINKS)
async def test_links_in_the_place_of_files(place: Place, name: str) -> None:
    verdict = await place.judge(diff(PYTEST.files, LINKS[name]))
    assert verdict.outcome in ("unresolved", "tampered", "timeout")


async def test_pipes_and_sparse_giants_in_the_place_of_files(place: Place) -> None:
    code = """
import os
for path in ("pyproject.toml", "setup.cfg", "tests/conftest.py"):
    os.remove(path)
os.mkfifo("pyproject.toml")
os.mkfifo("tests/conftest.py")
with open("setup.cfg", "w") as file:
    os.truncate("setup.cfg", 20 << 20)
"""
    verdict = await place.judge(setup(code))
    assert verdict.outcome in ("unresolved", "tampered", "timeout")


async def test_a_hundred_thousand_files(place: Place) -> None:
    code = """
import os
os.makedirs("/testbed/many")
for number in range(100_000):
    os.close(os.open(f"/testbed/many/{number}", os.O_CREAT | os.O_WRONLY))
"""
    verdict = await place.judge(setup(code))
    assert verdict.outcome in ("unresolved", "timeout")


async def test_odd_names(place: Place) -> None:
    code = """
import os
for name in (b"\\xff\\xfe.pyc", b"a\\nb.pyc", b"conftest.py\\r", b"-rf", b"$(id)", b"*"):
    open(b"/testbed/" + name, "w").close()
    os.makedirs(b"/testbed/folder" + name)
    open(b"/testbed/folder" + name + b"/conftest.py", "w").close()
"""
    verdict = await place.judge(setup(code))
    assert verdict.outcome in ("unresolved", "tampered")


async def test_folders_deeper_than_a_path_may_be_long(place: Place) -> None:
    code = """
import os
for _ in range(1500):
    os.mkdir("deep")
    os.chdir("deep")
open("conftest.py", "w").close()
os.chdir("/testbed")
"""
    verdict = await place.judge(setup(code))
    assert verdict.outcome in ("unresolved", "tampered")


def lines(count: int) -> Iterator[str]:
    return (f"+{number}\n" for number in range(count))


async def test_million_line_diff_that_applies(place: Place) -> None:
    count = 1_000_000
    patch = f"--- /dev/null\n+++ b/long.txt\n@@ -0,0 +1,{count} @@\n" + "".join(lines(count))
    verdict = await place.judge(patch)
    assert verdict.outcome == "unresolved"


async def test_million_line_diff_that_does_not_fit(place: Place) -> None:
    count = 1_000_000
    head = f"--- a/long.txt\n+++ b/long.txt\n@@ -1 +1,{count} @@\n-no such line\n"
    verdict = await place.judge(head + "".join(lines(count)))
    assert verdict.outcome == "not_applied"
    assert verdict.note


async def test_diff_of_many_files(place: Place) -> None:
    patch = "".join(new_file(f"b/many/{number}.txt") for number in range(5_000))
    verdict = await place.judge(patch)
    assert verdict.outcome in ("unresolved", "not_applied", "timeout")


async def test_patch_larger_than_the_disk_limit(place: Place) -> None:
    line = "+" + "x" * 1_000_000 + "\n"
    patch = "--- /dev/null\n+++ b/large.txt\n@@ -0,0 +1,80 @@\n" + line * 80
    verdict = await place.judge(patch)
    assert verdict.outcome in ("not_applied", "unresolved")
    assert "disk" in verdict.note


BINARIES = {
    "not-to-be-applied": "diff --git a/x.bin b/x.bin\nnew file mode 100644\n"
    "Binary files /dev/null and b/x.bin differ\n",
    "bomb": "diff --git a/x.bin b/x.bin\nnew file mode 100644\nindex 0000000..1111111\n"
    "GIT binary patch\nliteral 4294967295\nzcmZQzKm\n\n",
    "garbage": "".join(map(chr, range(1, 256))) * 1000,
    "nul": "--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+\0\0\0\n",
    "surrogates": "--- /dev/null\n+++ b/\udcff\n@@ -0,0 +1 @@\n+\ud800\udcff\n",
}


@pytest.mark.parametrize("patch", BINARIES.values(), ids=BINARIES)
async def test_binary_patches(place: Place, patch: str) -> None:
    verdict = await place.judge(patch)
    assert verdict.outcome in ("not_applied", "unresolved")
