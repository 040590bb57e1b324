"""What samples used on four axes, and that the unknown stays unknown on each of them."""

import math

import numpy as np
import pytest

from agent.backend import Usage
from eval.axes import (
    AXES,
    UNITS,
    Axis,
    amounts,
    parameters_of,
    read_parameters,
    spent,
    written,
)
from eval.sample import Failed
from eval.table import SampleRow, SampleTable, table_of

LOCAL, REMOTE = "vllm:qwen2.5-coder-0.5b", "openai:gpt"


def row(
    model: str, *, patch: str = "p", resolved: bool | None = False, **more: object
) -> SampleRow:
    usage = Usage(
        input_tokens=1_000,
        cached_tokens=400,
        output_tokens=200,
        reasoning_tokens=50,
        calls=2,
        accelerator_seconds=0.5 if model == LOCAL else 0.0,
    )
    fields = {
        "task_id": "t",
        "strategy": "s",
        "index": 0,
        "outcome": {True: "resolved", False: "unresolved", None: None}[resolved],
        "usage": usage,
        "cost": 0.25,
        "verify_seconds": None if resolved is None else 3.0,
        "seconds": 8.0,
    }
    return SampleRow(**{**fields, "model": model, "patch_digest": patch, **more})  # type: ignore[arg-type]


def run(*rows: SampleRow) -> SampleTable:
    models = sorted({row.model for row in rows})
    return table_of(rows, tasks=["t", "u"], arms=[(model, "s") for model in models])


def test_every_axis_has_its_unit() -> None:
    assert tuple(UNITS) == AXES == ("money", "tokens", "accelerator_seconds", "flops")


def test_flops_are_two_a_parameter_and_a_token_that_was_not_cached() -> None:
    table = run(row(REMOTE))
    assert amounts(table, "flops", {REMOTE: 7e9}) == pytest.approx([2 * 7e9 * 800])


def test_the_size_of_a_model_that_ksolve_serves_is_known() -> None:
    # Counted from the models' configurations.
    assert parameters_of("vllm:qwen2.5-coder-0.5b") == pytest.approx(494_032_768, rel=1e-4)
    assert parameters_of("vllm:qwen2.5-coder-1.5b") == pytest.approx(1_543_714_304, rel=1e-4)
    address = "http://127.0.0.1:8000/v1#qwen2.5-coder-0.5b"
    assert parameters_of(address) == parameters_of("qwen2.5-coder-0.5b")


def test_the_size_that_is_given_goes_before_the_one_that_is_known() -> None:
    table = run(row(LOCAL))
    assert amounts(table, "flops", {LOCAL: 1.0}) == pytest.approx([1600])


@pytest.mark.parametrize(
    ("text", "number"),
    [("7e9", 7e9), ("7B", 7e9), ("500M", 5e8), ("32b", 32e9), ("1.5b", 1.5e9), (" 3 ", 3.0)],
)
def test_a_size_is_read_as_people_write_it(text: str, number: float) -> None:
    assert read_parameters(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "B", "7G", "-7B", "0", "0B", "nan", "inf", "7e999", "7 B 8"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no number of parameters"):
        read_parameters(text)


def test_what_an_api_does_not_tell_is_unknown_and_not_nothing() -> None:
    table = run(row(REMOTE), row(LOCAL), row(LOCAL, usage=Usage()))
    assert parameters_of(REMOTE) is None
    for axis in ("accelerator_seconds", "flops"):
        found = amounts(table, axis)
        assert np.isnan(found).tolist() == [True, False, False]
        assert found[2] == 0.0  # This sample asked for nothing.
    remote = spent(table, table.arms.index((REMOTE, "s")))
    assert (remote.totals["accelerator_seconds"], remote.totals["flops"]) == (None, None)
    assert remote.per_sample("flops") is None


def test_an_arm_that_asked_nothing_used_an_unknown_number_of_tokens() -> None:
    """Of predictions that are only verified, what they took is not on record."""
    table = run(row(LOCAL, usage=Usage(), cost=None))
    for axis in AXES:
        assert np.isnan(amounts(table, axis)).all()
        assert spent(table, 0).totals[axis] is None


@pytest.mark.parametrize(
    ("amount", "axis", "text"),
    [
        (0.00042, "money", "$0.00042"),
        (1234.5, "tokens", "1,234 tokens"),
        (12.345, "tokens", "12.3 tokens"),
        (0.0512, "accelerator_seconds", "0.0512 accelerator seconds"),
        (166.2, "accelerator_seconds", "166 accelerator seconds"),
        (1.25e15, "flops", "1.2e+15 FLOPs"),
        (None, "tokens", "unknown"),
    ],
)
def test_an_amount_is_written_with_its_unit(amount: float | None, axis: Axis, text: str) -> None:
    assert written(amount, axis, has_unit=True) == text


def test_cached_and_reasoning_tokens_count_once() -> None:
    assert amounts(run(row(REMOTE)), "tokens").tolist() == [1_200]


def test_the_ledger_holds_all_that_was_paid_for_and_verification_beside_it() -> None:
    table = run(
        row(LOCAL, resolved=True, patch="good"),
        row(LOCAL, resolved=True, patch="good", index=1),
        row(LOCAL, resolved=None, patch="late", index=2),
        row(REMOTE, cost=100.0),
    )
    ledger = spent(table, table.arms.index((LOCAL, "s")), failed=Failed(cost=0.75))
    assert (ledger.samples, ledger.solved, ledger.usage.reasoning_tokens) == (3, 1, 150)
    assert ledger.totals["money"] == pytest.approx(1.5)
    assert ledger.totals["accelerator_seconds"] == pytest.approx(1.5)
    assert ledger.per_sample("money") == pytest.approx(0.5)
    assert ledger.per_solve("tokens") == 3_600
    assert ledger.verify_seconds == 3.0


def test_what_failed_attempts_used_is_on_every_axis() -> None:
    usage = Usage(input_tokens=90, cached_tokens=40, output_tokens=10, accelerator_seconds=0.25)
    table = run(row(LOCAL), row(REMOTE))
    failed = Failed(cost=0.75, usage=usage)
    remote, local = spent(table, 0, failed=failed), spent(table, 1, failed=failed)
    alone = spent(table, 1)
    assert (local.usage, local.failed_usage) == (alone.usage, usage)
    size = parameters_of(LOCAL)
    more = {axis: (local.totals[axis] or 0.0) - (alone.totals[axis] or 0.0) for axis in AXES}
    assert size is not None
    assert more == pytest.approx(
        {"money": 0.75, "tokens": 100, "accelerator_seconds": 0.25, "flops": 2 * size * 60}
    )
    # The model is behind an API, whatever else is known of it.
    assert (remote.totals["tokens"], remote.totals["accelerator_seconds"]) == (1_300, None)
    unknown = spent(table, 1, failed=Failed(cost=0.75, usage=None)).totals
    assert [axis for axis in AXES if unknown[axis] is not None] == ["money"]


@pytest.mark.parametrize("failed_cost", [None, 0.0])
def test_one_unknown_cost_makes_the_sum_unknown(failed_cost: float | None) -> None:
    table = run(row(REMOTE), row(REMOTE, index=1, cost=None if failed_cost == 0.0 else 0.25))
    ledger = spent(table, 0, failed=Failed(cost=failed_cost))
    assert ledger.totals["money"] is None
    assert ledger.per_solve("money") is None
    assert not math.isnan(ledger.totals["tokens"] or math.nan)
