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

from eval.archives import joined, only, without
from eval.baseline import LIFETIME_SLACK, TURNS, Baseline
from eval.evidence import Evidence, read_evidence
from eval.grading import Grade, explain_missing, grade, grade_output
from eval.protected import MIXED_FILES, is_source, outside, steers_runner
from eval.record import changed_settings, differences, foreign_modules, new_plugins, some
from eval.stages import TOO_LARGE, Orders, Prepared, Ran, Shell, prepare, run_tests, split
from eval.verdict import Verdict
from sandbox.patch import check_patch
from sandbox.sandbox import LIMITS, Change, ExecResult, Limits, Sandbox, SandboxHost
from tasks.task import END_MARKER, EXIT_CODE_PARSER, START_MARKER, Task

REST_NOT_RUN = "PASS_TO_PASS was not run"
"""Noted of a patch that FAIL_TO_PASS alone decided."""

WITHOUT = "without its changes of "
"""Noted before the files of a patch that were put back, between commas."""

BY_EXIT_STATUS = "judged by its exit status alone, since nothing can watch this runner"
BY_LOG = "judged by its log alone, since nothing can watch this runner"

# Characters of a patch that is read in full to say what is wrong with it, which takes 30 times as
# many bytes of memory.
_EXPLAINED = 1 << 20
_MARKERS = (START_MARKER, END_MARKER, ">>>>> Test Exit Code")


def set_aside(verdict: Verdict) -> list[str]:
    """Return the files of a patch that its verdict does not speak of, by their paths."""
    parts = (part for part in verdict.note.split("; ") if part.startswith(WITHOUT))
    return [name for part in parts for name in part.removeprefix(WITHOUT).split(", ")]


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
        limits or Limits().with_resources(task.issue.resources),
        # Others may run their tests first.
        lifetime=TURNS * task.oracle.time_limit + LIFETIME_SLACK,
    )
    async with sandboxes.open(task.issue.image, limits) as sandbox, turns or asyncio.Semaphore():
        started = time.monotonic()
        run = _Run(
            task,
            baseline or Baseline(script=split(task.oracle)),
            sandbox,
            network=limits.network,
        )
        verdict = await run.verdict(patch)
        return dataclasses.replace(verdict, seconds=time.monotonic() - started)


