"""What an answer asks for, read from blocks and from calls, and how it is told what came of it."""

from __future__ import annotations

import pytest

from agent.backend import Completion, StopReason, ToolCall, Usage
from agent.protocol import FENCED, NATIVE, Request, as_sent, replies_to, requests_of
from agent.tools import Action, Bash, Edit, Submit

EDIT = "a.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE"
EDITED = Edit(path="a.py", old="x = 1\n", new="x = 2\n")


def asked(text: str, stop: StopReason = "stop") -> list[Action | str]:
    requests = requests_of(Completion(text=text, stop=stop, usage=Usage()))
    return [request.action or request.fault for request in requests]


@pytest.mark.parametrize(
    ("text", "actions"),
    [
        ("```bash\nls\n```", [Bash(command="ls")]),
        ("```sh\nls\n```\nthen\n~~~shell\ncat a\n~~~", [Bash(command="ls"), Bash(command="cat a")]),
        ("Run:\r\n```bash\r\nls\r\n```\r\n", [Bash(command="ls")]),
        ("```bash\nls", [Bash(command="ls")]),
        ("```console\n$ ls\na.py\n$ cat a.py\nx\n```", [Bash(command="ls\ncat a.py")]),
        ("```bash\n\n```", []),
        ("```python\nprint(1)\n```", []),
        (EDIT, [EDITED]),
        (f"```python\n{EDIT}\n```", [EDITED]),
        (f"```bash\nls\n```\n{EDIT}\n```submit\n```", [Bash(command="ls"), EDITED, Submit()]),
        (f"{EDIT}\n```bash\nls\n```", [EDITED, Bash(command="ls")]),
        ("new.py\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE", [Edit(path="new.py", new="x\n")]),
        ("```bash\nsubmit\n```", [Submit()]),
        ("All is done.\n\nsubmit", [Submit()]),
        ("**Submit.**", [Submit()]),
        ("I will submit this later.", []),
        ("Nothing to do.", []),
    ],
)
def test_blocks_are_read_in_their_order(text: str, actions: list[Action]) -> None:
    assert asked(text) == actions


def test_a_command_within_an_edit_is_text_and_not_run() -> None:
    text = (
        "README.md\n<<<<<<< SEARCH\n```bash\nrm -rf .\n```\n=======\n```bash\nls\n```\n"
        ">>>>>>> REPLACE"
    )
    (action,) = asked(text)
    assert isinstance(action, Edit)
    assert action.path == "README.md"


@pytest.mark.parametrize("text", ["```bash\nrm -rf /", EDIT.rpartition(">>>>>>>")[0]])
def test_of_an_answer_that_is_cut_off_nothing_torn_is_taken(text: str) -> None:
    assert asked(text, "length") == []


def test_an_answer_that_repeats_itself_is_not_followed_for_ever() -> None:
    assert len(asked("```bash\nls\n```\n" * 1_000)) == 20


def test_calls_are_read_and_keep_their_ids() -> None:
    calls = (
        ToolCall(id="a", name="bash", arguments='{"command": "ls", "more": 1}'),
        ToolCall(id="b", name="view", arguments='{"path": "x", "first": "3"}'),
        ToolCall(id="c", name="submit", arguments=""),
        ToolCall(id="d", name="bash", arguments='"{\\"command\\": \\"ls\\"}"'),
        ToolCall(id="e", name="bash", arguments="nonsense"),
    )
    completion = Completion(text="", stop="stop", usage=Usage(), tool_calls=calls)
    requests = requests_of(completion)
    assert [request.call_id for request in requests] == list("abcde")
    assert [bool(request.action) for request in requests] == [True] * 4 + [False]
    assert "no JSON" in requests[-1].fault
    assert [call.arguments for call in as_sent(completion).tool_calls][-2:] == [
        '{"command": "ls"}',
        "{}",
    ]


def test_every_call_is_answered_and_blocks_share_an_answer() -> None:
    called = [Request(action=Submit(), call_id=name) for name in "ab"]
    replies = list(replies_to(called, ["one", "two"]))
    assert [(reply.role, reply.tool_call_id) for reply in replies] == [("tool", "a"), ("tool", "b")]
    said = [Request(action=Submit())] * 2
    (reply,) = replies_to(said, ["one", "two"])
    assert (reply.role, reply.content) == ("user", "Action 1:\none\nAction 2:\ntwo")


def test_what_is_demonstrated_is_what_is_read() -> None:
    steps: list[tuple[str, Action, str]] = [
        ("I look.", Bash(command="ls"), "a.py"),
        ("I edit.", EDITED, ""),
        ("Done.", Submit(), ""),
    ]
    for protocol in (NATIVE, FENCED):
        messages = list(protocol.demonstration(steps))
        read = [
            request.action
            for message in messages
            if message.role == "assistant"
            for request in requests_of(
                Completion(
                    text=message.content,
                    stop="stop",
                    usage=Usage(),
                    tool_calls=message.tool_calls,
                )
            )
        ]
        assert read == [action for _, action, _ in steps]
        # It may be left out as a whole, and no user speaks right after a tool.
        assert all(message.is_example for message in messages)
        assert messages[-1].role == "assistant"
        assert all(len(call.id) == 9 for message in messages for call in message.tool_calls)
