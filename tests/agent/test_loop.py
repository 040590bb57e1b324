"""The loop: whatever a model does, the sample ends well, and its patch is what the tree says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import PurePosixPath

import pytest

from agent import workspace as workspace_module
from agent.backend import (
    Backend,
    BackendError,
    Completion,
    ContextOverflowError,
    LimitReachedError,
    Message,
    Sampling,
    StopReason,
    Tool,
    ToolCall,
    ToolsRefusedError,
    Usage,
)
from agent.editing.diff import git_diff
from agent.limits import AgentLimits
from agent.loop import Loop
from agent.loop_prompt import VARIANTS
from agent.scripted import Said, ScriptedBackend
from agent.seeds import request_seed
from agent.strategy import Proposal
from agent.trajectory import from_json, to_json
from agent.worktree import DIFF, KEEP
from sandbox.docker import DockerHost
from sandbox.fake import FakeHost, FakeSandbox, did
from sandbox.images import ensure_image
from sandbox.patch import apply_patch
from sandbox.sandbox import ExecResult, Limits, SandboxError
from tasks.task import Issue
from tasks.taskrepo import starter_path, tasks_from_repo

CODE = "def area(width, height):\n    return width + height\n"
ISSUE = Issue(
    id="shapes-1",
    statement="area(2, 3) is 5, not 6",
    repo="shapes",
    base_commit="c",
    image="shapes:1",
    test_command="run-the-tests",
    hints="Use a star.",
)
SAMPLING = Sampling(max_tokens=500, seed=7)
FIX = (
    "shapes/area.py\n<<<<<<< SEARCH\n    return width + height\n=======\n"
    "    return width * height\n>>>>>>> REPLACE\n"
)
FIXED = "-    return width + height\n+    return width * height\n"
SUBMIT = "```submit\n```"


class Repository:
    """Answers what a sandbox would for a repository of one file, whose commands are a function."""

    def __init__(
        self, command: Callable[[str], ExecResult] = lambda _: did(stdout=b"seen\n")
    ) -> None:
        self.commands: list[str] = []
        self.command = command
        self.base = {PurePosixPath("/testbed/shapes/area.py"): CODE.encode()}
        self.host = FakeHost(self.answer, {ISSUE.image: self.base})

    def answer(self, argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        script = argv[2]
        path = PurePosixPath(argv[-1])
        if script == workspace_module._READ:
            return did(stdout=sandbox.files[path]) if path in sandbox.files else did(4)
        if script == workspace_module._WRITE:
            sandbox.files[path] = stdin
            return did()
        if script == workspace_module._SHELL:
            if argv[3] == "git ls-files":
                return did(stdout=b"shapes/area.py\n")
            self.commands.append(argv[3])
            return self.command(argv[3])
        if script.endswith(DIFF):
            return did(stdout=self.diff(sandbox).encode())
        return did(stdout=b"/kept" if script.endswith(KEEP) else b"end\n")

    def diff(self, sandbox: FakeSandbox) -> str:
        changed = {path: data for path, data in sandbox.files.items() if path != PurePosixPath()}
        return "".join(
            git_diff(
                str(path.relative_to("/testbed")),
                self.base[path].decode() if path in self.base else None,
                data.decode(),
            )
            for path, data in changed.items()
        )


def saying(*answers: str | Said | BackendError, takes_tools: bool = False) -> ScriptedBackend:
    """Return a model that gives these answers in turn, the last one for ever."""
    asked = iter(range(10_000))

    def script(messages: Sequence[Message], sampling: Sampling) -> str | Said | BackendError:
        return answers[min(next(asked), len(answers) - 1)]

    return ScriptedBackend(script, takes_tools=takes_tools)


def calling(*answers: str | Said | BackendError) -> ScriptedBackend:
    """Return a model that calls tools, and did so when it was asked whether it does."""
    return saying(call("submit"), *answers, takes_tools=True)


def call(name: str, id: str = "c1", /, **arguments: object) -> Said:  # noqa: A002
    return Said(tool_calls=(ToolCall(id=id, name=name, arguments=json.dumps(arguments)),))


def raw(name: str, arguments: str) -> Said:
    return Said(tool_calls=(ToolCall(id="c1", name=name, arguments=arguments),))


def bash(command: str) -> str:
    return f"I try this.\n\n```bash\n{command}\n```"


CALLED_FIX = call(
    "edit",
    path="shapes/area.py",
    old="    return width + height\n",
    new="    return width * height\n",
)


async def drawn(
    backend: Backend, repository: Repository | None = None, limits: AgentLimits | None = None
) -> Proposal:
    loop = Loop(limits=limits or AgentLimits())
    return await loop.propose(ISSUE, backend, (repository or Repository()).host, SAMPLING)


def told(proposal: Proposal) -> list[str]:
    """Return what the model was told after the question."""
    messages = [turn.message for turn in proposal.trajectory if turn.source != "probe"]
    at = next(n for n, one in enumerate(messages) if ISSUE.statement in one.content)
    return [one.content for one in messages[at + 1 :] if one.role != "assistant"]


@pytest.mark.parametrize(
    "backend",
    [
        saying(bash("ls"), FIX, SUBMIT),
        calling(call("bash", command="ls"), CALLED_FIX, call("submit")),
    ],
)
async def test_look_edit_submit_makes_a_patch(backend: ScriptedBackend) -> None:
    repository = Repository()
    proposal = await drawn(backend, repository)
    assert (proposal.stop, proposal.note) == ("patch", "")
    assert FIXED in proposal.patch
    assert repository.commands == ["ls"]
    assert repository.host.opened == repository.host.closed == 1
    assert told(proposal)[0] == "seen\n"


async def test_the_whole_conversation_is_kept_with_its_usage() -> None:
    proposal = await drawn(calling(CALLED_FIX, call("submit")))
    assert sum((turn.usage for turn in proposal.trajectory), Usage()) == proposal.usage
    assert proposal.usage.calls == 3
    assert from_json(to_json(proposal.trajectory)) == proposal.trajectory
    assert proposal.trajectory[-1].message.content == "Handed in."
    assert proposal.trajectory[-1].message.tool_call_id == "c1"


async def test_the_prompt_says_what_matters_and_no_hints() -> None:
    proposal = await drawn(saying(SUBMIT))
    prompt = "\n".join(turn.message.content for turn in proposal.trajectory)
    for part in (ISSUE.statement, "/testbed", "shapes/area.py", "run-the-tests"):
        assert part in prompt
    assert ISSUE.hints not in prompt


async def test_all_issues_begin_alike_and_all_samples_of_one_do_further() -> None:
    proposals = [await drawn(saying(SUBMIT)) for _ in range(2)]
    assert len({proposal.prompt_digest for proposal in proposals}) == 1
    other = replace(ISSUE, statement="something else", test_command="")
    third = await Loop().propose(other, saying(SUBMIT), Repository().host, SAMPLING)
    first = proposals[0].trajectory
    assert third.prompt_digest != proposals[0].prompt_digest
    shared = [one == two for one, two in zip(first, third.trajectory, strict=True)]
    assert shared[:3] == [True] * 3


async def test_the_patch_is_what_the_tree_says_and_not_what_the_model_prints() -> None:
    proposal = await drawn(saying(f"```diff\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n```\n{SUBMIT}"))
    assert (proposal.patch, proposal.stop) == ("", "empty")


async def test_handing_in_nothing_is_asked_about_once() -> None:
    proposal = await drawn(saying(SUBMIT, FIX + SUBMIT))
    assert "nothing in the repository is changed" in told(proposal)[0]
    assert FIXED in proposal.patch
    assert (await drawn(saying(SUBMIT))).usage.calls == 2


async def test_work_is_not_taken_when_an_edit_before_it_failed() -> None:
    wrong = FIX.replace("return width + height", "nothing of this kind whatsoever")
    proposal = await drawn(saying(f"{wrong}\n{SUBMIT}", FIX, SUBMIT))
    assert "is not in shapes/area.py" in told(proposal)[0]
    assert "Not handed in" in told(proposal)[0]
    assert FIXED in proposal.patch


async def test_an_endpoint_is_asked_once_whether_it_takes_tools() -> None:
    loop, repository = Loop(), Repository()
    asked: list[int] = []

    def script(messages: Sequence[Message], sampling: Sampling) -> Said:
        asked.append(len(messages))
        return CALLED_FIX if len(messages) == 1 or sampling.index == 0 else call("submit")

    backend = ScriptedBackend(script, takes_tools=True, delay=0.01)
    draws = (loop.propose(ISSUE, backend, repository.host, SAMPLING) for _ in range(5))
    proposals = await asyncio.gather(*draws)
    assert asked.count(1) == 1
    assert sorted(proposal.usage.calls for proposal in proposals) == [2, 2, 2, 2, 3]
    assert all(FIXED in proposal.patch for proposal in proposals)


async def test_a_model_that_does_not_call_what_its_endpoint_takes_gets_blocks() -> None:
    proposal = await drawn(saying("I submit.", FIX, SUBMIT, takes_tools=True))
    assert FIXED in proposal.patch
    assert not any(turn.message.tool_calls for turn in proposal.trajectory)


async def test_an_endpoint_that_fails_when_asked_is_asked_again() -> None:
    loop, backend = (
        Loop(),
        saying(BackendError("away"), call("submit"), CALLED_FIX, call("submit"), takes_tools=True),
    )
    with pytest.raises(BackendError, match="away"):
        await loop.propose(ISSUE, backend, Repository().host, SAMPLING)
    assert FIXED in (await loop.propose(ISSUE, backend, Repository().host, SAMPLING)).patch


async def test_an_endpoint_that_takes_tools_and_no_talk_about_them_gets_blocks() -> None:
    refusal = ToolsRefusedError("It takes no conversation with calls in it.")
    backend = calling(refusal, bash("ls"), FIX, SUBMIT, FIX, SUBMIT)
    loop = Loop()
    first = await loop.propose(ISSUE, backend, Repository().host, SAMPLING)
    assert (first.stop, FIXED in first.patch) == ("patch", True)
    # The question, the refusal, and three steps.
    assert backend.calls == 5
    # It is not asked again with calls.
    second = await loop.propose(ISSUE, backend, Repository().host, SAMPLING)
    assert (second.stop, backend.calls) == ("patch", 7)


async def test_tools_that_are_refused_in_mid_work_are_a_failure_and_no_new_beginning() -> None:
    refusal = ToolsRefusedError("It takes no more calls.")
    repository = Repository()
    with pytest.raises(ToolsRefusedError):
        await drawn(calling(call("bash", command="ls"), refusal, SUBMIT), repository)
    assert repository.commands == ["ls"]


async def test_a_block_in_text_is_taken_where_tools_are_called() -> None:
    proposal = await drawn(calling(bash("ls"), FIX, call("submit")))
    assert told(proposal)[0] == "seen\n"
    assert FIXED in proposal.patch


async def test_parallel_calls_are_done_in_their_order_and_each_is_answered() -> None:
    both = Said(
        tool_calls=(
            ToolCall(id="a", name="bash", arguments='{"command": "one"}'),
            ToolCall(id="b", name="nonsense", arguments="{}"),
            ToolCall(id="c", name="bash", arguments='{"command": "two"}'),
        )
    )
    repository = Repository(lambda command: did(stdout=command.encode()))
    proposal = await drawn(calling(both, CALLED_FIX, call("submit")), repository)
    assert repository.commands == ["one", "two"]
    answers = [turn.message for turn in proposal.trajectory if turn.message.tool_call_id in "abc"]
    answered = {one.tool_call_id: one.content for one in answers if one.tool_call_id}
    assert answered["a"] == "one"
    assert "no tool 'nonsense'" in answered["b"]
    assert answered["c"] == "two"


async def test_what_comes_after_submit_is_not_done() -> None:
    repository = Repository()
    await drawn(saying(f"{FIX}\n{SUBMIT}\n{bash('rm -rf /testbed')}"), repository)
    assert repository.commands == []


@pytest.mark.parametrize(
    ("answer", "correction"),
    [
        (raw("bash", '{"command": "ls'), "no JSON"),
        (raw("bash", "[" * 100_000), "no JSON"),
        (raw("bash", '"ls"'), "no JSON"),
        (raw("bash", "[1]"), "arguments of bash"),
        (raw("bash", "{}"), "command: Field required"),
        (raw("bash", '{"command": ["ls"]}'), "command"),
        (raw("edit", '{"path": "x"}'), "new: Field required"),
        (raw("no such tool", "{}"), "There is no tool"),
        (raw("", ""), "There is no tool"),
        (Said(text="I am sorry, I cannot help with that."), "asks for nothing"),
        (Said(text=""), "was empty"),
        (Said(text="<think>\n```bash\nls\n```\n</think>"), "was empty"),
        (Said(text="```python\nprint(1)\n```"), "asks for nothing"),
        (Said(text="<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE"), "names no file"),
        (Said(text="a.py\n<<<<<<< SEARCH\na\n>>>>>>> REPLACE"), "not complete"),
        (Said(text=" ".join(["word"] * 600)), "cut off"),
        (Said(text="```bash\n" + "word " * 600), "cut off"),
    ],
)
async def test_a_mistake_is_corrected_and_three_in_a_row_end_the_sample(
    answer: Said, correction: str
) -> None:
    proposal = await drawn(calling(CALLED_FIX, answer, answer, CALLED_FIX, answer))
    assert proposal.stop in {"unusable", "length"}
    assert "3 answers in a row" in proposal.note
    assert proposal.usage.calls == 1 + 1 + 2 + 1 + 3
    assert correction in told(proposal)[1]
    # The last answer ends the sample, so that nobody is told that it was wrong.
    assert proposal.trajectory[-1].message.role == "assistant"
    assert len(told(proposal)[1]) < 400
    assert FIXED in proposal.patch


async def test_what_is_sent_again_is_what_endpoints_take() -> None:
    """They refuse a history with broken JSON in it, or with an empty message."""
    sent: list[Sequence[Message]] = []
    odd = [raw("a b\ud800", '{"x'), Said(), raw("bash", '{"command": "a\nb\\ud800"}'), CALLED_FIX]
    answers = iter([call("submit"), *odd, call("submit")])

    def script(messages: Sequence[Message], sampling: Sampling) -> Said:
        sent.append(list(messages))
        return next(answers)

    proposal = await drawn(ScriptedBackend(script, takes_tools=True))
    assert proposal.stop == "patch"
    for message in sent[-1]:
        assert message.content or message.tool_calls or message.role == "tool"
        message.content.encode()
        for one in message.tool_calls:
            assert isinstance(json.loads(one.arguments), dict)
            assert one.name.replace("_", "").isalnum()
            one.arguments.encode()


class Withholding:
    """A backend whose answers end in a way of their own."""

    def __init__(self, behind: ScriptedBackend, stop: StopReason) -> None:
        self.behind = behind
        self.stop = stop

    def __getattr__(self, name: str) -> object:
        return getattr(self.behind, name)

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, tools: Sequence[Tool] = ()
    ) -> Completion:
        return replace(await self.behind.complete(messages, sampling, tools), stop=self.stop)


async def test_answers_that_a_filter_withholds_end_the_sample_as_such() -> None:
    proposal = await drawn(Withholding(saying(""), "content_filter"))  # type: ignore[arg-type]
    assert proposal.stop == "content_filter"
    assert "filter" in told(proposal)[0]


async def test_of_an_answer_that_is_cut_off_only_what_is_whole_is_done() -> None:
    repository = Repository()
    cut_off = bash("first") + "\n```bash\nrm -rf /tes"
    backend = Withholding(saying(cut_off, FIX, FIX, FIX), "length")
    await drawn(backend, repository, AgentLimits(steps=1))  # type: ignore[arg-type]
    assert repository.commands == ["first"]


async def test_the_same_command_again_and_again_is_told_so_and_ends_at_the_limit() -> None:
    repository = Repository()
    proposal = await drawn(saying(bash("ls")), repository, AgentLimits(steps=6))
    assert (proposal.stop, proposal.usage.calls) == ("steps", 6)
    assert [("times in a row" in text) for text in told(proposal)[:4]] == [False, False, True, True]


async def test_a_command_that_hangs_costs_no_more_than_its_deadline() -> None:
    hanging = Repository(lambda _: did(seconds=1e9, stdout=b"begun\n"))
    limits = AgentLimits(command_seconds=3)
    proposal = await drawn(saying(bash("sleep 1e9"), FIX, SUBMIT), hanging, limits)
    assert told(proposal)[0].startswith("begun\n(ended after 3 s, its deadline")
    assert FIXED in proposal.patch
    ended = next(turn for turn in proposal.trajectory if "its deadline" in turn.message.content)
    assert (ended.seconds, ended.exit_code) == (3, None)


async def test_a_hundred_thousand_lines_are_shown_short_and_kept_whole() -> None:
    lines = "".join(f"line {number}\n" for number in range(100_000))
    repository = Repository(lambda _: did(1, stdout=lines.encode()))
    proposal = await drawn(saying(bash("cat"), FIX, SUBMIT), repository)
    assert len(told(proposal)[0]) < 10_200
    assert "lines left out" in told(proposal)[0]
    assert told(proposal)[0].endswith("(exit code 1)\n")
    assert lines in [turn.whole for turn in proposal.trajectory]


async def test_a_full_window_is_condensed_seldom_and_the_trajectory_is_not() -> None:
    sent: list[Sequence[Message]] = []
    words = "word " * 300 + "\n"

    def script(messages: Sequence[Message], sampling: Sampling) -> str:
        sent.append(list(messages))
        step = len(sent)
        return bash(f"command {step}") if step < 40 else (FIX if step == 40 else SUBMIT)

    backend = ScriptedBackend(script, context_window=6_000)
    limits = AgentLimits(steps=50, tokens=10**9)
    repository = Repository(lambda command: did(stdout=f"{command} {words}".encode()))
    proposal = await drawn(backend, repository, limits)
    assert FIXED in proposal.patch
    lengths = [await backend.count_tokens(messages) for messages in sent]
    assert max(lengths) <= 6_000 - 500
    grows = [list(two[: len(one)]) == list(one) for one, two in pairwise(sent)]
    assert 1 <= grows.count(False) <= 8
    assert [messages[:9] for messages in sent] == [sent[0][:9]] * len(sent)
    assert sum(text.count("word") == 300 for text in told(proposal)) == 39


async def test_a_prompt_that_no_window_holds_ends_as_such() -> None:
    backend = ScriptedBackend(lambda messages, sampling: SUBMIT, context_window=510)
    proposal = await drawn(backend)
    assert (proposal.stop, proposal.patch, proposal.usage.calls) == ("context", "", 0)


async def test_an_overflow_that_nobody_counted_is_mended_once() -> None:
    backend = saying(*map(bash, "abcd"), ContextOverflowError("too long"), FIX, SUBMIT)
    proposal = await drawn(backend, Repository(lambda _: did(stdout=b"word " * 4_000)))
    assert FIXED in proposal.patch
    assert proposal.usage.calls == 7
    proposal = await drawn(saying(FIX, ContextOverflowError("too long")))
    assert (proposal.stop, FIXED in proposal.patch) == ("context", True)


async def test_a_long_issue_leaves_room_to_work() -> None:
    issue = replace(ISSUE, statement="begin " + "word " * 50_000 + "end")
    proposal = await Loop().propose(issue, saying(FIX + SUBMIT), Repository().host, SAMPLING)
    assert FIXED in proposal.patch


@pytest.mark.parametrize(
    ("limits", "stop"),
    [
        (AgentLimits(steps=1), "steps"),
        (AgentLimits(tokens=2_000), "tokens"),
        (AgentLimits(seconds=0.2), "seconds"),
    ],
)
async def test_a_limit_ends_the_sample_and_keeps_its_patch(limits: AgentLimits, stop: str) -> None:
    answers = iter([FIX])
    backend = ScriptedBackend(lambda m, s: next(answers, bash("ls")), delay=0.15)
    proposal = await drawn(backend, limits=limits)
    assert proposal.stop == stop
    assert "limit" in proposal.note
    assert FIXED in proposal.patch
    assert proposal.usage.input_tokens + proposal.usage.output_tokens <= limits.tokens


async def test_money_that_is_spent_ends_the_sample_and_keeps_its_patch() -> None:
    proposal = await drawn(saying(FIX, LimitReachedError("The money is spent.")))
    assert (proposal.stop, proposal.note) == ("money", "The money is spent.")
    assert FIXED in proposal.patch
    broke = saying(LimitReachedError("The money is spent."), takes_tools=True)
    assert (await drawn(broke)).stop == "money"


async def test_an_endpoint_that_hangs_ends_the_sample_in_time_with_what_there_is() -> None:
    hanging = ScriptedBackend(lambda *_: FIX, hangs_after=1)
    proposal = await drawn(hanging, limits=AgentLimits(seconds=1.0))
    assert (proposal.stop, proposal.usage.calls) == ("seconds", 1)
    assert FIXED in proposal.patch
    # One that never said anything was not a model's failure.
    with pytest.raises(BackendError, match="no answer came"):
        await drawn(hanging, limits=AgentLimits(seconds=1.0))


async def test_the_last_steps_are_announced() -> None:
    proposal = await drawn(saying(bash("ls"), bash("pwd")), limits=AgentLimits(steps=2))
    assert "Only 1 step is left" in told(proposal)[0]


async def test_a_fault_of_the_sandbox_is_a_failure_and_no_step() -> None:
    def gone(command: str) -> ExecResult:
        raise SandboxError("The container is gone.")

    repository = Repository(gone)
    backend = saying(bash("ls"))
    with pytest.raises(SandboxError, match="gone"):
        await drawn(backend, repository)
    assert backend.calls == 1
    assert repository.host.opened == repository.host.closed


async def test_a_fault_of_the_backend_is_a_failure() -> None:
    repository = Repository()
    with pytest.raises(BackendError, match="away"):
        await drawn(saying(FIX, BackendError("away")), repository)
    assert repository.host.opened == repository.host.closed


async def test_steps_differ_in_their_seeds_and_samples_repeat() -> None:
    seeds: list[int | None] = []

    def script(messages: Sequence[Message], sampling: Sampling) -> str:
        seeds.append(sampling.seed)
        return bash("ls") if len(seeds) % 3 else FIX + SUBMIT

    backend = ScriptedBackend(script)
    await drawn(backend)
    await drawn(backend)
    assert seeds == [request_seed(7, step) for step in range(3)] * 2


async def test_variants_ask_differently_and_are_recorded() -> None:
    proposals = {
        name: await Loop(variant=name).propose(ISSUE, saying(SUBMIT), Repository().host, SAMPLING)
        for name in VARIANTS
    }
    assert [proposal.variant for proposal in proposals.values()] == list(VARIANTS)
    assert len({proposal.prompt_digest for proposal in proposals.values()}) == len(VARIANTS)
    assert len({Loop(variant=name).version for name in VARIANTS}) == len(VARIANTS)
    with pytest.raises(ValueError, match="choose plain or reproduce-first"):
        Loop(variant="nonsense")


@pytest.mark.docker
@pytest.mark.parametrize("takes_tools", [False, True])
async def test_a_starter_issue_is_worked_on_in_a_real_container(
    base_image: str, takes_tools: bool
) -> None:
    task = next(iter(tasks_from_repo(starter_path(), split=None)))
    commands = [
        "git status --short && echo clean",
        "cat > new.py << 'EOF'\nx = 1\nEOF\necho > repro.py; python3 -m compileall -q new.py",
        "cd /; rm -rf /testbed/.git",
    ]
    said: list[str | Said] = [
        call("bash", command=command) if takes_tools else bash(command) for command in commands
    ]
    backend = calling(*said, call("submit")) if takes_tools else saying(*said, SUBMIT)
    async with DockerHost(run_id="test") as host:
        await ensure_image(host, task.issue.image, task.build, lambda _: None)
        proposal = await Loop().propose(task.issue, backend, host, SAMPLING)
        assert proposal.patch.count("diff --git") == 1
        assert "+++ b/new.py\n@@ -0,0 +1 @@\n+x = 1\n" in proposal.patch
        async with host.open(task.issue.image, Limits()) as fresh:
            assert (await apply_patch(fresh, proposal.patch, task.issue.workdir)).ok
