"""A verdict is computed once, whoever asks, and kept for those who ask later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from eval.baseline import Baseline, baseline_key
from eval.cache import VerdictCache
from eval.fake import evaluating
from eval.flaky import FlakyTasks, Observed
from eval.record import Record
from eval.stages import Script, split
from eval.verdict import Verdict, verdict_key
from eval.verifier import Verifier
from sandbox.fake import FakeHost, FakeSandbox, did
from sandbox.sandbox import ExecResult, Limits, SandboxError, TakenOverError
from tasks.task import EXIT_CODE_PARSER, Issue, Oracle, Resources, Task

RIGHT = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a = 1\n+a = 2\n"
WRONG = RIGHT.replace("+a = 2", "+a = 3")
TASK = Task(
    issue=Issue(id="t", statement="s", repo="r", base_commit="c", image="i"),
    oracle=Oracle(
        eval_script=": '>>>>> Start Test Output'\nrun\n: '>>>>> End Test Output'",
        fail_to_pass=("run",),
        pass_to_pass=(),
        log_parser=EXIT_CODE_PARSER,
    ),
)


def host() -> FakeHost:
    return FakeHost(evaluating(lambda patch: patch == RIGHT))


async def test_equal_patches_at_once_are_verified_once() -> None:
    sandboxes = host()
    verifier = Verifier(sandboxes)
    verdicts = await asyncio.gather(*(verifier.verify(TASK, RIGHT) for _ in range(8)))
    assert {verdict.outcome for verdict in verdicts} == {"resolved"}
    assert sandboxes.opened == len(("base", "base again", "candidate"))


async def test_another_run_finds_the_verdict(tmp_path: Path) -> None:
    cache = VerdictCache(tmp_path / "v.db")
    first = await Verifier(host(), cache=cache).verify(TASK, RIGHT)
    cache.close()
    sandboxes, cache = host(), VerdictCache(tmp_path / "v.db")
    verifier = Verifier(sandboxes, cache=cache)
    again, known = await verifier.judge(TASK, RIGHT, await verifier.key(TASK, RIGHT))
    assert known
    assert again == first
    assert sandboxes.opened == 0
    assert (await verifier.verify(TASK, WRONG)).outcome == "unresolved"
    # That no witness speaks in this task was found out before.
    assert sandboxes.opened == len(("candidate",))
    cache.close()


async def test_another_run_does_not_take_a_deadline_of_a_busy_machine_for_the_patchs(
    tmp_path: Path,
) -> None:
    def never_ends(argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        result = host().answer(argv, stdin, sandbox)
        return replace(result, seconds=1e6) if "ksolve-tests" in argv else result

    cache = VerdictCache(tmp_path / "v.db")
    verifier = Verifier(FakeHost(never_ends), cache=cache)
    assert (await verifier.verify(TASK, RIGHT)).outcome == "timeout"
    assert (await verifier.judge(TASK, RIGHT, await verifier.key(TASK, RIGHT)))[1]
    assert (await Verifier(host(), cache=cache).verify(TASK, RIGHT)).outcome == "resolved"
    cache.close()


async def test_another_run_finds_the_baseline_of_a_runner_that_was_watched(
    tmp_path: Path,
) -> None:
    cache, sandboxes = VerdictCache(tmp_path / "v.db"), host()
    key = baseline_key(await sandboxes.image_digest("i"), TASK.oracle)
    cache.add_baseline(key, Baseline(script=split(TASK.oracle), witnessed=True, settled=True))
    await Verifier(sandboxes, cache=cache).verify(TASK, WRONG)
    assert sandboxes.opened == len(("candidate",))
    cache.close()


async def test_a_fault_that_passes_is_tried_again_and_one_that_stays_is_raised() -> None:
    faults = iter([SandboxError("once"), SandboxError("twice")])
    judge = evaluating(lambda patch: patch == RIGHT)

    def shaky(argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        for fault in faults:
            raise fault
        return judge(argv, stdin, sandbox)

    assert (await Verifier(FakeHost(shaky)).verify(TASK, RIGHT)).outcome == "resolved"

    def broken(*_: object) -> ExecResult:
        raise SandboxError("gone")

    with pytest.raises(SandboxError, match="gone"):
        await Verifier(FakeHost(broken)).verify(TASK, RIGHT)


@pytest.mark.parametrize(("times", "outcome"), [(1, "resolved"), (99, "tampered")])
async def test_a_candidate_that_takes_over_its_sandbox_every_time_is_tampered(
    times: int, outcome: str
) -> None:
    """Once may be a machine that was asleep."""
    judge = evaluating(lambda patch: patch == RIGHT)
    left = iter(range(times))

    def taken_over(argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        if RIGHT.encode() in stdin and next(left, None) is not None:
            raise TakenOverError("taken over")
        return judge(argv, stdin, sandbox)

    verdict = await Verifier(FakeHost(taken_over)).verify(TASK, RIGHT)
    assert verdict.outcome == outcome
    assert ("taken over" in verdict.note) == (outcome == "tampered")


async def test_a_flaky_task_is_judged_by_most_of_several_runs(tmp_path: Path) -> None:
    answers = iter([False, True, False, True, True])
    # The first is the base's, for the baseline.
    sandboxes = FakeHost(evaluating(lambda patch: bool(patch) and next(answers)))
    record = FlakyTasks(tmp_path / "f.db")
    seen = Observed(runs=4, failed={"run": 1})
    record.record(TASK, await sandboxes.image_digest("i"), {"gold": seen}, dataset="d")
    verdict = await Verifier(sandboxes, flaky=record.load(), flaky_runs=5).verify(TASK, WRONG)
    assert verdict.outcome == "resolved"
    assert "3 resolved, 2 unresolved" in verdict.note


def test_a_damaged_cache_holds_nothing_and_hinders_nobody(tmp_path: Path) -> None:
    (tmp_path / "v.db").write_bytes(b"no database" * 1000)
    cache = VerdictCache(tmp_path / "v.db")
    cache.add_verdict("k", Verdict(outcome="resolved"))
    assert cache.verdict("k") is None
    cache.close()


def test_a_baseline_comes_back_as_it_was(tmp_path: Path) -> None:
    cache = VerdictCache(tmp_path / "v.db")
    baseline = Baseline(
        script=Script(before="b", tests="t"),
        before_tests=frozenset({PurePosixPath("/a")}),
        tree=b"\0tar",
        guarded=(PurePosixPath("tests/t.py"),),
        witnessed=True,
        environments=(PurePosixPath("/testbed/.venv"),),
        programs=(("tar", PurePosixPath("/bin/tar")),),
        record=Record(imports=frozenset({("spans", "spans.py")}), missing=frozenset({"org"})),
    )
    cache.add_baseline("k", baseline)
    assert cache.baseline("k") == baseline
    assert cache.baseline("other") is None
    cache.close()


async def test_a_blank_patch_needs_no_container() -> None:
    sandboxes = FakeHost(lambda *_: did())
    assert (await Verifier(sandboxes).verify(TASK, " \n")).outcome == "no_patch"
    assert sandboxes.opened == 0


async def test_what_sandboxes_may_use_is_part_of_the_key_and_reaches_them() -> None:
    seen: list[Limits] = []

    def answer(argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        seen.append(sandbox.limits)
        return evaluating(lambda patch: patch == RIGHT)(argv, stdin, sandbox)

    asking = replace(TASK, issue=replace(TASK.issue, resources=Resources(pids=9, cpus=2.0)))
    of_run = Resources(pids=8)
    usual, other = Verifier(host()), Verifier(FakeHost(answer), resources=of_run)
    keys = [
        await usual.key(TASK, RIGHT),
        await usual.key(asking, RIGHT),
        await other.key(asking, RIGHT),
        await other.key(TASK, RIGHT),
    ]
    assert len(set(keys)) == len(keys)
    # Of who asks for nothing it is what it was before anybody could.
    assert keys[0] == verdict_key(await host().image_digest("i"), RIGHT, TASK.oracle)
    assert (await other.verify(asking, RIGHT)).outcome == "resolved"
    assert {(limits.pids, limits.cpus) for limits in seen} == {(8, 2.0)}
