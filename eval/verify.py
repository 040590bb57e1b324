"""One verification: a fresh sandbox, the patch, the oracle's tests, a verdict.

The sandbox has no network unless the task asks for it. Faults of the sandbox are raised as
SandboxError and are never verdicts.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from pathlib import PurePosixPath

from eval.grading import evaluation_script, grade
from eval.verdict import Verdict
from sandbox.patch import apply_patch, check_patch
from sandbox.sandbox import ExecResult, Limits, SandboxHost
from tasks.task import Task

SCRIPT = PurePosixPath("/tmp/ksolve-eval.sh")  # noqa: S108 - inside the container
LIFETIME_SLACK = 300.0
"""Seconds that a container may live beyond the evaluation's own limit."""


async def verify(
    task: Task, patch: str, sandboxes: SandboxHost, limits: Limits | None = None
) -> Verdict:
    """Judge one patch; a blank one is `no_patch` without a run. Raises SandboxError."""
    if not patch.strip():
        return Verdict(outcome="no_patch")
    return await evaluate(task, patch, sandboxes, limits)


async def evaluate(
    task: Task, patch: str, sandboxes: SandboxHost, limits: Limits | None = None
) -> Verdict:
    """Run the oracle's tests over the patched tree; "" is the base commit as it is."""
    started = time.monotonic()
    limits = dataclasses.replace(
        limits or Limits(),
        network=task.issue.network,
        lifetime=task.oracle.time_limit + LIFETIME_SLACK,
    )
    async with sandboxes.open(task.issue.image, limits) as sandbox:
        how = ""
        if patch:
            applied = await apply_patch(sandbox, patch, task.issue.workdir)
            if not applied.ok:
                return Verdict(
                    outcome="not_applied",
                    note=check_patch(patch) or "The patch does not fit the files.",
                    log=applied.log,
                    seconds=time.monotonic() - started,
                )
            how = f"applied by {applied.how}"
        script = await asyncio.to_thread(evaluation_script, task)
        await sandbox.write(SCRIPT, script.encode())
        result = await sandbox.exec(
            # One stream, so that the log keeps the order in which things were printed.
            ["/bin/bash", "-c", f"exec /bin/bash {SCRIPT} 2>&1"],
            timeout=task.oracle.time_limit,
            cwd=task.issue.workdir,
        )
    verdict = await asyncio.to_thread(_judge, task, result)
    note = "; ".join(part for part in (how, verdict.note) if part)
    return dataclasses.replace(verdict, note=note, seconds=time.monotonic() - started)


def _judge(task: Task, result: ExecResult) -> Verdict:
    log = result.stdout.decode("utf-8", "replace")
    if result.timed_out:
        note = f"stopped after {task.oracle.time_limit:g} s"
        return Verdict(outcome="timeout", note=note, log=log)
    if result.killed_for:
        note = f"ended by its {result.killed_for} limit"
        return Verdict(outcome="unresolved", exit_code=result.exit_code, note=note, log=log)
    graded = grade(task, log)
    return Verdict(
        outcome="resolved" if graded.resolved else "unresolved",
        missing_fail_to_pass=graded.missing_fail_to_pass,
        missing_pass_to_pass=graded.missing_pass_to_pass,
        exit_code=result.exit_code,
        note="" if graded.evidence else "the log shows no test run",
        log=log,
    )
