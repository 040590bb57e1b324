"""A run summed up: what is counted, and what is kept out of every rate."""

import dataclasses
import json
import random
from collections.abc import Collection, Iterable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.backend import Usage
from eval.coverage import pass_at_k
from eval.sample import Failed
from eval.summary import Summary, short_names, solver_labels, summarise, to_json
from eval.table import SampleRow, table_of
from eval.verdict import OUTCOMES

MODELS = ("vllm:/models/small", "openai:large")
TASKS = ("t0", "t1", "t2")
SAMPLES = 4


def row(
    task_id: str = "t0",
    index: int = 0,
    outcome: str | None = "unresolved",
    *,
    model: str = MODELS[0],
    strategy: str = "oneshot",
    cost: float | None = 0.25,
    patch: str | None = None,
) -> SampleRow:
    return SampleRow(
        task_id=task_id,
        model=model,
        strategy=strategy,
        index=index,
        outcome=outcome,
        usage=Usage(input_tokens=100, cached_tokens=80, output_tokens=10, calls=1, seconds=0.5),
        cost=cost,
        patch_digest=patch or f"{model} {index}",
        verify_seconds=None if outcome is None else 2.0,
    )


def whole(outcomes: Mapping[str, Sequence[str]], model: str = MODELS[0]) -> list[SampleRow]:
    return [
        row(task_id, index, outcome, model=model)
        for task_id, drawn in outcomes.items()
        for index, outcome in enumerate(drawn)
    ]


def summary_of(
    rows: Iterable[SampleRow],
    *,
    models: Sequence[str] = MODELS,
    failures: Mapping[tuple[str, str], int] | None = None,
    failed: Mapping[tuple[str, str], Failed] | None = None,
    strategies: Sequence[str] = ("oneshot",),
    flaky: Collection[str] = (),
) -> Summary:
    arms = [(model, name) for model in models for name in strategies]
    return summarise(
        table_of(rows, tasks=TASKS, arms=arms),
        samples=SAMPLES,
        price_notes={MODELS[0]: "$0.1 an accelerator hour"},
        failures=failures or {},
        failed=failed or {},
        flaky=flaky,
    )


SOME_ROWS = st.lists(
    st.builds(
        row,
        task_id=st.sampled_from(TASKS),
        index=st.integers(0, SAMPLES - 1),
        outcome=st.none() | st.sampled_from(OUTCOMES),
        model=st.sampled_from(MODELS),
        cost=st.none() | st.sampled_from([0.25, 0.5]),
        patch=st.sampled_from(["p", "q", "r"]),
    ),
    max_size=24,
    unique_by=lambda one: (one.task_id, one.index, one.model),
)


@given(SOME_ROWS, st.randoms())
def test_the_figures_are_those_of_a_plain_count(
    rows: list[SampleRow], shuffle: random.Random
) -> None:
    shuffle.shuffle(rows)
    for arm in summary_of(rows).solvers:
        mine = [one for one in rows if one.model == arm.model]
        judged = [one for one in mine if one.outcome is not None]
        solved = {one.task_id for one in judged if one.outcome == "resolved"}
        costs = [one.cost for one in mine]
        total = None if None in costs else sum(cost or 0.0 for cost in costs)
        patches = {(one.task_id, one.patch_digest) for one in mine if one.outcome != "no_patch"}
        assert arm.solved == len(solved)
        assert arm.samples == len(mine)
        assert arm.pending_samples == len(TASKS) * SAMPLES - len(mine)
        assert arm.pending_verdicts == len(mine) - len(judged)
        assert sum(arm.outcomes.values()) == len(judged)
        assert arm.outcomes["resolved"] == sum(one.outcome == "resolved" for one in judged)
        assert arm.usage == sum((one.usage for one in mine), Usage())
        assert arm.cost == total
        assert arm.cost_per_solve == (total / len(solved) if total is not None and solved else None)
        assert arm.distinct_patches == len(patches)


@given(SOME_ROWS)
def test_pass_at_k_stands_on_issues_with_k_verdicts(rows: list[SampleRow]) -> None:
    for arm in summary_of(rows).solvers:
        mine = [one for one in rows if one.model == arm.model and one.outcome is not None]
        by_issue = [[one.outcome for one in mine if one.task_id == task] for task in TASKS]
        assert [point.k for point in arm.pass_at_k] == [1, 2, 4]
        for point in arm.pass_at_k:
            enough = [drawn for drawn in by_issue if len(drawn) >= point.k]
            chances = [
                float(pass_at_k(len(drawn), drawn.count("resolved"), point.k)) for drawn in enough
            ]
            expected = sum(chances) / len(chances) if chances else None
            assert point.coverage == (None if expected is None else pytest.approx(expected))
            assert (point.issues, point.excluded) == (len(enough), len(TASKS) - len(enough))


