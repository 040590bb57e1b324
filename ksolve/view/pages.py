"""What each address shows. Everything is read when it is asked for; long lists come in parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import numpy as np
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from eval.cost import money
from eval.failures import failures
from eval.sample import SampleKey
from eval.verdict import OUTCOMES
from ksolve.sentences import must_still_pass
from ksolve.view import figures, queries, turns
from ksolve.view.folders import Runs
from ksolve.view.rundb import UnreadableError
from ksolve.view.samples import Drawn, drawn_sample
from ksolve.view.standing import Standing
from ksolve.view.statements import Statements
from ksolve.view.templating import page
from ksolve.view.testlog import TAIL, excerpts
from ksolve.view.texts import patch, statement
from ksolve.view.watch import Watch

ISSUES, SAMPLES, FAILURES = 200, 100, 20
"""Issues, samples and failures on one page."""

_DIGITS = 9
# Of a number in an address: more are none of ours.


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Which part of a list a page holds."""

    number: int
    # From 1.
    parts: int
    total: int

    def slice(self, size: int) -> slice:
        """Return its entries."""
        return slice((self.number - 1) * size, self.number * size)


class Pages:
    """The pages over some runs. Methods block: Starlette calls them in threads."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self._statements = Statements()

    def overview(self, _: Request) -> Response:
        """Every run."""
        listed = [_listed(name, watch) for name, watch in self.runs.found().items()]
        return _html("runs.html", runs=listed, places=[str(place) for place in self.runs.places])

    def run(self, request: Request) -> Response:
        """One run: how far it is, its coverage, its issues."""
        name, watch = self._run(request)
        at = watch.now()
        asked = request.query_params
        chosen = _chosen(at, show=asked.get("show", "all"), find=asked.get("find", ""))
        part = _part(asked, len(chosen), ISSUES)
        with watch.files.records() as connection:
            failed = failures(connection) if at.failures else []
        answer = _html(
            "run.html",
            run=name,
            at=at,
            folder=str(watch.files.folder),
            facts=figures.facts(at),
            progress=figures.progress(at),
            solvers=figures.solvers(at),
            deepest=at.wanted[0] if len(set(at.wanted)) == 1 else "k, as planned",
            outcomes=figures.outcomes(at),
            chart=figures.chart(at),
            issues=chosen[part.slice(ISSUES)],
            cells=figures.cells(at),
            part=part,
            asked={"show": asked.get("show", "all"), "find": asked.get("find", "")},
            # The newest first.
            failures=failed[: -FAILURES - 1 : -1],
            notes=list(_notes(at.config)),
        )
        # Reading a dataset takes seconds, and the next thing to be looked at is an issue.
        self._statements.prepare(at.config)
        return answer

    def chart(self, request: Request) -> Response:
        """Only the curves, to be put into a page that is open."""
        return HTMLResponse(figures.chart(self._run(request)[1].now()))

    def issue(self, request: Request) -> Response:
        """One issue: what it says, and all samples."""
        name, watch = self._run(request)
        at = watch.now()
        issue = _number(request, "issue", len(at.issues))
        said = self._statements.of(at.config, at.issues[issue])
        asked = request.query_params
        arm = _option(asked.get("solver"), [str(i) for i in range(len(at.arms))])
        outcome = _option(asked.get("outcome"), [*OUTCOMES, "pending"])
        sizes = _sizes(at, issue, arm, outcome)
        part = _part(asked, sum(sizes), SAMPLES)
        listed = []
        with watch.files.records() as connection:
            skip, left = (part.number - 1) * SAMPLES, SAMPLES
            for i, size in enumerate(sizes):
                if skip < size and left:
                    found = queries.lines(
                        connection,
                        at.issues[issue],
                        at.arms[i],
                        outcome=outcome,
                        skip=skip,
                        most=left,
                    )
                    listed += [(i, line) for line in found]
                    left -= len(found)
                skip = max(0, skip - size)
        return _html(
            "issue.html",
            run=name,
            at=at,
            issue=issue,
            statement=said,
            words=statement(said.text),
            labels=at.labels,
            cells=figures.cells(at),
            outcomes=_issue_outcomes(at, issue),
            listed=listed,
            part=part,
            asked={"solver": arm or "", "outcome": outcome or ""},
        )

    def sample(self, request: Request) -> Response:
        """One sample: transcript, patch, verdict, log."""
        name, watch = self._run(request)
        at = watch.now()
        issue, arm, index, drawn = self._drawn(request, watch, at)
        prompt, steps = turns.steps(drawn.sample.proposal.trajectory)
        return _html(
            "sample.html",
            run=name,
            at=at,
            issue=issue,
            arm=arm,
            index=index,
            labels=at.labels,
            prompt=prompt,
            steps=steps,
            steps_left=max(0, len(drawn.sample.proposal.trajectory) - turns.TURNS),
            drawn=drawn,
            side=_shown(drawn),
        )

    def compare(self, request: Request) -> Response:
        """Two samples of an issue side by side."""
        name, watch = self._run(request)
        at = watch.now()
        issue = _number(request, "issue", len(at.issues))
        sides = []
        for side in ("left", "right"):
            arm, index = _named(request.query_params.get(side, ""), len(at.arms))
            drawn = drawn_sample(watch.files, _key(at, issue, arm, index))
            sides.append({"arm": arm, "index": index, **_shown(drawn)})
        return _html(
            "compare.html",
            run=name,
            at=at,
            issue=issue,
            labels=at.labels,
            sides=sides,
            tests=_failing_where([side["drawn"] for side in sides]),
        )

    def raw_patch(self, request: Request) -> Response:
        """The patch as it was given."""
        _, watch = self._run(request)
        *_, drawn = self._drawn(request, watch, watch.now())
        return _plain(drawn.sample.proposal.patch)

    def raw_log(self, request: Request) -> Response:
        """The whole log of the tests."""
        _, watch = self._run(request)
        *_, drawn = self._drawn(request, watch, watch.now())
        return _plain(drawn.verdict.log if drawn.verdict else "")

    def raw_turn(self, request: Request) -> Response:
        """All of one turn."""
        _, watch = self._run(request)
        *_, drawn = self._drawn(request, watch, watch.now())
        said = drawn.sample.proposal.trajectory
        number = _number(request, "turn", len(said) + 1, least=1)
        return _plain(turns.whole(said[number - 1]))

    def _run(self, request: Request) -> tuple[str, Watch]:
        name = request.path_params["run"]
        return name, self.runs.watch(name)

    def _drawn(self, request: Request, watch: Watch, at: Standing) -> tuple[int, int, int, Drawn]:
        issue = _number(request, "issue", len(at.issues))
        arm = _number(request, "arm", len(at.arms))
        index = _number(request, "index", 10**_DIGITS)
        return issue, arm, index, drawn_sample(watch.files, _key(at, issue, arm, index))


def unreadable(_: Request, error: Exception) -> Response:
    """Tell in one sentence why there is no page."""
    assert isinstance(error, UnreadableError)
    return _html("sentence.html", error.status, said=str(error))


def not_found(_: Request, _error: Exception) -> Response:
    """Answer to an address that nothing is at."""
    return _html("sentence.html", HTTPStatus.NOT_FOUND, said="There is no such page.")


def _html(template: str, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> Response:
    return HTMLResponse(page(template, **values), status)


def _plain(text: str) -> Response:
    return PlainTextResponse(text.encode("utf-8", "replace"))


def _listed(name: str, watch: Watch) -> Mapping[str, Any]:
    """Return what the list says of a run, which may be why nothing can be said."""
    folder = str(watch.files.folder)
    try:
        at = watch.now()
    except UnreadableError as error:
        return {"name": name, "folder": folder, "said": str(error), "at": None}
    return {
        "name": name,
        "folder": folder,
        "at": at,
        "facts": figures.facts(at),
        "progress": figures.progress(at),
        "labels": at.labels,
    }


def _shown(drawn: Drawn) -> dict[str, Any]:
    """Return what a page shows of a sample beside its transcript."""
    verdict, log = drawn.verdict, drawn.verdict.log if drawn.verdict else ""
    fail_to_pass = verdict.missing_fail_to_pass if verdict else ()
    pass_to_pass = verdict.missing_pass_to_pass if verdict else ()
    return {
        "drawn": drawn,
        "patch": patch(drawn.sample.proposal.patch),
        "fail_to_pass": excerpts(log, fail_to_pass),
        "pass_to_pass": excerpts(log, pass_to_pass),
        "must_still_pass": must_still_pass(drawn.sample.key),
        "log": log[-TAIL:],
        "log_left": max(0, len(log) - TAIL),
    }


def _failing_where(sides: Sequence[Drawn]) -> list[tuple[str, list[bool | None]]]:
    """Return the tests that are missing on either side, and on which; None where none were run."""
    missing = [
        set(one.verdict.missing_fail_to_pass + one.verdict.missing_pass_to_pass)
        if one.verdict and one.verdict.outcome in {"resolved", "unresolved"}
        else None
        for one in sides
    ]
    tests = sorted(set().union(*(one for one in missing if one)))
    return [(test, [None if one is None else test in one for one in missing]) for test in tests]


def _notes(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what the configuration says beside solvers and samples, by name."""
    said = [("dataset", str(config.get("tasks", "unknown")))]
    said += [(f"price of {model}", str(price)) for model, price in config.get("prices", {}).items()]
    said += [
        (f"parameters of {model}", f"{n:g}") for model, n in config.get("parameters", {}).items()
    ]
    for solver, settings in config.get("settings", {}).items():
        said.append((solver, ", ".join(f"{name} {value}" for name, value in settings.items())))
    for name, amount in zip(
        ("in all", "an issue", "a sample"), config.get("budgets", ()), strict=False
    ):
        if amount is not None:
            said.append((f"budget {name}", money(amount)))
    return said


