"""Flaky tasks: what counts as a change of mind, what is remembered, and how a majority decides."""

from __future__ import annotations

import dataclasses
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.fake import evaluating
from eval.flaky import Finding, FlakyTasks, Observed, Side, decided, majority, observe, tells_tests
from eval.store import StoreError
from eval.verdict import OUTCOMES, Outcome, Verdict
from eval.verify import evaluate
from sandbox.fake import FakeHost, FakeSandbox
from sandbox.processes import KILLED
from sandbox.sandbox import ExecResult
from tasks.load import tasks_digest
from tasks.task import EXIT_CODE_PARSER, Issue, Oracle, Task

IMAGE = "sha256:1"
TASK = Task(
    issue=Issue(id="t", statement="s", repo="r", base_commit="c", image="i"),
    oracle=Oracle(
        eval_script="",
        fail_to_pass=("f",),
        pass_to_pass=("p", "q"),
        log_parser="parse_log_pytest",
        gold_patch="gold",
    ),
)
STEADY = Observed(runs=3, failed={"f": 3})
CHANGING = Observed(runs=3, failed={"f": 3, "p": 1})


def another(name: str) -> Task:
    return dataclasses.replace(TASK, issue=dataclasses.replace(TASK.issue, id=name))


def judged(*failing: str) -> Verdict:
    return Verdict(
        outcome="unresolved" if failing else "resolved",
        missing_fail_to_pass=tuple(name for name in failing if name == "f"),
        missing_pass_to_pass=tuple(name for name in failing if name != "f"),
    )


TIMEOUT = Verdict(outcome="timeout", note="stopped after 5 s")
OUT_OF_MEMORY = Verdict(
    outcome="unresolved",
    missing_fail_to_pass=("f",),
    missing_pass_to_pass=("p", "q"),
    note="ended by its memory limit",
)
NO_TEST_RUN = Verdict(
    outcome="unresolved",
    missing_fail_to_pass=("f",),
    missing_pass_to_pass=("p", "q"),
    note="the log shows no test run",
)
VERDICTS = st.lists(
    st.one_of(
        st.lists(st.sampled_from("fpq"), unique=True).map(lambda names: judged(*names)),
        st.sampled_from([TIMEOUT, OUT_OF_MEMORY, NO_TEST_RUN]),
    ),
    max_size=8,
)


@pytest.mark.parametrize(
    ("verdicts", "sentences"),
    [
        ([judged("f"), judged("f")], ()),
        ([judged("f"), judged()], ("f failed in 1 of 2 runs of the gold patch",)),
        (
            [judged("f"), judged("f", "q"), judged("f", "p", "q")],
            (
                "p failed in 1 of 3 runs of the gold patch",
                "q failed in 2 of 3 runs of the gold patch",
            ),
        ),
        ([TIMEOUT, TIMEOUT], ()),
        (
            [judged("f"), TIMEOUT, judged("f")],
            ("1 of 3 runs of the gold patch gave no results (stopped after 5 s)",),
        ),
        (
            [judged(), OUT_OF_MEMORY],
            ("1 of 2 runs of the gold patch gave no results (ended by its memory limit)",),
        ),
        (
            [judged("f"), NO_TEST_RUN],
            ("1 of 2 runs of the gold patch gave no results (the log shows no test run)",),
        ),
        ([judged("f")], ()),
        ([], ()),
    ],
)
def test_a_change_of_mind_is_a_difference_between_runs_of_one_patch(
    verdicts: Sequence[Verdict], sentences: tuple[str, ...]
) -> None:
    observed = observe(verdicts)
    assert observed.sentences("gold") == sentences
    assert observed.changed == bool(sentences)


