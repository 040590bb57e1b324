"""Verdicts survive what happens to an engine: each is given once, and no fault becomes one.

The engine is one of the test's own, with a folder and a socket of its own, so that it may be
killed and started again without harm to anybody else's.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from agent.backend import Usage
from agent.strategy import Proposal
from eval.observer import Observer
from eval.plan import Plan
from eval.sample import Sample, SampleKey
from eval.store import Store
from eval.sweep import Sweep
from eval.verdict import Verdict
from eval.verifier import Verifier
from sandbox.bootstrap import base_tag
from sandbox.docker import DockerHost
from sandbox.engine import program
from sandbox.sandbox import SandboxError
from tasks.task import EXIT_CODE_PARSER, Issue, Oracle, Task

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("base_image"),
    # The docker package leaves the sockets of an engine that died to the collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

IMAGE = base_tag()
MANY, WORKERS = 150, 8
# Seconds that an engine has for one command; some versions lock themselves up under load.
PATIENCE = 120


def task(seconds: float) -> Task:
    lines = (
        ": '>>>>> Start Test Output'",
        f"sleep {seconds}; grep -q right words/answer.txt",
        ": '>>>>> End Test Output'",
    )
    return Task(
        issue=Issue(id="t", statement="s", repo="r", base_commit="c", image=IMAGE),
        oracle=Oracle(
            eval_script="\n".join(lines),
            fail_to_pass=("grep",),
            pass_to_pass=(),
            log_parser=EXIT_CODE_PARSER,
            time_limit=60,
        ),
    )


def answer(number: int) -> str:
    """A patch unlike every other; every third is right."""
    word = "right" if number % 3 == 0 else "wrong"
    return f"--- /dev/null\n+++ b/words/answer.txt\n@@ -0,0 +1 @@\n+{word} {number}\n"


class Engine:
    """A dockerd that can be ended and started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix://{folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        folder = self.folder
        folders = {"--data-root": "data", "--exec-root": "exec", "--pidfile": "pid"}
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    # A network of its own: without one it would remove the other engine's bridge.
                    *("unshare", "--net", program("dockerd") or "dockerd"),
                    *(f"{option}={folder / name}" for option, name in folders.items()),
                    *("--host", self.address, "--bridge=none", "--iptables=false"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 60
        while self.docker("info", check=False).returncode != 0:
            assert time.monotonic() < end, (folder / "log").read_text()[-2000:]
            time.sleep(0.2)

    def kill(self) -> None:
        """End it as a crash or a restart does: at once, and its containers with it."""
        if self._process is None:
            return
        children = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        self._process.wait()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, timeout=10)
        self._process = None

    def docker(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "--host", self.address, *words],
            capture_output=True,
            text=True,
            check=check,
            timeout=PATIENCE,
        )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if os.geteuid() != 0 or program("dockerd") is None:
        pytest.skip("an engine of the test's own needs root and dockerd")
    folder = tmp_path_factory.mktemp("engine")
    engine = Engine(folder)
    disk = folder / "data"
    disk.mkdir()
    # A disk of its own, small enough to be filled.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "none", disk], check=True)
    try:
        engine.start()
        with subprocess.Popen(["docker", "save", IMAGE], stdout=subprocess.PIPE) as saved:
            load = ["docker", "--host", engine.address, "load", "--quiet"]
            subprocess.run(load, stdin=saved.stdout, stdout=subprocess.DEVNULL, check=True)
        yield engine
    finally:
        # One that does not answer any more is ended with what it holds.
        with contextlib.suppress(subprocess.TimeoutExpired):
            engine.docker("rm", "-f", *engine.docker("ps", "-aq").stdout.split(), check=False)
        engine.kill()
        # Once more for what the engine mounted over it.
        while os.path.ismount(disk):
            subprocess.run(["umount", "-R", disk], check=True)


@pytest.fixture
async def host(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DockerHost]:
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    async with DockerHost(run_id="survives") as host:
        yield host
    # Now, and not in the middle of a test that does not expect it.
    gc.collect()


