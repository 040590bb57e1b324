"""Whatever a model asks for, it is told what came of it; nothing rises, and the work goes on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Literal

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.backend import Completion, ToolCall, Usage
from agent.limits import AgentLimits
from agent.protocol import as_sent, requests_of
from agent.tools import Action, Bash, Edit, Outcome, View, act
from agent.workspace import Workspace, open_workspace, sound
from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from tasks.taskrepo import starter_path, tasks_from_repo

MIB = 1024 * 1024
SHOWN = 2_000
SAID = Completion(text="", stop="stop", usage=Usage())

# Bytes that are no text, halves of characters, NUL, and what means something to shells and tools.
ODD = st.characters() | st.sampled_from("\0\n\r\t\x1b'\"\\$`*-/.~ \ud800\udcff\u202e\u00e9")
NAMES = st.text(ODD, min_size=1, max_size=30) | st.sampled_from(
    [
        "-delete",
        "--",
        ".",
        "..",
        "/",
        "/etc/passwd",
        ".git/config",
        "a/" * 3_000,
        "x" * 300,
        "~",
        "\n",
    ]
)
TEXTS = st.text(ODD, max_size=60)
# What reaches the tools was made sound.
PATHS = NAMES.map(sound)
NUMBERS = st.none() | st.integers()
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(Bash, command=NAMES.map(sound)),
    st.builds(View, path=PATHS, first=NUMBERS, last=NUMBERS),
    st.builds(Edit, path=PATHS, old=TEXTS.map(sound), new=TEXTS.map(sound)),
)
# What JSON can hold and what Python reads besides.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(ODD, max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
ARGUMENTS = st.one_of(
    st.text(ODD, max_size=60),
    VALUES.map(json.dumps),
    st.dictionaries(st.sampled_from(["command", "path", "old", "new", "first"]), VALUES).map(
        json.dumps
    ),
)


@pytest.mark.parametrize(
    "arguments",
    [
        '{"first": 1e999, "path": "a"}',
        '{"first": ' + "9" * 5_000 + "}",
        "[" * 100_000,
        '{"path": "\\ud800", "old": "\\u0000", "new": "x"}',
        json.dumps({"path": "a", "new": "x" * 10 * MIB}),
        "{" + '"a":' * 50_000,
        '"' + "\\" * 99_999 + '"',
    ],
    ids=range(7),
)
def test_arguments_of_any_kind_are_an_action_or_a_sentence(arguments: str) -> None:
    call = ToolCall(id="1", name="edit", arguments=arguments)
    (request,) = requests_of(replace(SAID, tool_calls=(call,)))
    assert request.action is not None or 0 < len(request.fault) < 500


@settings(deadline=None)
@given(st.text(ODD, max_size=20), ARGUMENTS)
def test_calls_are_read_and_can_be_sent_again(name: str, arguments: str) -> None:
    for tool in (name, "bash", "view", "edit", "submit"):
        answer = replace(SAID, tool_calls=(ToolCall(id="1", name=tool, arguments=arguments),))
        (request,) = requests_of(answer)
        assert (request.action is None) == bool(request.fault)
        (sent,) = as_sent(answer).tool_calls
        # As endpoints read it: there is no NaN.
        json.loads(sent.arguments, parse_constant=pytest.fail)
        sent.arguments.encode()


@given(
    st.lists(
        TEXTS
        | st.sampled_from(
            [
                *("```bash", "```", "~~~", "a.py", "submit", "$ ls", "--- a", "+++ b"),
                *("<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE"),
                *(f"@@ -{'9' * 5_000}", f"```{' ' * 50_000}x y"),
            ]
        ),
        max_size=12,
    ),
    st.sampled_from(("stop", "length")),
)
@settings(deadline=None)
def test_answers_of_any_text_are_read(lines: list[str], stop: Literal["stop", "length"]) -> None:
    answer = replace(SAID, text="\n".join(lines), stop=stop)
    for request in requests_of(answer):
        assert (request.action is None) == bool(request.fault)
        # Nothing that is done holds half a character.
        repr(request.action).encode()
    as_sent(answer).content.encode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workspace(base_image: str) -> AsyncIterator[Workspace]:
    task = next(iter(tasks_from_repo(starter_path(), split=None)))
    limits = AgentLimits(observation_characters=SHOWN)
    async with DockerHost(run_id="test") as host:
        await ensure_image(host, task.issue.image, task.build, lambda _: None)
        async with open_workspace(task.issue, host, limits) as workspace:
            yield workspace


def is_told(outcome: Outcome) -> bool:
    """Whether the model gets words that can be sent, and no more of them than it is to have."""
    text = outcome.observation.text
    text.encode()
    return 0 < len(text) < SHOWN + 2_500


@pytest.mark.docker
@pytest.mark.asyncio(loop_scope="module")
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ACTIONS)
async def test_every_action_is_answered(workspace: Workspace, action: Action) -> None:
    assert is_told(await act(action, workspace, timeout=20))


LONG = "x" * 10 * MIB
LARGE: list[Action] = [
    Bash(command=f"echo {LONG}"),
    Bash(command="\0"),
    View(path=LONG),
    View(path="a/" * MIB),
    View(path="\0"),
    View(path="README.md\nb"),
    Edit(path=LONG, new="x"),
    Edit(path=f"{LONG}.py", old="x", new="y"),
    Edit(path="large.txt", new=LONG),
    Edit(path="large.txt", old=LONG, new="y"),
    Edit(path="nul.py", new="\0"),
    Edit(path="caf\u00e9.py", new="x = 1\n"),
]


@pytest.mark.docker
@pytest.mark.asyncio(loop_scope="module")
async def test_large_and_odd_arguments_are_answered_and_the_work_goes_on(
    workspace: Workspace,
) -> None:
    for action in LARGE:
        assert is_told(await act(action, workspace, timeout=60)), repr(action)[:80]
    left = "mkdir -p -- -ls; touch -- -ls/a; touch $'caf\\xe9.txt'; ln -s $'\\xff' bad"
    assert is_told(await act(Bash(command=left), workspace, timeout=20))
    seen = await act(View(path="-ls"), workspace, timeout=20)
    assert "-ls/a" in seen.observation.text
    assert is_told(await act(View(path="."), workspace, timeout=20))
    # The target of the link is in the patch, byte by byte.
    assert "+\udcff\n" in await workspace.patch()