class _Run:
    """One verification in its sandbox."""

    def __init__(self, task: Task, baseline: Baseline, sandbox: Sandbox, *, network: bool) -> None:
        self.task = task
        self.baseline = baseline
        self.sandbox = sandbox
        self.network = network
        self.workdir = task.issue.workdir
        self.limit = task.oracle.time_limit
        # Of it, for what is still to be run.
        self.left = self.limit
        # Files of the work tree whose changes do not count.
        self.set_aside: dict[PurePosixPath, None] = {}
        # Files of it that differ when the candidate's patch has been applied and built.
        self.touched: set[PurePosixPath] = set()
        # What the candidate changed there in any way, and has a say in.
        self.changed: set[PurePosixPath] = set()
        # What it took away.
        self.deleted: set[PurePosixPath] = set()

    async def verdict(self, patch: str) -> Verdict:
        script = self.baseline.script
        # The tests come with the tree that is put back; without one, by the script.
        before = script.safe if self.baseline.tree else script.before
        prepared = await prepare(
            self.sandbox,
            patch,
            before,
            workdir=self.workdir,
            timeout=self.limit,
            network=self.network,
        )
        if prepared.patch is not None and not prepared.patch.ok:
            return Verdict(
                outcome="not_applied",
                note=await asyncio.to_thread(_why_not_applied, patch, prepared),
                log=prepared.patch.log,
            )
        if prepared.shell is None:
            return self._stopped(prepared.result, prepared.log, "the tests were not reached")
        self.left = self.limit - prepared.result.seconds
        verdict, steering = await self._run_tests(prepared)
        if steering and verdict.outcome == "tampered":
            # The tests passed, steered by files that an honest patch may well change. Then they
            # pass without these changes, too.
            self.set_aside |= dict.fromkeys(steering)
            verdict, _ = await self._run_tests(prepared)
        return verdict

    @property
    def _has_baseline(self) -> bool:
        """Whether anything is known of the task to hold the candidate against."""
        return self.baseline.shell is not None

    async def _run_tests(self, prepared: Prepared) -> tuple[Verdict, set[PurePosixPath]]:
        """Run the tests once. Return what they say, and the changed files that may steer them."""
        changes = await self.sandbox.changes() if self._has_baseline else {}
        forbidden = self._forbidden(changes)
        if forbidden:
            return Verdict(outcome="tampered", note=_changed(forbidden), log=prepared.log), set()
        own = self._own(changes)
        # In a second run, what was put back for the first one differs from the image, too.
        self.touched = self.touched or set(own)
        self.deleted = {path for path, change in own.items() if change == "deleted"}
        self.changed = own.keys() - self.set_aside.keys() - set(self.baseline.guarded)
        tested = await run_tests(
            self.sandbox,
            self.baseline.script,
            # Never the candidate's word on what the shell is.
            self.baseline.shell or prepared.shell or Shell(),
            await asyncio.to_thread(self._orders, changes, own),
            workdir=self.workdir,
            timeout=max(self.left, 1),
        )
        self.left -= tested.result.seconds
        log = f"{prepared.log}\n{START_MARKER}\n{tested.log}\n{END_MARKER}\n"
        if tested.exit_code is None:
            return self._stopped(tested.result, log, "the tests were ended from inside"), set()
        forbidden = self._forbidden(await self.sandbox.changes()) if self._has_baseline else []
        evidence = await asyncio.to_thread(read_evidence, tested.told, tested.secret)
        verdict = await asyncio.to_thread(self._judge, tested, evidence, forbidden)
        put_back = [path for path in self.set_aside if path in self.touched]
        notes = [
            _limits_met(prepared.result, tested.result),
            "output past its limit was dropped"
            if prepared.result.truncated or tested.result.truncated
            else "",
            f"applied by {prepared.patch.how}" if prepared.patch else "",
            f"{WITHOUT}{', '.join(map(str, put_back))}" if put_back else "",
            verdict.note,
        ]
        note = "; ".join(note for note in notes if note)
        return dataclasses.replace(verdict, note=note, log=log), self._steering(own, evidence)

    @property
    def _usual(self) -> frozenset[PurePosixPath]:
        """Paths that change without a candidate."""
        return self.baseline.before_tests | self.baseline.after_tests

    def _forbidden(self, changes: Mapping[PurePosixPath, Change]) -> list[PurePosixPath]:
        """Return what a candidate took from the image, or changed in it, outside the work tree.

        What was added is not there when the tests run, so that it may be.
        """
        found = outside(changes, self.workdir, self.baseline.environments)
        return [path for path in found if found[path] != "added" and path not in self._usual]

    def _own(self, changes: Mapping[PurePosixPath, Change]) -> dict[PurePosixPath, Change]:
        """Return what the candidate changed in the work tree, relative, without folders."""
        folders = {parent for path in changes for parent in path.parents}
        return {
            path.relative_to(self.workdir): change
            for path, change in changes.items()
            if path.is_relative_to(self.workdir)
            and path not in self.baseline.before_tests
            and path not in folders
        }

    def _orders(
        self, changes: Mapping[PurePosixPath, Change], own: Mapping[PurePosixPath, Change]
    ) -> Orders:
        """Decide what is put back before the tests: nothing, if nothing is known of the task."""
        baseline = self.baseline
        if not self._has_baseline:
            return Orders(first=self.task.oracle.fail_to_pass)
        guarded = set(baseline.guarded)
        # Where the exit status of something that nobody watches decides, only source counts.
        source_only = bool(baseline.settings) and not baseline.witnessed
        for name in own:
            is_put_back = name in guarded and name.name not in MIXED_FILES
            if name.suffix != ".pyc" and (
                steers_runner(name) or is_put_back or (source_only and not is_source(name))
            ):
                self.set_aside[name] = None
        kept = {name for name in own if name.name in MIXED_FILES and name not in self.set_aside}
        foreign = outside(changes, self.workdir, baseline.environments)
        gone = [path for path in changes if path.suffix == ".pyc"]
        gone += [path for path in foreign if path not in baseline.before_tests]
        gone += [self.workdir / name for name in self.set_aside if own.get(name) == "added"]
        gone += [self.workdir / name for name in baseline.absent]
        gone += [self.workdir / name for name in baseline.guarded if name not in kept]
        return Orders(
            tree=joined(without(baseline.tree, kept), only(baseline.settings, self.set_aside)),
            outside=baseline.outside,
            guarded=[self.workdir / name for name in baseline.guarded if name not in kept],
            gone=gone,
            programs=dict(baseline.programs),
            first=self.task.oracle.fail_to_pass,
            hurry=baseline.hurry,
            witness=baseline.witnessed or baseline.ends,
            canaries=baseline.canaries,
        )

    def _steering(
        self, own: Mapping[PurePosixPath, Change], evidence: Evidence
    ) -> set[PurePosixPath]:
        """Return the changed files that explain why the runner is not what it was."""
        record = self.baseline.record
        found = {
            path for path in foreign_modules(record, evidence, self.deleted).values() if path in own
        }
        if changed_settings(record, evidence) or new_plugins(record, evidence, self._put_back):
            found |= {path for path in own if path.name in MIXED_FILES}
        return found - self.set_aside.keys()

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

    def _judge(self, tested: Ran, evidence: Evidence, forbidden: list[PurePosixPath]) -> Verdict:
        baseline = self.baseline
        said = self._grade(tested.log, tested.exit_code)
        against = list(self._proofs(tested, evidence, forbidden))
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
        if said.resolved and self._has_baseline and not baseline.witnessed:
            notes.append(BY_EXIT_STATUS if baseline.settings else BY_LOG)
        rest_is_missing = said.missing_pass_to_pass
        if baseline.hurry and said.missing_fail_to_pass and said.evidence:
            notes.append(REST_NOT_RUN)
            rest_is_missing = ()
        if said.evidence:
            missing = (*said.missing_fail_to_pass, *rest_is_missing)
            notes += explain_missing(self.task, tested.log, missing)
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

    def _proofs(self, tested: Ran, evidence: Evidence, forbidden: list[PurePosixPath]) -> list[str]:
        """Say what only a candidate that means to deceive brings about."""
        found = []
        if not self.baseline.script.marked and any(one in tested.log for one in _MARKERS):
            found.append("the candidate printed the evaluation's own markers")
        if evidence.forged:
            found.append("the candidate wrote to the witness's channel")
        if forbidden:
            found.append(_changed(forbidden))
        hindered = [line for line in tested.hindered if line not in self.baseline.hindered]
        if self._has_baseline and hindered:
            found.append(f"the tests could not be put back ({some(hindered)})")
        return found

    def _doubts(self, tested: Ran, evidence: Evidence) -> list[str]:
        """Say why a log that shows a solution is not to be believed."""
        found, baseline = [], self.baseline
        if baseline.intact and not tested.intact:
            found.append("test files were touched while the tests ran")
        if not (baseline.witnessed or baseline.ends):
            return found
        if evidence.exit_status is None:
            found.append("the runner did not come to its end")
        if not baseline.witnessed:
            return found + differences(
                baseline.record, evidence, self._put_back, self.changed, self.deleted
            )
        if evidence.exit_status is not None and not self._seen_to_pass(tested, evidence):
            found.append("the runner did not see the tests pass that the log shows")
        if evidence.canary_failed is not True or (
            baseline.canaries and not set(evidence.canaries) & set(baseline.canaries)
        ):
            found.append("a test that must fail did not")
        return found + differences(
            baseline.record, evidence, self._put_back, self.changed, self.deleted
        )

    def _seen_to_pass(self, tested: Ran, evidence: Evidence) -> bool:
        """Whether the witness saw what resolves the task."""
        parser = self.task.oracle.log_parser
        if parser == EXIT_CODE_PARSER:
            return evidence.any_passed and not evidence.any_failed and evidence.exit_status == 0
        seen = self._grade(evidence.as_log(parser), tested.exit_code)
        missing = {*seen.missing_fail_to_pass, *seen.missing_pass_to_pass}
        return seen.evidence and missing <= self.baseline.unseen

    @property
    def _put_back(self) -> list[PurePosixPath]:
        """Files of the work tree that are what they are without the candidate, absolute."""
        return [self.workdir / path for path in self.baseline.guarded]


def _limits_met(*results: ExecResult) -> str:
    met = [name for name in LIMITS if any(name in one.limits_met for one in results)]
    return f"the limit of {' and '.join(met)} was met" if met else ""


def _why_not_applied(patch: str, prepared: Prepared) -> str:
    if prepared.result.killed_for:
        return f"applying it was ended by its {prepared.result.killed_for} limit"
    if prepared.patch is not None and TOO_LARGE.search(prepared.patch.log):
        return "applying it was ended by its disk limit"
    if len(patch) > _EXPLAINED:
        return "The patch does not apply; its log says why."
    return check_patch(patch) or "The patch does not fit the files."


def _changed(paths: list[PurePosixPath]) -> str:
    return f"the candidate changed {some(paths)}"
