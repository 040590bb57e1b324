"""Each pair of solvers has a row of a report, and of many solvers some pairs have."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from eval.store import open_run
from ksolve.findings import Findings, findings, read_run
from ksolve.report import markdown, terminal
from tests.ksolve.recorded import SMALL, record

Found = Callable[..., Findings]


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Found]:
    """The findings of a run that is recorded so, or of runs in these folders."""

    def found(*folders: Path, **recorded: Any) -> Findings:
        place = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        made = folders or (record(place, **recorded),)
        return findings([read_run(stack.enter_context(open_run(folder))) for folder in made])

    with ExitStack() as stack:
        yield found


def printed(of: Findings) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(terminal(of))
    return out.getvalue()


def pairs(text: str, first: str, second: str) -> list[list[str]]:
    """Return the rows of a pair; on a terminal a first name is not said again."""
    found, name = [], ""
    for line in text.split("\n"):
        (*cells,) = re.split(r" *\| *| {2,}", line.rstrip().strip("|").rstrip())
        cells = [cell.strip() for cell in cells]
        name = cells[0] or name
        if cells[1:2] == [second] and name == first:
            found.append(cells[2:])
    return found


FORMS = pytest.mark.parametrize("form", [markdown, printed])


@FORMS
def test_every_pair_of_a_few_solvers_has_its_row(
    found: Found, form: Callable[[Findings], str]
) -> None:
    of = found(models=["a", "b", "c"], issues=6, samples=4, dearer=3.0)
    text = form(of)
    for way, even in zip(of.equal_costs, of.break_evens, strict=True):
        assert way.difference is not None
        more = pairs(text, way.a, way.b)[0]
        assert more[1] == f"{100 * way.difference:+.1f}"
        assert even.coverage is not None
        as_much = [row for row in pairs(text, even.cheap, even.dear) if len(row) == 3]
        assert f"{even.coverage:.0%}" in [row[0] for row in as_much]
    for k, compared in of.paired.items():
        for pair in compared:
            assert pair.difference is not None
            told = [row for row in pairs(text, pair.a, pair.b) if row[0] == str(k)]
            assert f"{100 * pair.difference:+.1f}" in [row[3] for row in told]
            assert f"{pair.permutation_holm:.3f}" in [row[5] for row in told]


def test_each_of_many_solvers_is_held_against_the_one_that_solves_most(found: Found) -> None:
    of = found(models=[f"m{i}" for i in range(5)], issues=6, samples=1)
    text = printed(of)
    assert "Each is compared with m3, which solves the most issues; all pairs (10 in all)" in text
    for k in of.paired:
        told = [row for row in pairs(text, "m0", "m3") if row[0] == f"{k}"]
        assert len(told) == 1
    assert not pairs(text, "m0", "m1")
    assert "Each is compared" not in printed(found(models=["a", "b", "c", "d"], issues=6))
    nine = found(models=[f"m{i}" for i in range(9)], issues=6)
    # Six pairs of the best four, and the best with each of five more.
    assert "the pairs of the best few (11 in all)" in printed(nine)
    assert {len(pairs) for pairs in nine.paired.values()} == {11}


def test_of_solvers_without_an_issue_in_common_no_row_says_who_solves_more(
    tmp_path: Path, found: Found
) -> None:
    runs = [
        record(tmp_path / name, models=[SMALL], issues=[f"{name}1", f"{name}2"]) for name in "abc"
    ]
    text = markdown(found(*runs))
    told = pairs(text, "a", "b")
    assert told[0] == ["no issue in common", "-", "-", "-"]
    assert told[1] == ["-", "cannot say", "-"]
    assert "on 0 issues" in text
    assert "cannot be said, because" not in text
