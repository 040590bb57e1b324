"""What `ksolve verify` says: a row with a reason, SWE-bench's counts, one line a while in a log."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, RenderableType

from eval.sample import SampleKey
from eval.verdict import Outcome, Verdict
from ksolve.sentences import must_still_pass
from ksolve.verified import Judgement, gold_warning, reason, summary, table
from ksolve.verify_progress import VerifyProgress
from tasks.task import Issue, Oracle, Task

TASK = Task(
    issue=Issue(id="t", statement="s", repo="r", base_commit="c", image="i"),
    oracle=Oracle(
        eval_script="",
        fail_to_pass=("f",),
        pass_to_pass=tuple(f"p{number}" for number in range(2_000)),
        log_parser="parse_log_pytest",
    ),
)


MUCH = (
    "memory ran out; 1 of 1 FAIL_TO_PASS fail: f; 2,000 of 2,000 PASS_TO_PASS fail: p0, p1 and "
    "1,998 more"
)


def printed(*what: RenderableType, width: int = 120) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(*what)
    return out.getvalue()


def key(task_id: str, model: str = "m", index: int = 0) -> SampleKey:
    return SampleKey(task_id=task_id, model=model, strategy="predictions", index=index)


def judged(task_id: str, outcome: str, *, model: str = "m", index: int = 0) -> Judgement:
    return Judgement(key=key(task_id, model, index), outcome=outcome, why=f"why {task_id}")


@pytest.mark.parametrize(
    ("verdict", "why"),
    [
        (Verdict(outcome="resolved", note="applied by git apply --verbose"), ""),
        (Verdict(outcome="no_patch"), "the patch is empty"),
        (Verdict(outcome="timeout", note="stopped after 5 s"), "stopped after 5 s"),
        (
            Verdict(
                outcome="unresolved",
                note="memory ran out; applied by git apply --verbose",
                missing_fail_to_pass=("f",),
                missing_pass_to_pass=TASK.oracle.pass_to_pass,
            ),
            MUCH,
        ),
    ],
)
def test_a_reason_is_short_and_leaves_out_what_is_as_always(verdict: Verdict, why: str) -> None:
    assert reason(verdict, TASK) == why


def test_every_prediction_has_a_row() -> None:
    rows = [judged("a", "resolved"), judged("b", "unresolved"), judged("b", "failure", index=1)]
    told = [" ".join(line.split()) for line in printed(table(rows)).splitlines()]
    assert told[1:] == ["a resolved why a", "b #0 unresolved why b", "b #1 failure why b"]
    # Names of models stand there where they tell something.
    assert "m2" in printed(table([*rows, judged("a", "resolved", model="m2")]))
    narrow = printed(table([judged("a" * 60, "resolved")]), width=40)
    assert max(map(len, narrow.splitlines())) <= 40


def test_counts_are_those_of_the_reference_and_missing_ones_count_where_asked() -> None:
    outcomes: list[tuple[str, str]] = [
        *(("a", "resolved"), ("b", "unresolved"), ("c", "tampered"), ("d", "timeout")),
        *(("e", "no_patch"), ("f", "not_applied")),
    ]
    rows = [judged(task_id, outcome) for task_id, outcome in outcomes]
    rest = "2 unresolved (1 tampered), 1 empty, 2 errors, 4 without a prediction"
    assert f"m: 1 of 6 instances resolved (16.7%); {rest}." in printed(summary(rows, total=10))
    blank = judged("g", "no_patch")
    told = printed(summary([*rows, blank], total=10, missing={("g", "m")}, in_full=True))
    assert f"m: 1 of 10 instances resolved (10.0%); {rest}." in told
    assert "leaderboard" in told
    best = [judged("a", "unresolved"), judged("a", "resolved", index=1)]
    assert "m: 1 of 1 instance resolved (100.0%)." in printed(summary(best, total=1))


def test_what_the_gold_patch_fails_is_not_said_to_have_passed() -> None:
    assert "passed before" in must_still_pass(key("t"))
    assert "passed before" not in must_still_pass(key("t", "gold"))
    told = gold_warning([f"t{number}" for number in range(12)])
    assert "12 instances (t0, " in told
    assert "t9 and 2 more)" in told


def test_a_log_gets_a_line_a_tick_and_the_learning_of_baselines_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = 0.0
    monkeypatch.setattr("ksolve.verify_progress.time.monotonic", lambda: clock)
    out = io.StringIO()
    outcomes: tuple[Outcome, ...] = ("resolved", "unresolved")
    with VerifyProgress(Console(file=out, width=120), wanted=400) as progress:
        progress.learning(TASK)
        for number in range(400):
            clock += 0.1
            progress.learning(TASK)
            verdict = Verdict(outcome=outcomes[number % 2])
            progress.verified(key("t"), verdict, reused=False)
    lines = out.getvalue().splitlines()
    assert "Learning the tasks, beginning with t" in lines[0]
    # Every 15 seconds of 40, and at the end.
    assert len(lines) == 1 + 2 + 1
    assert "400 of 400 judged (200 resolved, 200 unresolved), 401 tasks learnt, 40 s" in lines[-1]
    assert "\x1b" not in out.getvalue()
