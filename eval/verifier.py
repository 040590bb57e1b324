"""Verdicts on demand: each is computed once for all that it depends on, whoever asks and when.

A verdict that is known (to this process, or to the machine's cache) is given again; equal patches
under way at the same time wait for one verification. Before the first candidate of a task its
baseline is learnt. Faults of the sandbox are tried again a few times, then raised.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar
from weakref import WeakValueDictionary

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential_jitter

from eval.baseline import Baseline, baseline_key, learn
from eval.cache import VerdictCache
from eval.flaky import FLAKY_RUNS, Findings, decided, majority
from eval.grading import statuses
from eval.hurry import proved
from eval.suspicions.evidence import may_tell, suspicions_of_run
from eval.suspicions.find import suspicions_of_patch
from eval.suspicions.suspicion import Suspicion
from eval.verdict import Verdict, verdict_key
from eval.verify import REST_NOT_RUN, verify
from sandbox.sandbox import (
    HostDownError,
    ImageMissingError,
    ImageUnfitError,
    Limits,
    SandboxError,
    SandboxHost,
    TakenOverError,
)
from tasks.task import Resources, Task

AHEAD = 2
"""Verifications under way for each that may run its tests: the others' containers start or end."""

_ATTEMPTS = 3
_PATIENCE = 60.0
# Seconds from the first attempt in which a host that does not answer may come back.
_LATEST = 64
# Verdicts kept in memory, with their logs.

T = TypeVar("T")


class Verifier:
    """Judges patches on one host, `workers` of them at a time; ask for `AHEAD` times as many."""

    def __init__(
        self,
        sandboxes: SandboxHost,
        *,
        limits: Limits | None = None,
        workers: int = 2,
        cache: VerdictCache | None = None,
        fresh: bool = False,
        exact: bool = False,
        flaky: Findings | None = None,
        flaky_runs: int = FLAKY_RUNS,
        resources: Resources | None = None,
        on_learning: Callable[[Task], None] | None = None,
    ) -> None:
        """Judge with no more than `workers` test runs at once.

        `cache` is what other runs on this machine found, which `fresh` does not read, only write;
        `exact` runs all tests of every patch,
        in the order of the suite, even where FAIL_TO_PASS alone has been shown to decide; a
        verdict on a task that `flaky` knows is the majority of `flaky_runs`. `resources` are what
        `sandboxes` give to every task, whatever it asks for itself. `on_learning` is told of each
        task that is evaluated without a candidate.
        """
        self._sandboxes = sandboxes
        self._limits = limits or Limits()
        self._turns = asyncio.Semaphore(workers)
        self._cache = cache
        self._fresh_only = fresh
        self._exact = exact
        self._flaky = flaky or Findings()
        self._flaky_runs = flaky_runs
        self._resources = resources or Resources()
        self._on_learning = on_learning
        self._digests: dict[str, str] = {}
        self._latest: OrderedDict[str, Verdict] = OrderedDict()
        # For those who ask before the one who asked first has written it down.
        self._baselines: dict[str, Baseline] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def verify(self, task: Task, patch: str) -> Verdict:
        """Judge one patch. Raises SandboxError."""
        verdict, _ = await self.judge(task, patch, await self.key(task, patch))
        return verdict

    async def key(self, task: Task, patch: str) -> str:
        """Return the key that the verdict on a patch is kept under. Raises SandboxError."""
        digest = await self._digest(task)
        of_patch = await asyncio.to_thread(verdict_key, digest, patch, task.oracle)
        key = self._limited(of_patch, task)
        if not self._changes_its_mind(task):
            return key
        return hashlib.sha256(f"{key} majority of {self._flaky_runs}".encode()).hexdigest()

    async def judge(self, task: Task, patch: str, key: str) -> tuple[Verdict, bool]:
        """Judge one patch whose key is known; tell whether its verdict was known, too.

        Raises SandboxError.
        """
        async with self._lock(key):
            known = await self._recall(key)
            if known is not None:
                # An earlier version looked for none.
                return known if known.suspicions else await _suspected(task, patch, known), True
            baseline = await self._baseline(task) if patch.strip() else None
            verdict = await self._fresh(task, patch, baseline)
            verdict = await _suspected(task, patch, verdict)
            # A deadline may say more of a busy machine than of the patch, and a runner that could
            # not be watched this time may be the next: then it is for this run only.
            settled = baseline is None or baseline.settled
            if self._cache is not None and settled and verdict.outcome != "timeout":
                await asyncio.to_thread(self._cache.add_verdict, key, verdict)
            self._latest[key] = verdict
            while len(self._latest) > _LATEST:
                self._latest.popitem(last=False)
            return verdict, False

    async def prove(self, task: Task) -> bool:
        """Find out, and keep, whether FAIL_TO_PASS alone decides on patches that fail one.

        Raises SandboxError.
        """
        key = self._limited(baseline_key(await self._digest(task), task.oracle), task)
        baseline = await self._baseline(task)
        async with self._lock(key):
            baseline = await proved(task, baseline, self._sandboxes, self._limits_of(task))
            if self._cache is not None:
                await asyncio.to_thread(self._cache.add_baseline, key, baseline)
            self._baselines[key] = replace(baseline, hurry=baseline.hurry and not self._exact)
        return baseline.hurry

    def _limits_of(self, task: Task) -> Limits:
        """Return what the sandboxes of a task may use: what the run says wins."""
        asked = self._limits.with_resources(task.issue.resources)
        return asked.with_resources(self._resources)

    def _limited(self, key: str, task: Task) -> str:
        """Return the key of the same under the limits of its task."""
        digest = self._limits_of(task).digest
        return hashlib.sha256(f"{key} {digest}".encode()).hexdigest() if digest else key

    async def _digest(self, task: Task) -> str:
        image = task.issue.image
        if image not in self._digests:
            self._digests[image] = await self._sandboxes.image_digest(image)
        return self._digests[image]

    async def _fresh(self, task: Task, patch: str, baseline: Baseline | None) -> Verdict:
        """Judge a patch that nothing is known of."""
        runs = self._flaky_runs if self._changes_its_mind(task) else 1
        verdicts: list[Verdict] = []
        while not decided(verdicts, runs):
            try:
                verdict = await _patiently(
                    lambda: verify(
                        task,
                        patch,
                        self._sandboxes,
                        self._limits_of(task),
                        baseline=baseline,
                        turns=self._turns,
                    )
                )
            except TakenOverError as error:
                # Once may be a machine that slept meanwhile. Time and again, it is the candidate.
                verdict = Verdict(outcome="tampered", note=str(error))
            verdicts.append(verdict)
        return majority(verdicts, runs=runs)

    def _changes_its_mind(self, task: Task) -> bool:
        finding = self._flaky.of(self._digests[task.issue.image], task.oracle)
        return finding is not None and finding.flaky

    async def _recall(self, key: str) -> Verdict | None:
        if key in self._latest:
            return self._latest[key]
        if self._cache is None or self._fresh_only:
            return None
        known = await asyncio.to_thread(self._cache.verdict, key)
        if known is not None and self._exact and REST_NOT_RUN in known.note:
            return None
        return known

    async def _baseline(self, task: Task) -> Baseline:
        """Return what is known of a task without a candidate; learn it where nothing is."""
        key = self._limited(baseline_key(await self._digest(task), task.oracle), task)
        async with self._lock(key):
            if key not in self._baselines:
                known = None
                if self._cache is not None and not self._fresh_only:
                    known = await asyncio.to_thread(self._cache.baseline, key)
                if known is None:
                    limits = self._limits_of(task)
                    async with self._turns:
                        if self._on_learning is not None:
                            self._on_learning(task)
                        known = await _patiently(lambda: learn(task, self._sandboxes, limits))
                    if self._cache is not None and known.settled:
                        await asyncio.to_thread(self._cache.add_baseline, key, known)
                self._baselines[key] = replace(known, hurry=known.hurry and not self._exact)
        return self._baselines[key]

    def _lock(self, key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())