@pytest.mark.parametrize("killed_for", ["", "memory"])
@pytest.mark.parametrize("silent_stage", ["ksolve-prepare", "ksolve-tests"])
async def test_a_run_that_the_verifier_read_no_tests_from_tells_none(
    silent_stage: str, killed_for: str
) -> None:
    silent = True

    def answer(argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        told = evaluating(lambda _: False)(argv, stdin, sandbox)
        if not silent or silent_stage not in argv:
            return told
        exit_code = None if killed_for else KILLED
        return dataclasses.replace(told, exit_code=exit_code, stderr=b"", killed_for=killed_for)

    script = ": '>>>>> Start Test Output'\nfalse\n: '>>>>> End Test Output'\n"
    oracle = dataclasses.replace(
        TASK.oracle, log_parser=EXIT_CODE_PARSER, eval_script=script, pass_to_pass=()
    )
    task = dataclasses.replace(TASK, oracle=oracle)
    verdict = await evaluate(task, "", FakeHost(answer))
    assert verdict.outcome == "unresolved"
    assert not tells_tests(verdict)
    silent = False
    assert tells_tests(await evaluate(task, "", FakeHost(answer)))


@given(VERDICTS, VERDICTS)
def test_runs_counted_apart_add_up_to_runs_counted_together(
    first: list[Verdict], second: list[Verdict]
) -> None:
    assert observe(first) + observe(second) == observe([*first, *second])


HONEST = [outcome for outcome in OUTCOMES if outcome != "tampered"]


@given(st.lists(st.sampled_from(HONEST), min_size=1, max_size=9))
def test_resolved_takes_more_than_half(outcomes: list[Outcome]) -> None:
    verdict = majority([Verdict(outcome=outcome, seconds=2.0) for outcome in outcomes])
    counts = Counter(outcomes)
    assert (verdict.outcome == "resolved") == (counts["resolved"] > len(outcomes) / 2)
    if verdict.outcome != "resolved":
        others = {name: count for name, count in counts.items() if name != "resolved"}
        assert counts[verdict.outcome] == max(others.values())
    assert verdict.seconds == 2.0 * len(outcomes)


def test_the_majoritys_verdict_is_one_of_those_given_and_tells_the_count() -> None:
    resolved = Verdict(outcome="resolved", note="applied by git apply", exit_code=0)
    unresolved = judged("p")
    both = [unresolved, resolved, resolved, unresolved, resolved]
    note = "applied by git apply; majority of 5: 3 resolved, 2 unresolved"
    assert majority(both) == dataclasses.replace(resolved, note=note)
    assert majority(both[:2]).missing_pass_to_pass == ("p",)
    assert majority(both[1:3], runs=3).note.endswith("majority of 3, certain after 2: 2 resolved")


def test_the_majority_of_one_is_that_one_as_it_is() -> None:
    assert majority([TIMEOUT]) == TIMEOUT
    with pytest.raises(ValueError, match="at least one"):
        majority([])


def test_one_attempt_to_deceive_outweighs_any_number_of_passes() -> None:
    verdicts = [Verdict(outcome="resolved"), Verdict(outcome="tampered"), judged()]
    assert decided(verdicts[:2], 5)
    assert majority([verdicts[0], *verdicts]).outcome == "tampered"


@given(st.integers(1, 6), st.data())
def test_decided_is_when_and_only_when_no_later_run_can_tip_it(
    runs: int, data: st.DataObject
) -> None:
    possible = [judged(), judged("f"), TIMEOUT]
    verdicts = data.draw(st.lists(st.sampled_from(possible), max_size=runs))
    endings = {
        majority([*verdicts, *rest]).outcome == "resolved"
        for rest in product(possible, repeat=runs - len(verdicts))
    }
    assert decided(verdicts, runs) == (len(endings) == 1)
    if verdicts and decided(verdicts, runs):
        assert endings == {majority(verdicts).outcome == "resolved"}


@pytest.mark.parametrize("outcome", ["no_patch", "not_applied"])
def test_a_patch_that_runs_nothing_is_decided_by_its_first_verdict(outcome: Outcome) -> None:
    assert decided([Verdict(outcome=outcome)], 5)
    assert majority([Verdict(outcome=outcome)]).outcome == outcome


@pytest.fixture
def flaky(tmp_path: Path) -> FlakyTasks:
    return FlakyTasks(tmp_path / "data" / "flaky.db")


def record(
    flaky: FlakyTasks,
    observed: Mapping[Side, Observed],
    *,
    task: Task = TASK,
    image: str = IMAGE,
    dataset: str = "all",
) -> None:
    flaky.record(task, image, observed, dataset=dataset)


def found(flaky: FlakyTasks, task: Task = TASK, image: str = IMAGE) -> Finding:
    finding = flaky.load().of(image, task.oracle)
    assert finding is not None
    return finding


def test_nothing_is_known_and_nothing_made_before_something_is_recorded(flaky: FlakyTasks) -> None:
    findings = flaky.load()
    assert findings.of(IMAGE, TASK.oracle) is None
    assert findings.flaky([TASK]) == {}
    assert not flaky.path.parent.exists()


def test_a_finding_is_read_again_as_it_was_recorded(flaky: FlakyTasks) -> None:
    record(flaky, {"base": STEADY, "gold": Observed(runs=3, failed={"q": 2}, silent={})})
    finding = found(FlakyTasks(flaky.path))
    assert (finding.flaky, finding.tests) == (True, ("q",))
    assert finding.sentences == ("q failed in 2 of 3 runs of the gold patch",)
    assert finding.runs == 3


def test_runs_of_several_sessions_add_up(flaky: FlakyTasks) -> None:
    steady: Mapping[Side, Observed] = {"base": STEADY, "gold": Observed(runs=3)}
    record(flaky, steady)
    assert (found(flaky).flaky, found(flaky).runs) == (False, 3)
    record(flaky, steady)
    assert (found(flaky).flaky, found(flaky).runs) == (False, 6)
    # Each session agrees with itself, but not with the others.
    record(flaky, {"base": STEADY, "gold": Observed(runs=4, failed={"p": 4})})
    assert found(flaky).sentences == ("p failed in 4 of 10 runs of the gold patch",)


def test_a_steady_session_does_not_make_a_flaky_task_steady(flaky: FlakyTasks) -> None:
    record(flaky, {"base": CHANGING})
    record(flaky, {"base": Observed(runs=100, failed={"f": 100})})
    assert found(flaky).sentences == ("p failed in 1 of 103 runs of the base",)


@pytest.mark.parametrize("what", ["image", "oracle"])
def test_another_image_or_oracle_starts_anew(flaky: FlakyTasks, what: str) -> None:
    record(flaky, {"base": CHANGING})
    task, image = TASK, "sha256:2"
    if what == "oracle":
        oracle = dataclasses.replace(TASK.oracle, eval_script="mended")
        task, image = dataclasses.replace(TASK, oracle=oracle), IMAGE
    assert flaky.load().of(image, task.oracle) is None
    record(flaky, {"base": STEADY}, task=task, image=image)
    assert not found(flaky, task, image).flaky
    findings = flaky.load()
    assert findings.flaky([task]) == findings.flaky_in("all") == {}
    assert found(flaky).flaky


def test_another_gold_patch_is_not_held_against_the_one_before(flaky: FlakyTasks) -> None:
    record(flaky, {"gold": Observed(runs=2, failed={"p": 2})})
    better = dataclasses.replace(TASK, oracle=dataclasses.replace(TASK.oracle, gold_patch="other"))
    record(flaky, {"gold": Observed(runs=2)}, task=better)
    assert not found(flaky).flaky


def test_a_subset_of_the_dataset_finds_its_flaky_tasks_again(flaky: FlakyTasks) -> None:
    tasks = [another(name) for name in "abc"]
    for i, task in enumerate(tasks):
        steady = task.id == "b"
        # Tasks of one image and one oracle would be one task: these are told apart by the image.
        observed = STEADY if steady else CHANGING
        record(flaky, {"base": observed}, task=task, image=f"{i}", dataset=tasks_digest(tasks))
    findings = flaky.load()
    assert set(findings.flaky(tasks[:2])) == {"a"}
    assert set(findings.flaky(tasks)) == set(findings.flaky_in(tasks_digest(tasks))) == {"a", "c"}
    assert findings.flaky_in(tasks_digest(tasks[:2])) == {}


RECORD_TEN_TIMES = """
import sys
from pathlib import Path
from eval.flaky import FlakyTasks, Observed
from tests.eval.test_flaky import IMAGE, TASK

for _ in range(10):
    seen = Observed(runs=1, failed={"f": 1})
    FlakyTasks(Path(sys.argv[1])).record(TASK, IMAGE, {"base": seen}, dataset="all")
"""


def test_processes_that_record_at_once_lose_nothing(flaky: FlakyTasks) -> None:
    command = [sys.executable, "-c", RECORD_TEN_TIMES, str(flaky.path)]
    root = Path(__file__).resolve().parents[2]
    writers = [subprocess.Popen(command, cwd=root) for _ in range(3)]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
    assert found(flaky).observed == (("base", Observed(runs=30, failed={"f": 30})),)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE observations SET failed = 'no json'",
        "UPDATE observations SET failed = '[1]'",
        'UPDATE observations SET silent = \'{"why": "often"}\'',
        "UPDATE observations SET side = 'left'",
        "DROP TABLE observations",
        "PRAGMA user_version = 99",
        None,
    ],
)
def test_a_damaged_file_is_told_in_one_sentence(flaky: FlakyTasks, damage: str | None) -> None:
    record(flaky, {"base": STEADY})
    if damage is None:
        flaky.path.write_bytes(b"this is no database" * 100)
    else:
        with sqlite3.connect(flaky.path) as connection:
            connection.execute(damage)
        connection.close()
    with pytest.raises(StoreError) as told:
        flaky.load()
    assert str(flaky.path) in str(told.value)
    assert str(told.value).endswith(".")
    assert "\n" not in str(told.value)


def test_a_folder_that_cannot_be_made_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        record(FlakyTasks(tmp_path / "file" / "flaky.db"), {"base": STEADY})
