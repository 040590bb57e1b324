"""What the samples of a run used, on the four axes that a cost can be told on.

Money, tokens, accelerator seconds and FLOPs; an amount that is unknown is NaN in an array and None
alone, never 0. Verification is a column of its own and on none of the axes. A FLOP count is an
estimate by the number of parameters, not a measurement.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from agent.backend import Usage
from agent.local.weights import MODELS
from eval import cost
from eval.cost import money
from eval.cost_at_k import patches
from eval.sample import Failed
from eval.table import Floats, SampleTable

Axis = Literal["money", "tokens", "accelerator_seconds", "flops"]
AXES: tuple[Axis, ...] = get_args(Axis)
UNITS: Mapping[Axis, str] = MappingProxyType(
    {
        "money": "US dollars",
        "tokens": "tokens",
        "accelerator_seconds": "accelerator seconds",
        "flops": "FLOPs",
    }
)
"""What one of each axis is."""

WHOLE = 100
"""From here on an amount is written without decimals."""

FLOPS_PER_TOKEN = 2
"""For each parameter: one multiplication and one addition."""

BF16_BYTES = 2

_PARAMETERS = re.compile(r"(\d+(?:\.\d+)?(?:e\d{1,2})?)([kmbt]?)", re.IGNORECASE)
_TIMES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}

NONE_FAILED = Failed()


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What one arm used in all, with or without verdicts."""

    samples: int
    solved: int
    # Issues with at least one resolved sample.
    usage: Usage
    # Tokens by kind, calls and their seconds; those of failed draws apart.
    verify_seconds: float | None
    # Equal patches of an issue are verified, and count, once; on none of the axes.
    failed_cost: float | None
    # US dollars for failed draws, a part of money.
    failed_usage: Usage | None
    # What these used, None when any of it is unknown.
    totals: Mapping[Axis, float | None]
    # On each axis, failed draws included; None when any of it is unknown.

    def per_sample(self, axis: Axis) -> float | None:
        """Mean of one sample; None when nothing was drawn or the amount is unknown."""
        return cost.cost_per_sample(self.totals[axis], self.samples)

    def per_solve(self, axis: Axis) -> float | None:
        """Amount for each issue solved; None when none was or the amount is unknown."""
        return cost.cost_per_solve(self.totals[axis], self.solved)


def spent(
    table: SampleTable,
    arm: int,
    *,
    failed: Failed = NONE_FAILED,
    parameters: Mapping[str, float] = MappingProxyType({}),
) -> Spent:
    """Sum up one arm of a run, `arm` being its position in `table.arms`.

    `failed` is what its failed draws used; `parameters` as in `amounts`.
    """
    chosen = table.arm == arm
    model, _ = table.arms[arm]
    totals = {
        axis: cost.add(
            _known(amounts(table, axis, parameters)[chosen].sum()),
            failed_amount(failed, axis, model, parameters),
        )
        for axis in AXES
    }
    return Spent(
        samples=int(chosen.sum()),
        solved=np.unique(table.task[chosen & table.resolved]).size,
        usage=table.usage(chosen),
        verify_seconds=_known(patches(table, arm).seconds.sum()),
        failed_cost=failed.cost,
        failed_usage=failed.usage,
        totals=totals,
    )


def amounts(
    table: SampleTable, axis: Axis, parameters: Mapping[str, float] = MappingProxyType({})
) -> Floats:
    """Return what every sample used on one axis, in its unit of `UNITS`; NaN where unknown.

    Tokens are all that went in, cached or not, and all that came out, reasoning included; those of
    an arm without any were used elsewhere, as those of predictions that are only verified: unknown.
    An arm without any accelerator time is behind an API that does not tell it: unknown. FLOPs are
    2 N (input - cached + output) with N parameters, the forward pass of Kaplan et al. 2020
    (section 2.1) without its attention term, which grows with the context; a token from the
    prefix cache is not computed again. `parameters` gives N by the name of the model and goes
    before `parameters_of`; of a mixture of experts it is the active ones.
    """
    if axis == "money":
        return table.cost
    if axis == "accelerator_seconds":
        return _where_any(table, table.accelerator_seconds)
    tokens = _where_any(table, (table.input_tokens + table.output_tokens).astype(np.float64))
    if axis == "tokens":
        return tokens
    sizes = [parameters.get(model, parameters_of(model)) for model, _ in table.arms]
    size = np.array([math.nan if size is None else size for size in sizes], dtype=np.float64)
    return FLOPS_PER_TOKEN * size[table.arm] * (tokens - table.cached_tokens)


def failed_amount(
    failed: Failed,
    axis: Axis,
    model: str,
    parameters: Mapping[str, float] = MappingProxyType({}),
) -> float | None:
    """Return what failed draws at a model used on one axis, counted as in `amounts`."""
    used = failed.usage
    if axis == "money":
        return failed.cost
    if used is None:
        return None
    if axis == "accelerator_seconds":
        return used.accelerator_seconds
    tokens = used.input_tokens + used.output_tokens
    if axis == "tokens" or not tokens:
        return float(tokens)
    size = parameters.get(model, parameters_of(model))
    return None if size is None else FLOPS_PER_TOKEN * size * (tokens - used.cached_tokens)


def parameters_of(model: str) -> float | None:
    """Return the number of parameters of a model whose weights ksolve knows, else None.

    `model` is a name as in `SampleTable.arms`, such as `vllm:qwen2.5-coder-0.5b`. It is what the
    bytes of the bf16 weights say, a few hundredths of a per mille high for the file's header. The
    embedding counts once: it is the output layer too.
    """
    name = model.partition("#")[2] or model.partition(":")[2] or model
    return MODELS[name].bytes / BF16_BYTES if name in MODELS else None


def read_parameters(text: str) -> float:
    """Read a number of parameters such as 7e9, 7B, 500M or 32b. Raises ValueError."""
    found = _PARAMETERS.fullmatch(text.strip())
    number = float(found[1]) * _TIMES[found[2].lower()] if found else 0.0
    if not number:
        raise ValueError(f"{text!r} is no number of parameters")
    return number


def written(amount: float | None, axis: Axis, *, digits: int = 2, has_unit: bool = False) -> str:
    """Write an amount of an axis; `digits` are those of money, whose unit is always there."""
    if amount is None:
        return "unknown"
    if axis == "money":
        return money(amount, digits)
    text = f"{amount:,.0f}" if amount >= WHOLE else f"{amount:.3g}"
    text = f"{amount:.1e}" if axis == "flops" else text
    return f"{text} {UNITS[axis]}" if has_unit else text


def _where_any(table: SampleTable, used: Floats) -> Floats:
    """Make unknown what an arm used that used nothing at all."""
    total = np.bincount(table.arm, used, minlength=len(table.arms))
    return np.where(total[table.arm] > 0, used, np.nan)


def _known(amount: float) -> float | None:
    return None if math.isnan(amount) else float(amount)