@given(SOME_ROWS, st.sets(st.sampled_from(TASKS), min_size=1))
def test_without_flaky_issues_the_figures_are_those_of_a_run_that_never_had_them(
    rows: list[SampleRow], flaky: set[str]
) -> None:
    steady_tasks = [task for task in TASKS if task not in flaky]
    apart = summarise(
        table_of(
            [one for one in rows if one.task_id not in flaky],
            tasks=steady_tasks,
            arms=[(model, "oneshot") for model in MODELS],
        ),
        samples=SAMPLES,
        price_notes={},
        failures={},
    )
    whole_run = summary_of(rows, flaky=flaky)
    assert whole_run.flaky == tuple(task for task in TASKS if task in flaky)
    for arm, expected in zip(whole_run.solvers, apart.solvers, strict=True):
        assert arm.without_flaky is not None
        assert arm.without_flaky.issues == len(steady_tasks)
        assert arm.without_flaky.solved == expected.solved
        assert arm.without_flaky.pass_at_k == expected.pass_at_k


@given(SOME_ROWS, st.sets(st.sampled_from([*TASKS, "of another run"])))
def test_flaky_issues_stay_in_all_other_figures(rows: list[SampleRow], flaky: set[str]) -> None:
    plain, told = summary_of(rows), summary_of(rows, flaky=flaky)
    kept = [dataclasses.replace(arm, without_flaky=None) for arm in told.solvers]
    assert dataclasses.replace(told, flaky=(), solvers=tuple(kept)) == plain
    assert (told == plain) == (not flaky & set(TASKS))


def test_a_pending_verdict_changes_no_rate() -> None:
    rows = whole({"t0": ["resolved", "unresolved"], "t1": ["unresolved", "timeout"]})
    with_pending = [*rows, row("t0", 2, None), row("t2", 0, None)]
    before, after = summary_of(rows).solvers[0], summary_of(with_pending).solvers[0]
    assert after.pending_verdicts == 2
    assert after.pass_at_k == before.pass_at_k
    assert after.outcomes == before.outcomes


def test_what_was_paid_does_not_depend_on_the_order_in_which_samples_came() -> None:
    rows = [row("t0", index, cost=cost) for index, cost in enumerate([0.1, 0.2, 0.3, 1e-17])]
    (there, back) = (summary_of(some).solvers[0].cost for some in (rows, rows[::-1]))
    assert there == back


def test_failures_are_those_of_their_own_strategy() -> None:
    arms = [("m", "oneshot"), ("m", "loop")]
    summary = summarise(
        table_of([], tasks=["t"], arms=arms),
        samples=1,
        price_notes={},
        failures={arms[0]: 3, arms[1]: 1},
    )
    assert [arm.failures for arm in summary.solvers] == [3, 1]
    assert summary.failures == {"m": 4}


def test_failures_change_no_rate_but_their_bill_is_paid() -> None:
    rows = whole({"t0": ["resolved", "unresolved"]})
    small = (MODELS[0], "oneshot")
    before = summary_of(rows).solvers[0]
    after = summary_of(rows, failures={small: 3}, failed={small: Failed(cost=0.1)}).solvers[0]
    assert (before.failures, after.failures) == (0, 3)
    assert after.pass_at_k == before.pass_at_k
    assert (before.cost, after.cost, after.failed_cost) == (0.5, 0.6, 0.1)
    assert summary_of(rows, failed={small: Failed(cost=None)}).solvers[0].cost is None


def test_one_sample_of_unknown_price_makes_the_cost_unknown() -> None:
    arm = summary_of([row(index=0), row(index=1, cost=None), row(index=2)]).solvers[0]
    assert (arm.cost, arm.cost_per_sample, arm.cost_per_solve) == (None, None, None)


def test_a_patch_verified_once_counts_its_seconds_once() -> None:
    rows = [row(index=i, patch="same") for i in range(3)] + [row(index=3, patch="other")]
    arm = summary_of(rows).solvers[0]
    assert (arm.distinct_patches, arm.verify_seconds) == (2, 4.0)