async def _suspected(task: Task, patch: str, verdict: Verdict) -> Verdict:
    """Return a verdict with what is suspicious in the patch and in the log of its run."""
    if verdict.outcome == "not_applied":
        return verdict
    found = await asyncio.to_thread(_in_patch, task, patch)
    found = (*verdict.suspicions, *found, *await _in_run(task, verdict))
    return replace(verdict, suspicions=found)


def _in_patch(task: Task, patch: str) -> tuple[Suspicion, ...]:
    """Return what is suspicious in a patch."""
    oracle = task.oracle
    return suspicions_of_patch(
        patch,
        statement=task.issue.statement,
        tests=[oracle.test_patch or oracle.eval_script],
        judges=(*oracle.fail_to_pass, *oracle.pass_to_pass),
    )


async def _in_run(task: Task, verdict: Verdict) -> tuple[Suspicion, ...]:
    """Return what is suspicious in the log of a resolved patch."""
    if verdict.outcome != "resolved" or not may_tell(verdict.log):
        return ()
    found = await asyncio.to_thread(statuses, task, verdict.log)
    return suspicions_of_run(task.oracle.fail_to_pass, found)


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Try again what fails through a fault of the sandbox that may pass."""

    def passing(error: BaseException) -> bool:
        lasting = ImageMissingError | ImageUnfitError
        return isinstance(error, SandboxError) and not isinstance(error, lasting)

    def enough(state: RetryCallState) -> bool:
        if state.outcome is not None and isinstance(state.outcome.exception(), HostDownError):
            return (state.seconds_since_start or 0.0) > _PATIENCE
        return state.attempt_number >= _ATTEMPTS

    async for attempt in AsyncRetrying(
        retry=retry_if_exception(passing),
        stop=enough,
        wait=wait_exponential_jitter(multiplier=0.5, max=5.0, jitter=0.5),
        reraise=True,
    ):
        with attempt:
            return await call()
    raise AssertionError("tenacity either returns or raises")