class Counting(Observer):
    """Counts verdicts and failures, and calls for trouble at one of them."""

    def __init__(self, at: int = -1, trouble: asyncio.Event | None = None) -> None:
        self.verdicts: dict[SampleKey, list[str]] = {}
        self.failures = 0
        self._at, self._trouble = at, trouble

    def verified(self, key: SampleKey, verdict: Verdict, *, reused: bool) -> None:
        self.verdicts.setdefault(key, []).append(verdict.outcome)
        if len(self.verdicts) == self._at and self._trouble is not None:
            self._trouble.set()

    def failed(self, failure: object) -> None:
        self.failures += 1


def store_with(folder: Path, patches: int) -> Store:
    store = Store(folder)
    for number in range(patches):
        key = SampleKey(task_id="t", model="m", strategy="s", index=number)
        proposal = Proposal(
            patch=answer(number),
            stop="patch",
            note="",
            usage=Usage(),
            seconds=0.0,
            prompt_digest="",
            trajectory=(),
        )
        store.add_sample(
            Sample(
                key=key,
                proposal=proposal,
                strategy_version="1",
                seed=None,
                temperature=0.0,
                cost=0.0,
            )
        )
    return store


def assert_each_once(store: Store, seen: Counting, patches: int) -> None:
    assert len(seen.verdicts) == patches
    assert all(len(outcomes) == 1 for outcomes in seen.verdicts.values())
    outcomes = {row.index: row.outcome for row in store.rows()}
    assert outcomes == {
        number: "resolved" if number % 3 == 0 else "unresolved" for number in range(patches)
    }


def left(engine: Engine) -> list[str]:
    containers = engine.docker("ps", "-aq").stdout.split()
    return containers + engine.docker("volume", "ls", "-q").stdout.split()


async def test_an_engine_restarted_in_mid_run_costs_no_verdict(
    engine: Engine, host: DockerHost, tmp_path: Path
) -> None:
    trouble = asyncio.Event()
    seen = Counting(at=4, trouble=trouble)
    with store_with(tmp_path, 24) as store:
        sweep = Sweep(Plan(tasks=[task(0.3)]), store, host, observer=seen)
        running = asyncio.create_task(sweep.run())
        await trouble.wait()
        await asyncio.to_thread(engine.kill)
        await asyncio.sleep(2)
        await asyncio.to_thread(engine.start)
        await running
        assert_each_once(store, seen, 24)
        assert seen.failures == 0
    assert left(engine) == []


async def test_a_container_removed_from_outside_is_judged_again(
    engine: Engine, host: DockerHost, tmp_path: Path
) -> None:
    trouble = asyncio.Event()
    seen = Counting(at=2, trouble=trouble)
    with store_with(tmp_path, 10) as store:
        running = asyncio.create_task(
            Sweep(Plan(tasks=[task(0.5)]), store, host, observer=seen).run()
        )
        await trouble.wait()
        names = (await asyncio.to_thread(engine.docker, "ps", "-q")).stdout.split()
        assert names
        await asyncio.to_thread(engine.docker, "rm", "-f", *names, check=False)
        await running
        assert_each_once(store, seen, 10)
    assert left(engine) == []


async def test_an_engine_whose_disk_is_full_gives_no_verdict(
    engine: Engine, host: DockerHost
) -> None:
    filler = engine.folder / "data" / "filler"

    def fill() -> None:
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

    await asyncio.to_thread(fill)
    try:
        with pytest.raises(SandboxError):
            await Verifier(host).verify(task(0), answer(0))
    finally:
        filler.unlink()
    assert (await Verifier(host).verify(task(0), answer(0))).outcome == "resolved"
    assert left(engine) == []


async def test_many_verifications_at_once_each_give_one_verdict(
    engine: Engine, host: DockerHost, tmp_path: Path
) -> None:
    seen = Counting()
    me = psutil.Process()
    with store_with(tmp_path, MANY) as store:
        before = me.memory_info().rss
        await Sweep(Plan(tasks=[task(0)]), store, host, observer=seen, workers=WORKERS).run()
        assert_each_once(store, seen, MANY)
        assert seen.failures == 0
        assert me.memory_info().rss - before < 200 * 1024 * 1024
    assert left(engine) == []
    assert not [child for child in me.children() if child.name() in {"sleep", "grep"}]
