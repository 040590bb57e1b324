"""The report of findings as one HTML file: charts with their tables, issues, how to repeat it.

It computes nothing but places and percentages, needs neither a network nor a script to be read, and
says in a sentence what it has to leave out.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from eval.axes import AXES, UNITS, Axis, Spent, written
from eval.cost import count, percent
from eval.summary import Steady
from eval.suspected import samples
from ksolve import __version__, sentences
from ksolve.figures.coverage import needed, together
from ksolve.figures.figure import INTERVAL, Figure
from ksolve.findings import Findings, RunRead
from ksolve.headline import headline
from ksolve.pages.html import page
from ksolve.pages.issues import Drawn, IssueRow, issue_rows
from ksolve.pages.tables import Cell, Head, Table, cost, heads, number, share
from ksolve.report import ADAPTIVE

FAILURES_SHOWN = 200
"""Failures that are listed; of more it is said how many."""

# Values that a setting names; the rest are counted.
_LISTED = 30


def html(of: Findings, figures: Sequence[Figure], *, made: str = "") -> str:
    """Return the page; `made` says when it was made."""
    flaky = sorted({task for run in of.runs for task in run.summary.flaky})
    issues = issue_rows(
        [Drawn(table=one.run.table, arm=one.position, patch=one.patch) for one in of.solvers],
        set(flaky),
    )
    failures = [(run, failure) for run in of.runs for failure in run.failures]
    return page(
        "report.html",
        of=of,
        title=_title(of),
        made=made,
        version=__version__,
        lead=list(headline(of)),
        left_out=sentences.left_out(of),
        adaptive=[
            f"{run.name}: {ADAPTIVE}" if len(of.runs) > 1 else ADAPTIVE
            for run in of.runs
            if run.summary.adaptive
        ],
        facts=_facts(of),
        figures={figure.name: figure for figure in figures},
        results=_results(of),
        needed=needed(of),
        together=together(of),
        took=[_took(of), _tokens(of)],
        estimated=[*of.unread, *sentences.estimated(of), *sentences.billed(of)],
        paired=_paired(of),
        worth=[
            *(one.sentence for one in of.equal_costs),
            *(one.sentence for one in of.break_evens),
        ],
        pending=_pending(of),
        flaky=flaky,
        without_flaky=_again(
            of,
            [solver.arm.without_flaky for solver in of.solvers],
            "Coverage without the flaky issues",
        ),
        suspicious=sentences.suspicious(of),
        not_believed=sentences.not_believed(of),
        suspected=[line for run in of.runs for line in sentences.suspected(run.store.ask(samples))],
        without_suspicious=_again(
            of,
            [solver.arm.without_suspicious for solver in of.solvers],
            "Coverage with the suspicious ones as unresolved",
        ),
        failures=failures[:FAILURES_SHOWN],
        failures_left=max(len(failures) - FAILURES_SHOWN, 0),
        issues=issues,
        are_all_shown=_are_all_shown(issues),
        runs=[(run, _settings(run), again(run)) for run in of.runs],
    )


def again(run: RunRead) -> str:
    """Return the command that draws the same once more."""
    if run.sweep is not None:
        return "ksolve run --config sweep.toml --out runs/again"
    if "command" in run.config:
        return str(run.config["command"])
    if "predictions_digest" in run.config:
        return _verified_again(run.name, run.config)
    return _drawn_again(run.config)


def _drawn_again(config: Mapping[str, Any]) -> str:
    words = ["ksolve", "run", "--tasks", str(config.get("tasks"))]
    arms = [(str(model), str(strategy)) for model, strategy in config.get("arms", ())]
    for model in dict.fromkeys(model for model, _ in arms):
        words += ["--model", model]
    for strategy in dict.fromkeys(strategy for _, strategy in arms):
        words += ["--strategy", strategy]
    words += ["--samples", str(max(config.get("samples", (1,)), default=1))]
    settings: Mapping[str, Any] = next(iter(config.get("settings", {}).values()), {})
    for name in ("temperature", "top_p", "max_tokens", "seed", "context"):
        if settings.get(name) is not None:
            words += [f"--{name.replace('_', '-')}", str(settings[name])]
    if config.get("allocate") == "adaptive":
        words += ["--allocate", "adaptive"]
    budgets = zip(("", "-per-issue", "-per-sample"), config.get("budgets", ()), strict=False)
    for of, limit in budgets:
        if limit is not None:
            words += [f"--budget{of}", f"{limit:g}"]
    for task in config.get("task_ids", ()):
        words += ["--id", str(task)]
    return shlex.join([*words, "--out", "runs/again"])


def _verified_again(name: str, config: Mapping[str, Any]) -> str:
    """Return what judges the same predictions once more."""
    words = ["ksolve", "verify", "--tasks", str(config.get("tasks"))]
    # Not on record by earlier versions; the run holds them all the same.
    given = config.get("predictions")
    words += ["--predictions", str(given or "predictions.jsonl")]
    for task in config.get("task_ids", ()):
        words += ["--id", str(task)]
    command = shlex.join([*words, "--out", "runs/again"])
    if given is None:
        first = shlex.join(["ksolve", "export", name, "--predictions", "predictions.jsonl"])
        return f"{first}\n{command}"
    return command


def _title(of: Findings) -> str:
    issues = count(len(of.table.tasks), "issue")
    if len(of.runs) > 1:
        return f"{issues}, {len(of.runs)} runs side by side"
    if len(of.solvers) == 1:
        return f"{issues}, {of.solvers[0].label}"
    kind, shared = of.names.kind, of.names.shared
    many = f"{len(of.solvers):,} {'strategies' if kind == 'strategy' else f'{kind}s'}"
    return ", ".join(filter(None, [issues, many, shared]))


def _facts(of: Findings) -> list[tuple[str, str]]:
    """Return the few numbers that stand at the head of the page."""
    arms = [solver.arm for solver in of.solvers]
    costs = [solver.spent.totals[of.axis] for solver in of.solvers]
    known = [cost for cost in costs if cost is not None]
    best = max(of.solvers, key=lambda solver: solver.arm.solved, default=None)
    facts = [("samples drawn", f"{sum(arm.samples for arm in arms):,}")]
    if best is not None:
        facts.append((f"issues solved by {best.label}", f"{best.arm.solved} of {best.arm.issues}"))
    total = sum(known) if len(known) == len(costs) else None
    unit = "" if of.axis == "money" else f"{UNITS[of.axis]} "
    return [
        *facts,
        (f"{unit}spent, failed draws included", written(total, of.axis)),
        ("still pending", f"{sum(arm.pending_samples + arm.pending_verdicts for arm in arms):,}"),
    ]


def _results(of: Findings) -> Table:
    """Return a row a solver: how much is solved at the first and at the last k, and for what."""
    rows = []
    for solver in of.solvers:
        arm = solver.arm
        first, last = (arm.pass_at_k[0], arm.pass_at_k[-1]) if arm.pass_at_k else (None, None)
        total, per_solve = solver.spent.totals[of.axis], solver.spent.per_solve(of.axis)
        rows.append(
            [
                Cell(text=solver.label),
                number(last.k if last else 0),
                *(
                    share(point.coverage, point.low, point.high, issues=point.issues)
                    if point
                    else Cell(text="-")
                    for point in (first, last)
                ),
                Cell(text=f"{arm.solved} of {arm.issues}", value=arm.solved / (arm.issues or 1)),
                cost(total, of.axis) if arm.samples else Cell(text="-"),
                cost(per_solve, of.axis) if arm.solved or total is None else Cell(text="-"),
            ]
        )
    return Table(
        caption=f"Coverage in shares of the issues; in small the {INTERVAL}. {of.axis_why}",
        head=heads(
            of.names.kind, "k", "coverage at 1", "coverage at k", "solved", "cost", "cost per solve"
        ),
        rows=rows,
    )


def _took(of: Findings) -> Table:
    """Return what every solver used on every axis of cost, in all and for each solve."""
    return Table(
        caption="Used in all, and in small for each issue solved",
        head=heads(
            of.names.kind,
            "samples",
            *UNITS.values(),
            "US dollars of failed draws",
            "verification",
        ),
        rows=[
            [
                Cell(text=solver.label),
                number(solver.spent.samples),
                *(_amount(axis, solver.spent) for axis in AXES),
                cost(solver.spent.failed_cost, "money"),
                number(solver.spent.verify_seconds, ",.0f", unit=" s"),
            ]
            for solver in of.solvers
        ],
    )


def _amount(axis: Axis, spent: Spent) -> Cell:
    total, per_solve = spent.totals[axis], spent.per_solve(axis)
    small = "" if per_solve is None else f"{written(per_solve, axis)} a solve"
    return Cell(text=written(total, axis), value=total, small=small)


def _tokens(of: Findings) -> Table:
    return Table(
        caption="Tokens of all samples; cached ones are part of those in, reasoning of those out",
        head=heads(
            of.names.kind, "in", "cached", "out", "reasoning", "requests", "seconds of samples"
        ),
        rows=[
            [
                Cell(text=solver.label),
                number(used.input_tokens),
                number(used.cached_tokens),
                number(used.output_tokens),
                number(used.reasoning_tokens),
                number(used.calls),
                number(used.seconds),
            ]
            for solver in of.solvers
            for used in [solver.spent.usage]
        ],
    )


def _paired(of: Findings) -> Table:
    """Return what each two solvers did on the issues that both have."""
    return Table(
        caption="First minus second, at k samples of each issue",
        head=heads(
            "first and second",
            "k",
            "issues",
            "coverage",
            "difference",
            "solved by one only",
            "p (sign flips)",
            "p (McNemar)",
        ),
        rows=[
            [
                Cell(text=f"{pair.a} and {pair.b}"),
                number(k),
                number(pair.issues),
                Cell(
                    text=f"{_percent(pair.pass_a, pair.issues)} and "
                    f"{_percent(pair.pass_b, pair.issues)}",
                    value=pair.pass_a,
                ),
                _points(pair.difference, pair.low, pair.high),
                Cell(text=f"{pair.alone_a} and {pair.alone_b}", value=pair.alone_a - pair.alone_b),
                _p_value(pair.permutation_holm),
                _p_value(pair.mcnemar_holm),
            ]
            for k, pairs in of.paired.items()
            for pair in pairs
        ],
    )


def _percent(value: float | None, issues: int) -> str:
    return "-" if value is None else percent(value, issues)


def _points(value: float | None, low: float | None, high: float | None) -> Cell:
    """Write a difference of shares in percentage points."""
    if value is None:
        return Cell(text="-")
    small = "" if low is None or high is None else f"{100 * low:+.0f} to {100 * high:+.0f}"
    return Cell(text=f"{100 * value:+.1f} points", value=value, small=small)


def _p_value(p: float | None) -> Cell:
    if p is None:
        return Cell(text="-")
    return Cell(text="under 0.001" if p < 0.001 else f"{p:.3f}", value=p)  # noqa: PLR2004


def _pending(of: Findings) -> Table:
    waiting = [one for one in of.solvers if one.arm.pending_samples or one.arm.pending_verdicts]
    return Table(
        caption="What is still to be drawn or judged; in no rate",
        head=heads(of.names.kind, "samples pending", "verdicts pending", "failures of the system"),
        rows=[
            [
                Cell(text=one.label),
                number(one.arm.pending_samples),
                number(one.arm.pending_verdicts),
                number(one.arm.failures),
            ]
            for one in waiting
        ],
    )


def _again(of: Findings, solved: Sequence[Steady | None], caption: str) -> Table:
    return Table(
        caption=f"{caption}; in small the {INTERVAL}",
        head=heads(of.names.kind, "k", "coverage", "solved"),
        rows=[
            [
                Cell(text=solver.label),
                number(point.k),
                share(point.coverage, point.low, point.high, issues=point.issues),
                Cell(text=f"{steady.solved} of {steady.issues}", value=steady.solved),
            ]
            for solver, steady in zip(of.solvers, solved, strict=True)
            if steady is not None
            for point in (steady.pass_at_k[:1] + steady.pass_at_k[1:][-1:])
        ],
    )


def _are_all_shown(issues: list[IssueRow]) -> bool:
    cells = (cell for row in issues for cell in row.cells if cell is not None)
    return all(len(cell.samples) == cell.drawn for cell in cells)


def _settings(run: RunRead) -> Table:
    """Return the configuration of a run but for its tasks' names and what `again` returns."""
    left_out = {"task_ids", "command"}
    said = {name: value for name, value in run.config.items() if name not in left_out}
    flat = {
        f"{name}: {key}" if isinstance(value, dict) else name: inner
        for name, value in said.items()
        for key, inner in (value.items() if isinstance(value, dict) else [("", value)])
    }
    return Table(
        caption=f"Configuration of {run.name}",
        head=(Head(text="setting"), Head(text="value", is_words=True)),
        rows=[
            [
                Cell(text=name),
                Cell(text=_said(value)),
            ]
            for name, value in flat.items()
        ],
    )


def _said(value: object) -> str:
    """Write a value of a configuration for a person."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        parts = [f"{name} {_said(inner)}" for name, inner in sorted(value.items())]
    elif isinstance(value, list | tuple):
        parts = [_said(inner) for inner in value]
    else:
        return f"{value:,}" if isinstance(value, int) else str(value)
    more = f" and {len(parts) - _LISTED:,} more" if len(parts) > _LISTED else ""
    between = "; " if any(isinstance(inner, list | tuple | Mapping) for inner in value) else ", "
    return between.join(parts[:_LISTED]) + more or "none"
