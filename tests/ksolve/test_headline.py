"""The headline: too few issues first, and nothing that may be chance."""

from __future__ import annotations

from pathlib import Path

from eval.store import open_run
from ksolve.findings import Findings, findings, read_run
from ksolve.headline import headline
from tests.ksolve.recorded import SMALL, record


def lines(folder: Path) -> list[str]:
    with open_run(folder) as store:
        return list(headline(of_run(store)))


def of_run(store: object) -> Findings:
    return findings([read_run(store)])  # type: ignore[arg-type]


def test_few_issues_are_said_first(tmp_path: Path) -> None:
    first, *_ = lines(record(tmp_path / "few", issues=6, samples=4))
    assert first.startswith("6 issues are few: coverage of issues like these is known to about ")


def test_many_issues_are_not_called_few(tmp_path: Path) -> None:
    told = lines(record(tmp_path / "many", issues=400, samples=2))
    assert not any("few" in line for line in told)


def test_what_may_be_chance_is_not_called_more(tmp_path: Path) -> None:
    _, more, same_cost, *_ = lines(record(tmp_path / "chance", issues=6, samples=4))
    assert "may be chance" in more
    assert "cannot be said" in same_cost


def test_one_solver_alone_has_its_share_and_its_cost(tmp_path: Path) -> None:
    told = lines(record(tmp_path / "one", models=[SMALL], issues=6, samples=4))
    assert "samples each, and" in told[-1]
    assert "a solve cost $" in told[-1]