def test_a_run_without_rows_owes_everything() -> None:
    summary = summary_of([])
    assert [arm.model for arm in summary.solvers] == list(MODELS)
    for arm in summary.solvers:
        assert arm.pending_samples == len(TASKS) * SAMPLES
        assert all(point.coverage is None for point in arm.pass_at_k)
        assert arm.cost_per_sample is None


def test_a_run_of_no_issue_is_summed_up_too() -> None:
    arms = [(model, "oneshot") for model in MODELS]
    table = table_of([], tasks=[], arms=arms)
    summary = summarise(table, samples=0, price_notes={}, failures={})
    assert [arm.pass_at_k for arm in summary.solvers] == [(), ()]


def test_models_keep_their_order_and_each_has_an_arm_under_each_strategy() -> None:
    summary = summary_of([row(model=MODELS[1], strategy="loop")], strategies=["oneshot", "loop"])
    assert [(arm.model, arm.strategy) for arm in summary.solvers] == [
        (MODELS[0], "oneshot"),
        (MODELS[0], "loop"),
        (MODELS[1], "oneshot"),
        (MODELS[1], "loop"),
    ]
    assert [arm.label for arm in summary.solvers] == [
        "small (oneshot)",
        "small (loop)",
        "large (oneshot)",
        "large (loop)",
    ]


def test_arms_may_go_to_different_depths() -> None:
    wanted = {(MODELS[0], "wide"): 4, (MODELS[0], "deep"): 1}
    summary = summarise(
        table_of([row(strategy="deep")], tasks=TASKS, arms=list(wanted)),
        samples=8,
        price_notes={},
        failures={},
        wanted=wanted,
    )
    assert summary.samples_per_issue == 4
    assert [[point.k for point in arm.pass_at_k] for arm in summary.solvers] == [[1, 2, 4], [1]]
    assert [arm.pending_samples for arm in summary.solvers] == [4 * len(TASKS), len(TASKS) - 1]


@pytest.mark.parametrize(
    ("arms", "runs", "names"),
    [
        (["m a", "n a"], "", (("m", "n"), "a", "model")),
        (["m a", "m b"], "", (("a", "b"), "m", "strategy")),
        (["m a", "n b"], "", (("m (a)", "n (b)"), "", "solver")),
        (["m a"], "", (("m",), "a", "model")),
        ([], "", ((), "", "model")),
        (["m a", "m a"], "xy", (("x", "y"), "m (a)", "run")),
        (["m a", "n a", "m a"], "xxy", (("x: m", "x: n", "y: m"), "a", "model")),
        (["m a", "m b", "m b"], "xxy", (("x: a", "x: b", "y: b"), "m", "strategy")),
    ],
)
def test_solvers_are_named_as_shortly_as_tells_them_apart(
    arms: list[str], runs: str, names: tuple[tuple[str, ...], str, str]
) -> None:
    pairs = [(f"openai:{model}", strategy) for model, strategy in map(str.split, arms)]
    assert dataclasses.astuple(short_names(pairs, runs)) == names


def test_models_of_one_last_part_are_named_in_full() -> None:
    arms = [("vllm:/x/same", "a"), ("vllm:/y/same", "a")]
    assert short_names(arms).each == ("vllm:/x/same", "vllm:/y/same")


@pytest.mark.parametrize(
    ("models", "labels"),
    [
        (["vllm:/models/small", "openai:gpt"], ["small", "gpt"]),
        (["http://127.0.0.1:8000/v1#org/small", "a#qwen:0.5b"], ["small", "qwen:0.5b"]),
        (["vllm:/x/same", "vllm:/y/same"], ["vllm:/x/same", "vllm:/y/same"]),
        (["vllm:/models/small/", "plain"], ["small", "plain"]),
    ],
)
def test_labels_are_short_and_tell_the_models_apart(models: list[str], labels: list[str]) -> None:
    assert [arm.label for arm in summary_of([], models=models).solvers] == labels


def test_labels_name_the_strategy_where_there_are_several() -> None:
    labels = solver_labels([("a:x", "s"), ("a:x", "loop"), ("b:y", "s")])
    assert list(labels.values()) == ["x (s)", "x (loop)", "y (s)"]


@given(SOME_ROWS)
def test_the_json_form_is_plain_and_complete(rows: list[SampleRow]) -> None:
    summary = summary_of(rows)
    plain = to_json(summary)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["schema"] == 2
    assert set(plain) - {"schema"} == {field.name for field in dataclasses.fields(Summary)}
    assert plain["solvers"][0]["outcomes"] == summary.solvers[0].outcomes
    assert [point["k"] for point in plain["solvers"][0]["pass_at_k"]] == [1, 2, 4]