def _chosen(at: Standing, *, show: str, find: str) -> list[int]:
    """Return the positions of the issues that are asked for."""
    solved = at.resolved.any(axis=0)
    open_ = (at.judged < np.array(at.wanted, dtype=np.int64)[:, None]).any(axis=0)
    wanted = {"solved": solved, "unsolved": ~solved, "pending": open_}.get(
        show, np.ones_like(solved)
    )
    word = find.strip().lower()
    return [i for i in np.flatnonzero(wanted).tolist() if word in at.issues[i].lower()]


def _sizes(at: Standing, issue: int, arm: str | None, outcome: str | None) -> list[int]:
    """Return how many samples of an issue are listed of each solver."""
    counts = at.counts[:, issue, :]
    if outcome is not None:
        counts = counts[:, [(*OUTCOMES, "pending").index(outcome)]]
    sizes = counts.sum(axis=1).tolist()
    return [size if arm in {None, str(i)} else 0 for i, size in enumerate(sizes)]


def _issue_outcomes(at: Standing, issue: int) -> list[tuple[str, int]]:
    totals = at.counts[:, issue, :].sum(axis=0).tolist()
    return [(name, n) for name, n in zip((*OUTCOMES, "pending"), totals, strict=True) if n]


def _part(asked: QueryParams, total: int, size: int) -> Part:
    parts = max(1, -(-total // size))
    number = _digits(asked.get("part", "")) or 1
    return Part(number=min(max(number, 1), parts), parts=parts, total=total)


def _option(given: str | None, known: Sequence[str]) -> str | None:
    return given if given in known else None


def _key(at: Standing, issue: int, arm: int, index: int) -> SampleKey:
    model, strategy = at.arms[arm]
    return SampleKey(task_id=at.issues[issue], model=model, strategy=strategy, index=index)


def _named(text: str, arms: int) -> tuple[int, int]:
    """Read `SOLVER.INDEX`, as the form of an issue's page writes it."""
    arm, _, index = text.partition(".")
    numbers = _digits(arm), _digits(index)
    if numbers[0] is None or numbers[1] is None or numbers[0] >= arms:
        raise UnreadableError("Choose two samples of the issue, a left and a right one.")
    return numbers[0], numbers[1]


def _number(request: Request, name: str, below: int, *, least: int = 0) -> int:
    """Return a number of the address. Raises UnreadableError where there is nothing of it."""
    number = _digits(request.path_params[name])
    if number is None or not least <= number < below:
        raise UnreadableError(f"The run has no such {name}.")
    return number


def _digits(text: str) -> int | None:
    is_number = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
    return int(text) if is_number else None
