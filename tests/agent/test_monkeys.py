"""Tests and edits in turns: with the scripted model, on a fake tree and on real containers."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator, Sequence
from pathlib import PurePosixPath

import pytest
import pytest_asyncio

from agent.backend import (
    BackendError,
    Book,
    Completion,
    ContextOverflowError,
    LimitReachedError,
    Message,
    Sampling,
    Tool,
    Usage,
    no_book,
)
from agent.forms import form_for
from agent.limits import AgentLimits
from agent.monkeys import Monkeys
from agent.oneshot import Oneshot
from agent.reproduction import reproduction_form, script_from_answer
from agent.scripted import ScriptedBackend
from agent.seeds import request_seed
from agent.strategy import Proposal
from agent.trajectory import Turn, from_json, to_json
from agent.workspace import open_workspace
from sandbox.docker import DockerHost
from sandbox.fake import FakeHost, FakeSandbox, did
from sandbox.images import ensure_image
from sandbox.sandbox import ExecResult, SandboxError
from tasks.load import load_tasks
from tasks.task import Issue

CODE = "def area(width, height):\n    return width + height\n"
RIGHT, WRONG = "width * height", "width - height"
ISSUE = Issue(
    id="shapes-1", statement="area(2, 3) is 5, not 6", repo="shapes", base_commit="c", image="s:1"
)
LIMIT = 150
SAMPLING = Sampling(max_tokens=LIMIT, seed=7)


def edit(to: str = RIGHT) -> str:
    return (
        "shapes/area.py\n<<<<<<< SEARCH\n    return width + height\n=======\n"
        f"    return {to}\n>>>>>>> REPLACE\n"
    )


def script(kind: str) -> str:
    """An answer whose script does, in the fake tree, as its kind says."""
    return f"Here it is:\n\n```python\nimport sys  # {kind}\nsys.exit(2)\n```\n"


class Tree:
    """Answers as a sandbox with a repository would; scripts are told apart by their kind."""

    def __init__(self, *, refuses: str = "", leaves: bool = False) -> None:
        self.refuses = refuses
        # What a patch holds that git does not apply.
        self.leaves = leaves
        # Whether a script changes the tree.
        self.host = FakeHost(self.answer)
        self.runs: list[tuple[str, str]] = []
        # (script, patch) of every run.

    def answer(self, argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        if argv[0] == "tar":
            return did(stdout=_archive({"shapes/area.py": CODE, "README.md": "Shapes.\n"}))
        if argv[0] == "bash":
            listed = b"52 regular file:shapes/area.py\0"
            return did(stdout=listed if "ls-files" in argv[-1] else b"")
        if len(argv) != 4:
            return did(stdout=b"end\n")
        return self.command(argv[3], stdin.decode(), sandbox)

    def command(self, command: str, text: str, sandbox: FakeSandbox) -> ExecResult:
        here = PurePosixPath("/patch")
        if "/script.py" in command:
            patch = sandbox.files.get(here, b"").decode()
            self.runs.append((text, patch))
            return self.run(text, patch)
        if "--reverse" in command:
            del sandbox.files[here]
        elif " apply " in command:
            if self.refuses and self.refuses in text:
                return did(1, b"error: patch does not apply\n")
            assert here not in sandbox.files, "the tree was not put back"
            sandbox.files[here] = text.encode()
        return did(int(self.leaves) if "status" in command else 0)

    def run(self, text: str, patch: str) -> ExecResult:
        fixed = RIGHT in patch
        if "raises" in text:
            return did(1, b"Traceback (most recent call last):\nNameError: name 'x'\n")
        if "hangs" in text and (patch or "hangs later" not in text):
            return did(seconds=1e6)
        if "floods" in text:
            return did(0 if fixed else 2, b"y\n" * 200_000 + b"the end\n")
        if "lenient" in text:
            fixed = bool(patch)
        return did(0 if fixed or "blind" in text else 2, b"area is off\n")


def _archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(f"./{path}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


Answer = str | BackendError


class Model:
    """Answers questions for scripts and for edits from a list each, the last one for ever."""

    def __init__(
        self, scripts: Sequence[Answer], edits: Sequence[Answer], *, context_window: int = 32_768
    ) -> None:
        self.told = {"script": list(scripts), "edit": list(edits)}
        self.questions: list[tuple[str, tuple[Message, ...]]] = []
        self.seeds: list[int | None] = []
        self.backend = ScriptedBackend(self.answer, context_window=context_window)

    def answer(self, messages: Sequence[Message], sampling: Sampling) -> Answer:
        kind = "script" if "short Python script" in messages[0].content else "edit"
        self.questions.append((kind, tuple(messages)))
        self.seeds.append(sampling.seed)
        told = self.told[kind]
        return told.pop(0) if len(told) > 1 else told[0]

    @property
    def order(self) -> list[str]:
        return [kind for kind, _ in self.questions]

    def last(self, kind: str) -> str:
        return [asked for what, asked in self.questions if what == kind][-1][-1].content


async def draw(
    model: Model,
    tree: Tree | None = None,
    *,
    depth: int = 4,
    limits: AgentLimits | None = None,
    sampling: Sampling = SAMPLING,
) -> Proposal:
    monkeys = Monkeys(depth=depth, limits=limits or AgentLimits())
    return await monkeys.propose(ISSUE, model.backend, (tree or Tree()).host, sampling)


def turns(proposal: Proposal, source: str) -> list[Turn]:
    return [turn for turn in proposal.trajectory if turn.source == source]


def said(proposal: Proposal, source: str) -> list[str]:
    """What the model itself said, of the answers that the trajectory has a usage for."""
    return [turn.message.content for turn in turns(proposal, source) if turn.usage.calls]


async def test_a_script_and_a_right_edit_are_a_chain_of_two() -> None:
    model, tree = Model([script("good")], [edit()]), Tree()
    proposal = await draw(model, tree)
    assert model.order == ["script", "edit"]
    assert proposal.stop == "patch"
    assert f"+    return {RIGHT}" in proposal.patch
    assert "calls the edit fixed" in proposal.note
    assert [bool(patch) for _, patch in tree.runs] == [False, True]
    assert tree.runs[1][1] == proposal.patch


async def test_an_edit_that_the_script_does_not_call_fixed_is_revised_with_what_it_printed() -> (
    None
):
    model = Model([script("good"), "KEEP"], [edit(WRONG), edit()])
    proposal = await draw(model)
    assert model.order == ["script", "edit", "script", "edit"]
    assert RIGHT in proposal.patch
    question = model.last("edit")
    assert "exits with 2: not fixed" in question
    assert "area is off" in question
    assert WRONG in model.questions[-1][1][-2].content


async def test_every_script_edit_and_run_is_in_the_trajectory_by_its_name() -> None:
    model = Model([script("blind"), script("good"), "KEEP"], [edit(WRONG), edit()])
    proposal = await draw(model)
    assert said(proposal, "test") == [script("blind"), script("good"), "KEEP"]
    assert said(proposal, "edit") == [edit(WRONG), edit()]
    assert [turn.exit_code for turn in turns(proposal, "run unpatched")] == [0, 2]
    assert [turn.exit_code for turn in turns(proposal, "run patched")] == [2, 0]
    assert sum((turn.usage for turn in proposal.trajectory), Usage()) == proposal.usage
    assert from_json(to_json(proposal.trajectory)) == proposal.trajectory


async def test_every_question_is_in_the_trajectory_and_what_it_repeats_only_once() -> None:
    model = Model([script("good"), "KEEP"], [edit(WRONG)])
    proposal = await draw(model)
    contents = [turn.message.content for turn in proposal.trajectory]
    for _, question in model.questions:
        assert {message.content for message in question} <= set(contents)
    assert contents.count(model.questions[0][1][0].content) == 1


async def test_a_script_that_exits_with_0_on_the_unpatched_tree_is_worthless_and_asked_again() -> (
    None
):
    model = Model([script("blind"), script("good")], [edit()])
    proposal = await draw(model)
    assert model.order == ["script", "script", "edit"]
    assert "1 of 2 scripts are worthless" in proposal.note
    assert "worthless" in turns(proposal, "run unpatched")[0].message.content
    assert "worthless" not in turns(proposal, "run unpatched")[1].message.content
    assert "has to exit with 2" in model.last("script")


async def test_a_script_that_raises_is_worthless_and_its_traceback_is_shown() -> None:
    model = Model([script("raises"), script("good")], [edit()])
    proposal = await draw(model)
    assert "1 of 2 scripts are worthless" in proposal.note
    assert "NameError: name 'x'" in model.last("script")


async def test_a_worthless_script_is_never_evidence_for_an_edit() -> None:
    model, tree = Model([script("blind")], [edit(WRONG)]), Tree()
    proposal = await draw(model, tree, depth=3)
    assert model.order == ["script"] * 3 + ["edit"]
    assert all(not patch for _, patch in tree.runs)
    assert not turns(proposal, "run patched")
    assert "3 of 3 scripts are worthless" in proposal.note
    assert "no script tested the edit" in proposal.note
    assert (proposal.stop, WRONG in proposal.patch) == ("patch", True)
    assert "worthless" not in model.last("edit")


async def test_a_worthless_script_does_not_take_the_place_of_a_good_one() -> None:
    model = Model([script("good"), script("blind")], [edit(WRONG), edit()])
    proposal = await draw(model)
    assert RIGHT in proposal.patch
    assert "1 of 2 scripts are worthless" in proposal.note
    assert "calls the edit fixed" in proposal.note


async def test_a_new_script_is_run_on_the_last_edit_before_anything_else_is_asked() -> None:
    model, tree = Model([script("good"), script("lenient")], [edit(WRONG)]), Tree()
    proposal = await draw(model, tree)
    assert model.order == ["script", "edit", "script"]
    assert "lenient" in tree.runs[-1][0]
    assert (WRONG in proposal.patch, "calls the edit fixed" in proposal.note) == (True, True)


async def test_the_last_edit_is_the_patch_when_none_is_called_fixed() -> None:
    model = Model([script("good"), "KEEP"], [edit(WRONG), edit("width")])
    proposal = await draw(model, depth=2)
    assert "+    return width\n" in proposal.patch
    assert proposal.stop == "patch"
    assert "calls no edit fixed" in proposal.note


async def test_an_edit_of_no_use_does_not_take_the_place_of_one_that_applies() -> None:
    model = Model([script("good"), "KEEP"], [edit(WRONG), "I am not sure."])
    proposal = await draw(model, depth=3)
    assert (proposal.stop, WRONG in proposal.patch) == ("patch", True)
    assert model.order.count("edit") == 3


async def test_an_edit_that_git_does_not_apply_is_told_and_not_the_patch() -> None:
    model, tree = Model([script("good")], [edit(WRONG), edit()]), Tree(refuses=WRONG)
    proposal = await draw(model, tree)
    assert model.order == ["script", "edit", "edit"]
    assert "git does not apply the edit" in model.last("edit")
    assert RIGHT in proposal.patch


@pytest.mark.parametrize("depth", [1, 2, 5])
async def test_depth_is_the_most_edit_turns_and_the_most_test_turns(depth: int) -> None:
    model = Model([script("good"), "KEEP"], [edit(WRONG)])
    await draw(model, depth=depth)
    assert (model.order.count("script"), model.order.count("edit")) == (depth, depth)


def test_depth_is_part_of_the_version() -> None:
    assert Monkeys(depth=2).version != Monkeys(depth=3).version
    with pytest.raises(ValueError, match="at least 1"):
        Monkeys(depth=0)


async def test_a_model_that_says_it_is_done_is_not_asked_again() -> None:
    model = Model([script("good"), "KEEP"], [edit(WRONG), "DONE. The script is too strict."])
    proposal = await draw(model)
    assert model.order.count("edit") == 2
    assert (proposal.stop, WRONG in proposal.patch) == ("patch", True)
    assert "says that it is done" in proposal.note


async def test_done_without_an_edit_that_was_tried_is_an_edit_of_no_use() -> None:
    model = Model([script("good")], ["DONE", edit()])
    assert RIGHT in (await draw(model)).patch


async def test_questions_of_all_samples_begin_with_the_same_bytes() -> None:
    first = Model([script("good"), "KEEP"], [edit(WRONG), edit()])
    second = Model([script("lenient"), "KEEP"], ["nonsense", edit()])
    monkeys, tree = Monkeys(), Tree()
    for number, model in enumerate((first, second)):
        sampling = Sampling(max_tokens=LIMIT, seed=number)
        await monkeys.propose(ISSUE, model.backend, tree.host, sampling)
    for kind in ("script", "edit"):
        asked = [q for model in (first, second) for what, q in model.questions if what == kind]
        base = asked[0]
        if kind == "edit":
            oneshot = await Oneshot().propose(ISSUE, Model([""], [""]).backend, tree.host, SAMPLING)
            base = tuple(turn.message for turn in oneshot.trajectory[:-1])
        for question in asked:
            assert question[: len(base) - 1] == base[:-1]
            assert question[len(base) - 1].content.startswith(base[-1].content)


async def test_every_turn_has_a_seed_of_its_own_that_comes_of_the_sample() -> None:
    scripts, edits = [script("good"), "KEEP"], [edit(WRONG), edit()]
    first, again = Model(scripts, edits), Model(scripts, edits)
    one, two = await draw(first), await draw(again)
    assert first.seeds == [request_seed(7, number) for number in range(4)]
    assert (first.seeds, one.patch, one.prompt_digest) == (
        again.seeds,
        two.patch,
        two.prompt_digest,
    )
    other = Model(scripts, edits)
    await draw(other, sampling=Sampling(max_tokens=LIMIT, seed=None))
    assert set(other.seeds) == {None}


async def test_samples_side_by_side_do_not_disturb_one_another() -> None:
    monkeys, tree = Monkeys(), Tree()
    good = Model([script("good"), "KEEP"], [edit(WRONG), edit()])
    bad = Model([script("good"), "KEEP"], [edit(WRONG)])
    drawn = await asyncio.gather(
        *(monkeys.propose(ISSUE, model.backend, tree.host, SAMPLING) for model in (good, bad, good))
    )
    assert [RIGHT in proposal.patch for proposal in drawn] == [True, False, True]
    assert tree.host.opened == tree.host.closed


# What models and limits do.


@pytest.mark.parametrize("answer", ["", "I cannot help with that.", "Sorry", "```python\n\n```"])
async def test_an_empty_answer_or_a_refusal_instead_of_a_script_is_asked_again(answer: str) -> None:
    model = Model([answer, script("good")], [edit()])
    proposal = await draw(model)
    assert model.order == ["script", "script", "edit"]
    assert "in a ```python fence" in model.last("script")
    assert RIGHT in proposal.patch


@pytest.mark.parametrize(
    ("answer", "stop"),
    [("", "empty"), ("I cannot help with that.", "unusable"), (edit("width + height"), "empty")],
)
async def test_an_empty_answer_a_refusal_or_an_idle_edit_is_told_and_asked_again(
    answer: str, stop: str
) -> None:
    model = Model([script("good")], [answer, edit()])
    proposal = await draw(model)
    assert "That was of no use" in model.last("edit")
    assert RIGHT in proposal.patch
    proposal = await draw(Model([script("good")], [answer]))
    assert (proposal.patch, proposal.stop) == ("", stop)
    assert proposal.note


async def test_a_model_that_answers_nothing_at_all_ends_without_a_patch() -> None:
    model = Model([""], [""])
    proposal = await draw(model, depth=3)
    assert (proposal.patch, proposal.stop, proposal.usage.calls) == ("", "empty", 6)


async def test_an_answer_that_never_ends_is_cut_off_and_says_so() -> None:
    proposal = await draw(Model([script("good")], ["word " * 500]), depth=2)
    assert (proposal.patch, proposal.stop) == ("", "length")
    assert "cut off" in proposal.note


async def test_a_withheld_answer_is_survived() -> None:
    class Withheld(ScriptedBackend):
        async def complete(
            self,
            messages: Sequence[Message],
            sampling: Sampling,
            tools: Sequence[Tool] = (),
            *,
            book: Book = no_book,
        ) -> Completion:
            used = Usage(calls=1)
            book(used)
            return Completion(text="", stop="content_filter", usage=used)

    backend = Withheld(lambda messages, sampling: "")
    proposal = await Monkeys(depth=2).propose(ISSUE, backend, Tree().host, SAMPLING)
    assert (proposal.patch, proposal.stop, proposal.usage.calls) == ("", "content_filter", 4)


async def test_a_script_that_hangs_is_ended_and_worthless() -> None:
    model = Model([script("hangs"), script("good")], [edit()])
    proposal = await draw(model)
    run = turns(proposal, "run unpatched")[0]
    assert (run.exit_code, run.seconds) == (None, AgentLimits().command_seconds)
    assert "did not come to an end" in model.last("script")
    assert "worthless" in proposal.note
    assert RIGHT in proposal.patch


async def test_a_script_that_hangs_on_the_patched_tree_does_not_call_it_fixed() -> None:
    model = Model([script("hangs later"), "KEEP"], [edit()])
    proposal = await draw(model, depth=2)
    assert [turn.exit_code for turn in turns(proposal, "run patched")] == [None, None]
    assert "calls no edit fixed" in proposal.note
    assert RIGHT in proposal.patch


async def test_output_without_end_is_cut_for_the_model_and_whole_in_the_trajectory() -> None:
    model = Model([script("floods"), "KEEP"], [edit(WRONG), edit()], context_window=8_192)
    proposal = await draw(model)
    run = turns(proposal, "run patched")[0]
    assert len(run.whole) > 400_000
    assert len(run.message.content) < 3_000
    assert "left out" in run.message.content
    assert "the end" in run.message.content
    assert all(len(question[-1].content) < 9_000 for _, question in model.questions)
    assert RIGHT in proposal.patch


async def test_a_script_that_changes_the_tree_is_followed_by_a_fresh_one() -> None:
    model, tree = Model([script("good"), "KEEP"], [edit(WRONG), edit()]), Tree(leaves=True)
    proposal = await draw(model, tree)
    assert tree.host.opened == 1 + 3  # to read, and for each run of a script
    assert "shapes/area.py" in proposal.patch
    assert proposal.patch.count("+++ ") == 1


async def test_the_limit_of_steps_ends_the_chain_with_what_there_is() -> None:
    model = Model([script("good"), "KEEP"], [edit(WRONG)])
    proposal = await draw(model, limits=AgentLimits(steps=3))
    assert (proposal.stop, WRONG in proposal.patch, proposal.usage.calls) == ("steps", True, 3)


async def test_the_limit_of_tokens_is_never_passed() -> None:
    for tokens in range(100, 4_000, 350):
        model = Model([script("good"), "KEEP"], [edit(WRONG)])
        proposal = await draw(model, limits=AgentLimits(tokens=tokens))
        assert proposal.usage.input_tokens + proposal.usage.output_tokens <= tokens
        assert proposal.stop == "tokens" or model.order.count("edit") == 4


async def test_the_limit_of_seconds_ends_the_chain_with_what_there_is() -> None:
    model = Model([script("good"), "KEEP"], [edit(WRONG)])
    assert (await draw(model, limits=AgentLimits(seconds=0.0))).stop == "seconds"
    assert model.backend.calls == 0


@pytest.mark.parametrize(("answered", "stop"), [(1, "seconds"), (0, None)])
async def test_a_model_that_hangs_ends_the_chain_in_time(answered: int, stop: str | None) -> None:
    model = Model([script("good")], [edit(WRONG)])
    model.backend = ScriptedBackend(model.answer, hangs_after=answered)
    drawing = draw(model, limits=AgentLimits(seconds=2.0))
    if stop is None:
        with pytest.raises(BackendError, match="no answer came"):
            await drawing
    else:
        assert (await drawing).stop == stop


async def test_no_script_runs_longer_than_the_sample_may() -> None:
    model = Model([script("hangs")], [edit()])
    proposal = await draw(model, limits=AgentLimits(seconds=40.0))
    assert turns(proposal, "run unpatched")[0].seconds <= 40.0


@pytest.mark.parametrize(
    ("error", "stop"), [(LimitReachedError, "money"), (ContextOverflowError, "context")]
)
@pytest.mark.parametrize("at", ["script", "edit"])
async def test_money_used_up_and_a_full_context_end_the_chain_with_what_there_is(
    error: type[BackendError], stop: str, at: str
) -> None:
    scripts: list[Answer] = [script("good"), error("No further.") if at == "script" else "KEEP"]
    edits: list[Answer] = [edit(WRONG), error("No further.")]
    model = Model(scripts, edits)
    proposal = await draw(model)
    assert (proposal.stop, WRONG in proposal.patch) == (stop, True)
    assert "No further." in proposal.note
    assert proposal.usage.calls == len(model.order)


async def test_a_failure_of_the_model_is_raised() -> None:
    model = Model([script("good")], [BackendError("The endpoint is down.")])
    with pytest.raises(BackendError, match="endpoint is down"):
        await draw(model)


async def test_a_dead_sandbox_is_a_failure_and_not_a_worthless_script() -> None:
    class Dead(Tree):
        def run(self, text: str, patch: str) -> ExecResult:
            raise SandboxError("The engine is away.")

    with pytest.raises(SandboxError, match="engine is away"):
        await draw(Model([script("good")], [edit()]), Dead())


@pytest.mark.parametrize("window", [600, 900, 1_500, 4_096, 8_192])
async def test_every_question_leaves_room_for_the_answer(window: int) -> None:
    rambling = edit(WRONG) + "because " * 100
    model = Model(
        [script("floods " + "x " * 60), "KEEP"], [rambling, "so " * 140], context_window=window
    )
    await draw(model)
    for _, question in model.questions:
        assert await model.backend.count_tokens(question) + LIMIT <= window
    assert model.order.count("edit") == 4


async def test_a_window_that_is_too_small_is_a_context_stop_and_costs_nothing() -> None:
    model = Model([script("good")], [edit()], context_window=250)
    proposal = await draw(model)
    assert (proposal.stop, proposal.patch, model.backend.calls) == ("context", "", 0)
    assert "do not fit" in proposal.note


async def test_a_small_window_is_asked_for_functions_and_shown_one_example_of_a_script() -> None:
    model = Model(
        [script("good")], [f"```python\n{CODE.replace('+', '*')}```"], context_window=8_192
    )
    proposal = await draw(model)
    assert RIGHT in proposal.patch
    (_, asked), (_, then) = model.questions
    assert [message.role for message in asked] == ["system", "user", "assistant", "user"]
    assert "SEARCH" not in "".join(message.content for message in then)
    assert sum(len(message.content) for message in asked) < 3_000


# The script in an answer.


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("```python\nimport a\n```", "import a\n"),
        ("```py\nimport a\n```\nDone.", "import a\n"),
        ("```python\nimport a\n```\nRun it:\n```bash\npython script.py\n```", "import a\n"),
        ("```python\nimport a\n```\nBetter:\n```python\nimport b\n```", "import b\n"),
        ("```python\nimport a\nprint(1", "import a\nprint(1"),
        ("import a\nprint(a)", "import a\nprint(a)\n"),
        ("```python\r\nimport a\0\r\n```", "import a\n"),
        ("Sorry", ""),
        ("", ""),
        ("```python\n```", ""),
    ],
)
def test_the_script_of_an_answer_is_found(answer: str, found: str) -> None:
    assert script_from_answer(answer) == found


def test_the_example_of_a_script_is_one_that_would_be_found_and_runs() -> None:
    example = reproduction_form(form_for(8_192)).shared[-1].content
    compile(script_from_answer(example), "example", "exec")
    assert "sys.exit(0 if size == 5 else 2)" in example


# Real containers.

SHOWS_IT = """\
```python
import sys

from numkit.primes import is_prime

print("is_prime(9) is", is_prime(9))
open("left_behind.txt", "w").write("x")
sys.exit(2 if is_prime(9) else 0)
```"""
LOOKS_ELSEWHERE = SHOWS_IT.replace("(9)", "(12)")


def primes(past_root: int) -> str:
    """An answer that is as long, and leaves the file as long, whatever the number."""
    return f"""\
