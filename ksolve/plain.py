"""Findings for programs: JSON with everything in it, CSV with a row for each solver and k.

Shares are 0 to 1, costs are in the unit that is said, null or an empty field is unknown.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from typing import Any

from eval.axes import AXES, UNITS
from eval.coverage import ladder
from eval.scaling import REACH
from eval.selection.votes import PURE
from eval.summary import SCHEMA, to_json
from eval.suspected import samples
from ksolve.chosen import Worth
from ksolve.findings import TARGETS, Findings, Solver

CHOSEN = tuple(method.name for method in PURE)
"""Methods of selection that the CSV tells of at every k."""

COLUMNS = (
    "run",
    "model",
    "strategy",
    "k",
    "issues",
    "excluded",
    "coverage",
    "coverage_low",
    "coverage_high",
    "coverage_without_suspicious",
    "axis",
    "per_sample",
    "per_issue",
    "per_solve",
    "per_solve_low",
    "per_solve_high",
    "per_issue_until_solved",
    "per_solve_until_solved",
    "verify_seconds_per_issue",
    *(f"chosen_{method}" for method in CHOSEN),
)
"""Of the CSV: `low` and `high` are ends of 95% intervals, costs are those of drawing all k, or of
drawing until the first solve; `chosen` is what one patch of k solves."""


def as_json(of: Findings) -> str:
    """Return the summary of each run and, under `analysis`, what is worked out besides.

    Of one run its keys stand at the top, as in `eval.summary.to_json`; of several under `runs`.
    """
    runs = [
        {
            "name": run.name,
            "left_out": list(run.left_out),
            "not_believed": run.not_believed,
            **to_json(run.summary),
        }
        for run in of.runs
    ]
    analysis = {
        "axis": of.axis,
        "unit": UNITS[of.axis],
        "axis_why": of.axis_why,
        "solvers": [_solver(solver) for solver in of.solvers],
        "together": _plain(of.together),
        "frontier": _plain(of.frontier),
        "break_evens": _plain(of.break_evens),
        "equal_costs": _plain(of.equal_costs),
        "paired": [_plain(pair) for pairs in of.paired.values() for pair in pairs],
        "suspicious": [
            {
                "run": run.name,
                **dataclasses.asdict(key),
                "suspicions": [_plain(one) for one in found],
            }
            for run in of.runs
            for key, found in run.store.ask(samples).items()
        ],
        "selection_together": [_worth(one) for one in of.together_chosen],
    }
    told: dict[str, Any] = runs[0] if len(runs) == 1 else {"schema": SCHEMA, "runs": runs}
    return json.dumps({**told, "analysis": analysis}, indent=2, allow_nan=False) + "\n"


def as_csv(of: Findings) -> str:
    """Return a tidy table with the columns of `COLUMNS`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for solver in of.solvers:
        every_k = zip(solver.arm.pass_at_k, solver.costs, solver.until_solved, strict=True)
        believed = solver.arm.without_suspicious
        strict = {one.k: one for one in (believed.pass_at_k if believed else ())}
        chosen = {
            (result.method, one.k): one.coverage
            for result in (solver.selection.results if solver.selection else ())
            if not result.settings
            for one in result.at_k
        }
        for point, at, until in every_k:
            writer.writerow(
                [
                    solver.run.name,
                    solver.arm.model,
                    solver.arm.strategy,
                    point.k,
                    point.issues,
                    point.excluded,
                    point.coverage,
                    point.low,
                    point.high,
                    strict.get(point.k, point).coverage,
                    of.axis,
                    at.per_sample,
                    at.per_issue,
                    at.per_solve,
                    at.low,
                    at.high,
                    until.per_issue,
                    until.per_solve,
                    at.verify_seconds,
                    *(chosen.get((method, point.k)) for method in CHOSEN),
                ]
            )
    return out.getvalue()


def _solver(solver: Solver) -> dict[str, Any]:
    scaling, spent = solver.scaling, solver.spent
    predicted = [scaling.predict(k) for k in ladder(REACH * scaling.depth)]
    return {
        "label": solver.label,
        "run": solver.run.name,
        "model": solver.arm.model,
        "strategy": solver.arm.strategy,
        "spent": {
            **_plain(spent),
            "per_sample": {axis: spent.per_sample(axis) for axis in AXES},
            "per_solve": {axis: spent.per_solve(axis) for axis in AXES},
        },
        "costs": _plain(solver.costs),
        "until_solved": _plain(solver.until_solved),
        "scaling": {
            "law": _plain(scaling.law),
            "cannot_say": scaling.cannot_say,
            "issues": scaling.issues,
            "depth": scaling.depth,
            "excluded": scaling.excluded,
            "held_out_beyond": scaling.held_out_beyond,
            "law_error": scaling.law_error,
            "ceiling": None if scaling.ceiling is None else _interval(*scaling.ceiling.top),
            "ceiling_error": scaling.ceiling_error,
            "measured": [
                {"k": k, "coverage": share}
                for k, share in zip(scaling.ks, scaling.measured, strict=True)
            ],
            "predicted": [_plain(one) for one in predicted if one.coverage is not None],
            "needed": [_plain(scaling.samples_for(target)) for target in TARGETS],
        },
        "selection": _plain(solver.selection),
        "selection_as_of": [_worth(one) for one in solver.choices if one.as_of],
    }


def _interval(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


def _worth(one: Worth) -> dict[str, Any]:
    """Return an evaluation beside the number of samples that there are now."""
    return {"label": one.label, "samples": one.samples, **_plain(one.evaluation)}


def _plain(value: Any) -> Any:
    """Return dataclasses, and what holds them, as dicts and lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: _plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return dict(value) if hasattr(value, "items") else value
