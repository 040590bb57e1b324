"""One verification: a fresh sandbox, the patch, the oracle's tests, a verdict.

The patch is applied and the script's own preparation runs; then everything that steers the tests
is put back to what it is without the candidate, and the tests run under a witness. A verdict is
`resolved` when the log says so by SWE-bench's rules and nothing that was learnt of the task
without a candidate (`eval.baseline`) speaks against it. The sandbox has no network unless the
task asks for it. Faults of the sandbox are raised as SandboxError and are never verdicts.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Mapping
from pathlib import PurePosixPath

from eval.baseline import LIFETIME_SLACK, TURNS, Baseline, file_in, startup_texts, without
from eval.evidence import Evidence, read_evidence
from eval.grading import Grade, grade, grade_output
from eval.protected import (
    MIXED_FILES,
    loads_more,
    runner_settings,
    shadowing,
    stands_before,
    steers_runner,
    tampering,
)
from eval.stages import TOO_LARGE, Orders, Prepared, Ran, prepare, run_tests, split
from eval.verdict import Verdict
from sandbox.patch import check_patch
from sandbox.sandbox import MIB, Change, ExecResult, Limits, Sandbox, SandboxHost
from tasks.task import END_MARKER, EXIT_CODE_PARSER, START_MARKER, Task

REST_NOT_RUN = "PASS_TO_PASS was not run"
"""Noted of a patch that FAIL_TO_PASS alone decided."""

_MARKERS = (START_MARKER, END_MARKER, ">>>>> Test Exit Code")
_SHOWN = 3


async def verify(
    task: Task,
    patch: str,
    sandboxes: SandboxHost,
    limits: Limits | None = None,
    *,
    baseline: Baseline | None = None,
    turns: asyncio.Semaphore | None = None,
) -> Verdict:
    """Judge one patch; a blank one is `no_patch` without a run. Raises SandboxError."""
    if not patch.strip():
        return Verdict(outcome="no_patch")
    return await evaluate(task, patch, sandboxes, limits, baseline=baseline, turns=turns)


async def evaluate(
    task: Task,
    patch: str,
    sandboxes: SandboxHost,
    limits: Limits | None = None,
    *,
    baseline: Baseline | None = None,
    turns: asyncio.Semaphore | None = None,
) -> Verdict:
    """Run the oracle's tests over the patched tree; "" is the base commit as it is.

    Without a baseline the log is taken at its word, as it may be of a patch that we trust. A
    verification waits for its turn when its container stands, so that the next one's is started
    meanwhile. Raises SandboxError.
    """
    limits = dataclasses.replace(
        limits or Limits(),
        network=task.issue.network,
        # Others may run their tests first.
        lifetime=TURNS * task.oracle.time_limit + LIFETIME_SLACK,
    )
    async with sandboxes.open(task.issue.image, limits) as sandbox, turns or asyncio.Semaphore():
        started = time.monotonic()
        run = _Run(task, baseline or Baseline(script=split(task.oracle)), sandbox)
        verdict = await run.verdict(patch)
        return dataclasses.replace(verdict, seconds=time.monotonic() - started)


class _Run:
    """One verification in its sandbox."""

    def __init__(self, task: Task, baseline: Baseline, sandbox: Sandbox) -> None:
        self.task = task
        self.baseline = baseline
        self.sandbox = sandbox
        self.workdir = task.issue.workdir
        self.limit = task.oracle.time_limit
        self.set_aside: list[PurePosixPath] = []

    async def verdict(self, patch: str) -> Verdict:
        script = self.baseline.script
        # The tests come with the tree that is put back; without one, by the script.
        before = script.safe if self.baseline.tree else script.before
        prepared = await prepare(
            self.sandbox, patch, before, workdir=self.workdir, timeout=self.limit
        )
        if prepared.patch is not None and not prepared.patch.ok:
            return Verdict(
                outcome="not_applied",
                note=_why_not_applied(patch, prepared),
                log=prepared.patch.log,
            )
        if prepared.shell is None:
            return self._stopped(prepared.result, prepared.log, "the tests were not reached")
        changes = await self.sandbox.changes()
        tampered = await self._tampering(changes) if self._is_watched else []
        if tampered:
            return Verdict(outcome="tampered", note=_changed(tampered), log=prepared.log)
        orders = await self._orders(changes)
        left = self.limit - prepared.result.seconds
        tested = await run_tests(
            self.sandbox,
            script,
            # Never the candidate's word on what the shell is.
            self.baseline.shell or prepared.shell,
            orders,
            workdir=self.workdir,
            timeout=max(left, 1),
        )
        log = f"{prepared.log}\n{START_MARKER}\n{tested.log}\n{END_MARKER}\n"
        if tested.exit_code is None:
            return self._stopped(tested.result, log, "the tests were ended from inside")
        changes = await self.sandbox.changes() if self._is_watched else {}
        verdict = await asyncio.to_thread(self._judge, tested, changes)
        notes = [
            "memory ran out" if prepared.out_of_memory or tested.out_of_memory else "",
            "output past its limit was dropped"
            if prepared.result.truncated or tested.result.truncated
            else "",
            f"applied by {prepared.patch.how}" if prepared.patch else "",
            f"without its changes of {_some(self.set_aside)}" if self.set_aside else "",
            verdict.note,
        ]
        note = "; ".join(note for note in notes if note)
        return dataclasses.replace(verdict, note=note, log=log)

    @property
    def _is_watched(self) -> bool:
        """Whether anything is known of the task to hold the candidate against."""
        return bool(self.baseline.before_tests)

    async def _tampering(self, changes: Mapping[PurePosixPath, Change]) -> list[PurePosixPath]:
        """Return what a candidate changed before the tests that is none of its business."""
        found = tampering(changes, self.baseline.before_tests, self.workdir)
        usual = dict(self.baseline.startup)
        texts = await startup_texts(self.sandbox, changes, self.workdir)
        return found + [
            path
            for path, text in texts.items()
            if text != usual.get(path) and loads_more(path, text)
        ]

    async def _orders(self, changes: Mapping[PurePosixPath, Change]) -> Orders:
        """Decide what is put back before the tests: nothing, if nothing is known of the task."""
        baseline, kept, gone = self.baseline, set(), []
        own = {
            path.relative_to(self.workdir): change
            for path, change in changes.items()
            if path.is_relative_to(self.workdir) and path not in baseline.before_tests
        }
        added = {name for name, change in own.items() if change == "added"}
        in_the_way = shadowing(added)
        if self._is_watched:
            gone += [path for path in changes if path.suffix == ".pyc"]
        for name, change in own.items() if self._is_watched else ():
            path = self.workdir / name
            if (
                steers_runner(name)
                or (name.parts[:1] and name.parts[0] in in_the_way)
                or (name in added and stands_before(name, baseline.guarded))
            ):
                if path.suffix != ".pyc":
                    self.set_aside.append(name)
                if change == "added":
                    gone.append(path)
            elif name.name in MIXED_FILES:
                if await self._keeps_settings(name):
                    kept.add(name)
                elif change == "added":
                    gone.append(path)
        gone += [self.workdir / name for name in baseline.absent]
        gone += [self.workdir / name for name in baseline.guarded if name not in kept]
        return Orders(
            tree=without(baseline.tree, kept) if kept else baseline.tree,
            guarded=[self.workdir / name for name in baseline.guarded if name not in kept],
            gone=gone,
            first=self.task.oracle.fail_to_pass,
            hurry=baseline.hurry,
            witness=baseline.witnessed,
            canaries=baseline.canaries,
        )

    async def _keeps_settings(self, name: PurePosixPath) -> bool:
        """Whether a file that a candidate changed says the same as ever to the test runner."""
        try:
            data = await self.sandbox.read(self.workdir / name, MIB)
        except FileNotFoundError:
            return False
        before = await asyncio.to_thread(file_in, self.baseline.tree, name)
        now = runner_settings(name.name, data.decode("utf-8", "replace"))
        if now == runner_settings(name.name, before or ""):
            return True
        self.set_aside.append(name)
        return False

    def _stopped(self, result: ExecResult, log: str, why: str) -> Verdict:
        if result.timed_out:
            note = f"stopped after {self.limit:g} s"
            return Verdict(outcome="timeout", note=note, log=log)
        note = f"ended by its {result.killed_for} limit" if result.killed_for else why
        return Verdict(
            outcome="unresolved",
            missing_fail_to_pass=self.task.oracle.fail_to_pass,
            missing_pass_to_pass=self.task.oracle.pass_to_pass,
            exit_code=result.exit_code,
            note=note,
            log=log,
        )

    def _judge(self, tested: Ran, changes: Mapping[PurePosixPath, Change]) -> Verdict:
        baseline = self.baseline
        said = self._grade(tested.log, tested.exit_code)
        evidence = read_evidence(tested.told, tested.secret)
        against = list(self._proofs(tested, evidence, changes))
        if said.resolved:
            against += self._doubts(tested, evidence)
        if against:
            return Verdict(
                outcome="tampered",
                missing_fail_to_pass=said.missing_fail_to_pass,
                missing_pass_to_pass=said.missing_pass_to_pass,
                exit_code=tested.exit_code,
                note="; ".join(against),
            )
        notes = [] if said.evidence else ["the log shows no test run"]
        if said.resolved and self._is_watched and not baseline.witnessed:
            notes.append("judged by its log, since nothing watches this runner")
        rest_is_missing = said.missing_pass_to_pass
        if baseline.hurry and said.missing_fail_to_pass and said.evidence:
            notes.append(REST_NOT_RUN)
            rest_is_missing = ()
        return Verdict(
            outcome="resolved" if said.resolved else "unresolved",
            missing_fail_to_pass=said.missing_fail_to_pass,
            missing_pass_to_pass=rest_is_missing,
            exit_code=tested.exit_code,
            note="; ".join(notes),
        )

    def _grade(self, output: str, exit_code: int | None) -> Grade:
        if self.baseline.script.marked:
            return grade(self.task, output)
        return grade_output(self.task, output, exit_code)

    def _proofs(
        self, tested: Ran, evidence: Evidence, changes: Mapping[PurePosixPath, Change]
    ) -> list[str]:
        """Say what only a candidate that means to deceive brings about."""
        found = []
        if not self.baseline.script.marked and any(one in tested.log for one in _MARKERS):
            found.append("the candidate printed the evaluation's own markers")
        if evidence.forged:
            found.append("the candidate wrote to the witness's channel")
        tampered = tampering(changes, self.baseline.after_tests, self.workdir)
        if tampered:
            found.append(_changed(tampered))
        return found

    def _doubts(self, tested: Ran, evidence: Evidence) -> list[str]:
        """Say why a log that shows a solution is not to be believed."""
        found, baseline = [], self.baseline
        if baseline.intact and not tested.intact:
            found.append("test files were touched while the tests ran")
        if not baseline.witnessed:
            return found
        if evidence.exit_status is None:
            found.append("the runner did not come to its end")
        elif self.task.oracle.log_parser == EXIT_CODE_PARSER:
            if evidence.any_failed:
                found.append("the runner saw tests fail")
        else:
            seen = self._grade(evidence.as_log(self.task.oracle.log_parser), tested.exit_code)
            if not seen.resolved:
                found.append("the runner did not see the tests pass that the log shows")
        if baseline.canaries and evidence.canary_failed is not True:
            found.append("a test that must fail did not")
        restored = {str(self.workdir / path) for path in baseline.guarded}
        plugins = evidence.plugins - baseline.plugins - restored
        if plugins:
            found.append(f"the candidate brought plugins along ({_some(sorted(plugins))})")
        altered = evidence.altered - baseline.altered
        if altered:
            found.append(f"the test runner was changed while it ran ({_some(sorted(altered))})")
        return found


def _why_not_applied(patch: str, prepared: Prepared) -> str:
    if prepared.result.killed_for:
        return f"applying it was ended by its {prepared.result.killed_for} limit"
    if prepared.patch is not None and TOO_LARGE.search(prepared.patch.log):
        return "applying it was ended by its disk limit"
    return check_patch(patch) or "The patch does not fit the files."


def _changed(paths: list[PurePosixPath]) -> str:
    return f"the candidate changed {_some(paths)}"


def _some(names: list[PurePosixPath] | list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(str(name) for name in names[:_SHOWN]) + more
