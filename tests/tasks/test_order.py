"""The random order of tasks: by the seed alone, whatever other tasks there are."""

from __future__ import annotations

from tasks.order import shuffled
from tasks.task import EXIT_CODE_PARSER, Issue, Oracle, Task


def made(name: str) -> Task:
    oracle = Oracle(
        eval_script="run", fail_to_pass=("t",), pass_to_pass=(), log_parser=EXIT_CODE_PARSER
    )
    issue = Issue(id=name, statement="s", repo="r", base_commit="c", image="i")
    return Task(issue=issue, oracle=oracle)


EVERY = [made(f"{repo}-{number}") for repo in "abcd" for number in range(25)]


def test_two_tasks_keep_their_order_when_others_come_or_go() -> None:
    whole = shuffled(EVERY, 3)
    for part in (EVERY[:40], EVERY[::7], EVERY[::-1][:9]):
        assert shuffled(part, 3) == [task for task in whole if task in part]


def test_each_seed_has_an_order_of_its_own_which_mixes_the_repositories() -> None:
    orders = [[task.id for task in shuffled(EVERY, seed)] for seed in range(5)]
    assert len({tuple(order) for order in orders}) == 5
    assert all({name[0] for name in order[:40]} == set("abcd") for order in orders)


def test_the_order_stays_what_it_is_from_version_to_version() -> None:
    """A run that goes on under another version goes on in its order."""
    assert [task.id for task in shuffled(EVERY)][:5] == ["d-15", "b-24", "b-6", "c-15", "c-14"]
