"""What is run under a candidate speaks for it or against it: scripts, and the visible tests."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio

from agent.editing.diff import git_diff
from agent.limits import AgentLimits
from agent.reading.snapshot import read_snapshot
from agent.workspace import Observation
from eval.selection.candidates import Candidate, Candidates, NothingToAskError, select
from eval.selection.regression import Regression, breaks
from eval.selection.scripts import ScriptVote
from eval.selection.votes import MAJORITY
from sandbox.docker import DockerHost
from sandbox.fake import FakeHost, did
from sandbox.images import ensure_image
from sandbox.sandbox import ExecResult, SandboxError
from tasks.load import load_tasks
from tasks.task import Issue
from tests.eval.selection.tree import ISSUE, Tree, pool

RIGHT, OFF, WRONG = "width * height", "height", "width - height"


def says(script: str, held: str) -> ExecResult:
    """`right` tells right from wrong, `lenient` takes any edit, `blind` shows nothing."""
    fixed = RIGHT in held or "blind" in script or ("lenient" in script and bool(held))
    return did(0 if fixed else 2)


async def test_a_script_votes_for_the_candidates_that_it_calls_fixed() -> None:
    tree = Tree(says)
    scored = await ScriptVote(tree.host).score(
        pool(WRONG, RIGHT, "", RIGHT, scripts=["right", "lenient"])
    )
    assert scored.scores.tolist() == [1, 2, -np.inf, 2]
    # Equal candidates are run once: both scripts on the tree as it is, and under two patches.
    assert scored.effort.runs == len(tree.runs) == 6
    assert scored.effort.cost == 0.0


async def test_a_script_that_does_not_fail_on_the_tree_as_it_is_has_no_vote() -> None:
    tree = Tree(says)
    scored = await ScriptVote(tree.host).score(pool(WRONG, RIGHT, scripts=["blind"]))
    assert scored.scores.tolist() == [0, 0]
    assert [held for _, held in tree.runs] == [""]


async def test_a_script_written_twice_is_run_once_and_votes_twice() -> None:
    tree = Tree(says)
    scored = await ScriptVote(tree.host).score(pool(WRONG, RIGHT, scripts=["right", "right"]))
    assert scored.scores.tolist() == [0, 2]
    assert len(tree.runs) == 3


async def test_a_candidate_that_git_refuses_has_no_votes() -> None:
    tree = Tree(says, refuses="- height")
    scored = await ScriptVote(tree.host).score(pool(WRONG, RIGHT, scripts=["lenient"]))
    assert scored.scores.tolist() == [0, 1]


async def test_without_scripts_or_a_choice_no_container_is_opened() -> None:
    tree = Tree(says)
    for candidates in (pool(WRONG, RIGHT), pool(RIGHT, RIGHT, "", scripts=["right"])):
        scored = await ScriptVote(tree.host).score(candidates)
        assert scored.scores[0] == scored.scores[1] == 0
    assert tree.host.opened == 0


@pytest.mark.parametrize("method", [ScriptVote, Regression])
async def test_without_the_issue_it_says_what_to_give(
    method: type[ScriptVote | Regression],
) -> None:
    with pytest.raises(NothingToAskError, match=r"shapes-1.*give its tasks"):
        await method(Tree(says).host).score(pool(RIGHT, issue=None))


def suite(_: str, held: str) -> ExecResult:
    """Visible tests that a subtraction breaks."""
    return did(1, b"FAILED tests/test_area.py::test_zero - assert\n") if WRONG in held else did(0)


async def test_candidates_that_break_visible_tests_are_dropped() -> None:
    tree = Tree(suite)
    scored = await Regression(tree.host).score(pool(WRONG, RIGHT, OFF, WRONG))
    assert scored.scores.tolist() == [-np.inf, 0, 0, -np.inf]
    assert "pytest -q" in tree.runs[0][0]
    assert scored.effort.runs == len(tree.runs) == 4


async def test_among_those_that_are_left_another_method_chooses() -> None:
    method = Regression(Tree(suite).host, then=MAJORITY)
    scored = await method.score(pool(WRONG, WRONG, WRONG, RIGHT, OFF, OFF))
    assert method.name == "regression+majority"
    assert scored.scores.tolist() == [-np.inf] * 3 + [1, 2, 2]


async def test_where_all_break_the_tests_none_is_dropped() -> None:
    def all_break(_: str, held: str) -> ExecResult:
        return did(int(bool(held)))

    scored = await Regression(Tree(all_break).host).score(pool(WRONG, RIGHT))
    assert scored.scores.tolist() == [0, 0]


async def test_an_issue_that_shows_no_tests_drops_none() -> None:
    tree = Tree(suite)
    silent = dataclasses.replace(ISSUE, test_command="")
    scored = await Regression(tree.host).score(pool(WRONG, RIGHT, issue=silent))
    assert scored.scores.tolist() == [0, 0]
    assert tree.host.opened == 0


def ran(exit_code: int | None, text: str = "") -> Observation:
    return Observation(text=text, whole="", exit_code=exit_code, seconds=1.0)


OLD = "FAILED tests/a.py::old - TypeError\n"


@pytest.mark.parametrize(
    ("before", "after", "broken"),
    [
        (ran(0), ran(0), False),
        (ran(0), ran(1), True),
        (ran(0), ran(None), True),
        (ran(0), None, True),
        (ran(None), ran(1), False),
        (ran(1, OLD), ran(0), False),
        (ran(1, OLD), ran(1, OLD), False),
        (ran(1, OLD), ran(1, OLD + "FAILED tests/a.py::new[x y] - KeyError\n"), True),
        (ran(1, OLD), ran(2, "ERROR tests/a.py\n"), True),
        (ran(1, OLD), ran(1, "Segmentation fault\n"), True),
        (ran(1, "all went wrong"), ran(1, "FAILED tests/a.py::new\n"), False),
        (ran(1, "FAIL: test_old (t.T)\n"), ran(1, "ERROR: test_new (t.T)\n"), True),
    ],
)
def test_what_counts_as_broken(
    before: Observation, after: Observation | None, broken: bool
) -> None:
    assert breaks(before, after) is broken


async def test_a_fault_of_the_sandbox_is_raised_and_no_verdict_on_a_candidate() -> None:
    def gone(*_: object) -> ExecResult:
        raise SandboxError("The daemon is gone.")

    with pytest.raises(SandboxError, match="daemon is gone"):
        await select(Regression(FakeHost(gone)), [pool(WRONG, RIGHT)])


SHOWS_IT = "import sys\n\nfrom numkit.primes import is_prime\n\nsys.exit(2 if is_prime(9) else 0)\n"
PRIMES = "int(n**0.5) + 1"


@pytest_asyncio.fixture
async def numbers(base_image: str) -> AsyncIterator[tuple[DockerHost, Issue]]:
    (task,) = load_tasks("starter", ids=["ksolve__numkit-1"])
    async with DockerHost(run_id="test") as host:
        await ensure_image(host, task.issue.image, task.build, lambda _: None)
        yield host, task.issue


@pytest.mark.docker
async def test_in_a_container_scripts_and_tests_tell_candidates_apart(
    numbers: tuple[DockerHost, Issue],
) -> None:
    host, issue = numbers
    code = (await read_snapshot(issue, host)).texts["numkit/primes.py"]
    right = code.replace("int(n**0.5)", PRIMES)
    assert right != code
    answers = [
        code.replace("int(n**0.5)", "int(n**0.5) + 0"),
        right,
        right.replace("return True", "return False"),
        right.replace("    if n < 2", "    # Two is the first.\n    if n < 2"),
    ]
    candidates = Candidates(
        task_id=issue.id,
        issue=issue,
        texts={"numkit/primes.py": code},
        candidates=tuple(
            Candidate(
                model="m",
                strategy="s",
                index=index,
                patch=git_diff("numkit/primes.py", code, text),
                scripts=(SHOWS_IT,),
            )
            for index, text in enumerate(answers)
        ),
    )
    limits = AgentLimits(command_seconds=30.0)
    voted = await ScriptVote(host, limits=limits).score(candidates)
    kept = await Regression(host, limits=limits).score(candidates)
    assert voted.scores.tolist() == [0, 4, 4, 4]
    assert kept.scores.tolist() == [0, 0, -np.inf, 0]