```python
def is_prime(n: int) -> bool:
    if n < 2:
        return False
    for i in range(2, int(n**0.5) + {past_root}):
        if n % i == 0:
            return False
    return True
```"""


@pytest_asyncio.fixture
async def numbers(base_image: str) -> AsyncIterator[tuple[DockerHost, Issue]]:
    (task,) = load_tasks("starter", ids=["ksolve__numkit-1"])
    async with DockerHost(run_id="test") as host:
        await ensure_image(host, task.issue.image, task.build, lambda _: None)
        yield host, task.issue


@pytest.mark.docker
async def test_in_a_container_the_script_tells_a_wrong_edit_from_a_right_one(
    numbers: tuple[DockerHost, Issue],
) -> None:
    host, issue = numbers
    model = Model([LOOKS_ELSEWHERE, SHOWS_IT, "KEEP"], [primes(0), primes(1)], context_window=8_192)
    proposal = await Monkeys().propose(issue, model.backend, host, SAMPLING)
    assert [turn.exit_code for turn in turns(proposal, "run unpatched")] == [0, 2]
    assert [turn.exit_code for turn in turns(proposal, "run patched")] == [2, 0]
    assert "is_prime(9) is True" in model.last("edit")
    assert "is_prime(9) is False" in turns(proposal, "run patched")[1].message.content
    assert "+    for i in range(2, int(n**0.5) + 1):" in proposal.patch
    assert "left_behind" not in proposal.patch
    async with open_workspace(issue, host, AgentLimits()) as fresh:
        applied = await fresh.run(
            f"git apply - && {issue.test_command}", timeout=60, stdin=proposal.patch.encode()
        )
    assert applied.exit_code == 0, applied.text


@pytest.mark.docker
@pytest.mark.parametrize(
    "deed",
    [
        "while True: pass",
        "while True: print('y' * 1000)",
        "import shutil; shutil.rmtree('.git'); shutil.rmtree('numkit')",
        "input()",
    ],
)
async def test_in_a_container_no_deed_of_a_script_spoils_what_comes_after_it(
    numbers: tuple[DockerHost, Issue], deed: str
) -> None:
    host, issue = numbers
    model = Model([f"```python\n{deed}\n```", SHOWS_IT], [primes(1)], context_window=8_192)
    limits = AgentLimits(command_seconds=3.0)
    proposal = await Monkeys(limits=limits).propose(issue, model.backend, host, SAMPLING)
    first, second = turns(proposal, "run unpatched")
    assert first.exit_code != 2
    assert len(first.message.content) < 3_000
    assert second.exit_code == 2
    assert [turn.exit_code for turn in turns(proposal, "run patched")] == [0]
    assert "1 of 2 scripts are worthless" in proposal.note
