"""Every conversation that is sent, before the real validators of Mistral's families."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from agent.backend import Sampling
from agent.endpoint.openai import OpenAIBackend
from agent.loop import Loop
from agent.monkeys import Monkeys
from agent.oneshot import Oneshot
from agent.price import Price
from agent.strategy import Strategy
from eval.selection.candidates import Method
from eval.selection.codemonkeys import CodeMonkeysChoice
from eval.selection.judge import Judge, PairwiseJudge, ScoredJudge, WeightedVote
from sandbox.fake import FakeHost, did
from tests.agent.answers import Json
from tests.agent.loopback import Endpoint
from tests.agent.mistral import (
    DOORS,
    RAW,
    VERSIONS,
    MistralServer,
    ThinkingMistralServer,
    Validate,
    validators,
)
from tests.agent.solver import REPAIR, RIGHT, Call, Said, Shapes, answer_to, edit, heard
from tests.agent.test_loop import ISSUE
from tests.agent.test_monkeys import Tree, script
from tests.agent.test_oneshot import shapes
from tests.eval.selection import tree

pytestmark = pytest.mark.registry

SAMPLING = Sampling(seed=7)
OFF, WRONG = "height", "width - height"
FIXED = f"-    return width + height\n+    return {RIGHT}\n"


@pytest.fixture(scope="module")
def validate() -> Iterator[Validate]:
    with validators() as asked:
        yield asked


@asynccontextmanager
async def asking(server: MistralServer, **options: Any) -> AsyncIterator[OpenAIBackend]:
    with Endpoint(otherwise=server, models=[{"id": "m"}]) as endpoint:
        backend = OpenAIBackend(name="test:m", model="m", base_url=endpoint.url, **options)
        async with backend:
            yield backend


# What the model says.


def solves(body: Json) -> Said:
    said = answer_to(heard(body), takes_tools="tools" in body)
    return Said(text=said.text, calls=said.calls, thinking="I think of it.")


def in_turn(*answers: Said | str) -> Callable[[Json], Said]:
    """Give these answers, whatever is asked; the last one for ever."""
    left = list(answers)

    def says(_: Json) -> Said:
        answer = left.pop(0) if len(left) > 1 else left[0]
        return Said(text=answer) if isinstance(answer, str) else answer

    return says


def calls(*wanted: Call, text: str = "") -> Said:
    return Said(text=text, calls=wanted, thinking="I think of it.")


SUBMIT: Call = ("submit", {})
# The answer to the probe comes first.
MISTAKES = (
    calls(SUBMIT),
    "",
    "I look at it.",
    calls(("bash", {"command": "ls"}), ("look", {}), ("bash", {RAW: '{"command": '}), text="So."),
    calls(("edit", {"path": "shapes/area.py", "old": "    return 7\n", "new": "    return 8\n"})),
    calls(("edit", {"path": "shapes/none.py"}), ("bash", {RAW: ""}), ("bash", {RAW: "[1]"})),
    "Done.",
    calls(("bash", {"command": REPAIR}), SUBMIT, ("bash", {"command": "ls"})),
)
LONG = (
    calls(SUBMIT),
    *(calls(("bash", {"command": f"cat {n}"}), text=f"I read {n}. " * 40) for n in range(14)),
    calls(("bash", {"command": REPAIR})),
    calls(SUBMIT, text="That is it."),
)
FENCED = (
    "I have no tools.",
    "",
    "I look at it.",
    "```bash\nls\n```\n\n```bash\ncat shapes/area.py\n```",
    f"{edit(RIGHT).replace('width + height', 'width / height')}",
    f"```bash\n{REPAIR}\n```\n\n```submit\n```",
)


def chain() -> Callable[[Json], Said]:
    """Write scripts and edits, of which not all are of use."""
    scripts = in_turn("I cannot.", script("blind"), script("good"), "KEEP")
    edits = in_turn("No code here.", edit(WRONG), "", edit(RIGHT))

    def says(body: Json) -> Said:
        asked = "short Python script" in body["messages"][0]["content"]
        return (scripts if asked else edits)(body)

    return says


def judges(body: Json) -> Said:
    """Judge by which patch is the right one, after an experiment where that is asked for."""
    messages = body["messages"]
    question = messages[1]["content"]
    if "CHOICE:" in question:
        patches = question.split("\nPatch ")[1:]
        number = next(n for n, patch in enumerate(patches, 1) if f"return {RIGHT}" in patch)
        steps = ("```python\nprint(1)\n```", "I am not sure.", f"CHOICE: {number}")
        return Said(text=steps[sum(one["role"] == "assistant" for one in messages)])
    if "BETTER: A" in question:
        is_first = f"+    return {RIGHT}" in question.partition("Patch B:")[0]
        return Said(text=f"BETTER: {'A' if is_first else 'B'}")
    return Said(text=f"SCORE: {9 if f'+    return {RIGHT}' in question else 2}")


# What asks it.


async def solved(
    strategy: Strategy, host: FakeHost, backend: OpenAIBackend, *, samples: int = 1
) -> None:
    draws = (strategy.propose(ISSUE, backend, host, SAMPLING) for _ in range(samples))
    for proposal in await asyncio.gather(*draws):
        assert (proposal.stop, proposal.patch.count(FIXED)) == ("patch", 1), proposal.note


async def chosen(method: Callable[[Judge], Method], backend: OpenAIBackend) -> None:
    scored = await method(Judge(backend, Price())).score(tree.pool(OFF, RIGHT, WRONG, RIGHT))
    assert int(np.argmax(scored.scores)) == 1


Uses = Callable[[OpenAIBackend], Awaitable[None]]
Talk = tuple[Callable[[], Callable[[Json], Said]], Uses]


def talks() -> Mapping[str, Talk]:
    """By name: what the model says, and what asks it."""

    def loop(says: Callable[[], Callable[[Json], Said]], samples: int = 1) -> Talk:
        host = Shapes(lambda _: did(stdout=b"one line of many\n" * 150)).host
        return says, lambda backend: solved(Loop(), host, backend, samples=samples)

    def drawn(strategy: Strategy, host: FakeHost) -> Talk:
        return (lambda: solves), lambda backend: solved(strategy, host, backend, samples=3)

    def judge(method: Callable[[Judge], Method]) -> Talk:
        return (lambda: judges), lambda backend: chosen(method, backend)

    def codemonkeys(judge: Judge) -> Method:
        return CodeMonkeysChoice(judge, tree.Tree(lambda *_: did(0, b"1\n")).host)

    return {
        "loop": loop(lambda: solves, samples=3),
        "loop that makes mistakes": loop(lambda: in_turn(*MISTAKES)),
        "loop that is condensed": loop(lambda: in_turn(*LONG)),
        "loop in fences": loop(lambda: in_turn(*FENCED)),
        "monkeys": drawn(Monkeys(), Tree().host),
        "monkeys that revise": (chain, lambda backend: solved(Monkeys(), Tree().host, backend)),
        "oneshot": drawn(Oneshot(), shapes().host),
        "rank": drawn(Oneshot(context="rank"), shapes().host),
        "judge": judge(ScoredJudge),
        "pairwise": judge(PairwiseJudge),
        "weighted": judge(lambda one: WeightedVote(ScoredJudge(one))),
        "codemonkeys": judge(codemonkeys),
    }


TALKS = [*talks()]
LOOPS = [name for name in TALKS if name.startswith("loop") and "fences" not in name]
IDS = ("gSIM{:05d}", "call_{:06x}", "", "same")
# Of calls, as the model's server gives them: as Mistral's does, as others do, none, always one.
WINDOW = 9_000
# Into which the conversation that is condensed does not fit.


def window(name: str) -> int:
    return WINDOW if "condensed" in name else 32_768


async def recorded(name: str, ids: str = IDS[0]) -> Sequence[Json]:
    """Return what is sent to an endpoint that refuses nothing."""
    says, uses = talks()[name]
    server = MistralServer(says(), ids=ids)
    async with asking(server, context_window=window(name)) as backend:
        await uses(backend)
    return server.taken


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [name for name in TALKS if name not in LOOPS])
async def test_what_is_said_without_tools_is_taken_by_every_family_as_first_sent(
    name: str, version: str, validate: Validate
) -> None:
    for body in await recorded(name):
        assert validate(version, "vllm", without_tools(body)) is None


def without_tools(body: Json) -> Json:
    """Leave out the tools of the probe."""
    return {name: value for name, value in body.items() if name != "tools"}


@pytest.mark.parametrize("ids", IDS)
@pytest.mark.parametrize("name", LOOPS)
async def test_what_is_said_with_tools_is_taken_by_the_latest_family_as_first_sent(
    name: str, ids: str, validate: Validate
) -> None:
    for body in await recorded(name, ids=ids):
        assert validate("v13", "vllm", body) is None


async def test_the_conversation_that_is_condensed_is() -> None:
    bodies = await recorded("loop that is condensed")
    early, late = bodies[6]["messages"], bodies[-1]["messages"]
    assert late[: len(early)] != early
    assert len(late) > len(early)


CASES = [(name, door, IDS[0]) for name in TALKS for door in DOORS]
CASES += [(name, "api", ids) for name in LOOPS for ids in IDS[1:]]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("name", "door", "ids"), CASES)
async def test_every_family_is_learnt_once_and_the_work_is_done(
    name: str, door: str, ids: str, version: str, validate: Validate
) -> None:
    says, uses = talks()[name]
    server = MistralServer(says(), validate, version=version, door=door, ids=ids)
    async with asking(server, context_window=window(name)) as backend:
        await uses(backend)
    assert_nothing_is_given_up(server, tools=name in LOOPS)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("version", VERSIONS)
async def test_thinking_is_sent_back_to_the_families_that_take_it(
    version: str, door: str, validate: Validate
) -> None:
    says, uses = talks()["loop"]
    server = ThinkingMistralServer(says(), validate, version=version, door=door)
    async with asking(server) as backend:
        await uses(backend)
    assert_nothing_is_given_up(server, tools=True)
    own = [one for one in server.taken[-1]["messages"] if one["role"] == "assistant"]
    is_taken = door == "vllm" and version in {"v11", "v13"}
    assert ("reasoning_content" in own[-1]) == is_taken


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("version", VERSIONS)
async def test_what_one_way_of_asking_has_learnt_the_others_know(
    version: str, door: str, validate: Validate
) -> None:
    def says(body: Json) -> Said:
        return (judges if "You review" in body["messages"][0]["content"] else solves)(body)

    server = MistralServer(says, validate, version=version, door=door, ids=IDS[1])
    async with asking(server) as backend:
        for name in ("oneshot", "loop", "judge", "monkeys", "pairwise", "rank", "loop"):
            await talks()[name][1](backend)
    assert_nothing_is_given_up(server, tools=False)


def assert_nothing_is_given_up(server: MistralServer, *, tools: bool) -> None:
    """Hold that each refusal was met once, and that nothing was left out which is taken."""
    assert server.repeated == {}
    last = server.taken[-1]
    assert {"temperature", "top_p", "max_tokens", "stream"} <= set(last)
    assert last["stream"] is True
    assert last["messages"][0]["role"] == "system"
    if tools:
        assert all("tools" in body for body in server.taken)
        assert any("Box(2, 5)" in one["content"] for one in last["messages"])
