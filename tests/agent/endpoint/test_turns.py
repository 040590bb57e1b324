"""Conversations in the shape of a family: nothing empty, ids that differ, and nothing lost."""

from __future__ import annotations

import re

import pytest

from agent.backend import Message, ToolCall
from agent.endpoint.profile import ModelProfile
from agent.endpoint.turns import shaped, unique_ids

ANY = ModelProfile()
STRICT = ModelProfile(strict_turns=True)
USER_ONLY = ModelProfile(system_role=False)


def system(text: str) -> Message:
    return Message(role="system", content=text)


def user(text: str) -> Message:
    return Message(role="user", content=text)


def calling(*ids: str, text: str = "") -> Message:
    calls = tuple(ToolCall(id=one, name="bash", arguments="{}") for one in ids)
    return Message(role="assistant", content=text, tool_calls=calls)


def seen(identity: str, text: str = "seen") -> Message:
    return Message(role="tool", content=text, tool_call_id=identity)


def said(text: str) -> Message:
    return Message(role="assistant", content=text)


TALK = [system("Mend it."), user("Look."), calling("call_1", text="I look."), seen("call_1")]


def test_a_model_that_takes_everything_is_sent_everything_as_it_is() -> None:
    assert shaped(TALK, ANY) == TALK


@pytest.mark.parametrize("text", ["", " \n"])
def test_no_turn_is_empty(text: str) -> None:
    for message in (user(text), said(text), seen("call_1", text)):
        (turn,) = shaped([message], ANY)
        assert turn.content == "(nothing)"
    # What calls, or carries something of the provider's, says enough.
    assert shaped([calling("call_1", text=text)], ANY)[0].content == text
    carrying = Message(role="assistant", content=text, provider_data='{"chat": {}}')
    assert shaped([carrying], ANY) == [carrying]


def test_a_text_that_cannot_be_sent_is_made_sound() -> None:
    assert shaped([user("name: \udcff")], ANY)[0].content == "name: ?"


# --- without a system message -----------------------------------------------------------------


def test_what_the_system_says_opens_the_first_message_of_the_user() -> None:
    first, *rest = shaped(TALK, USER_ONLY)
    assert (first.role, first.content) == ("user", "Mend it.\n\nLook.")
    assert rest == TALK[2:]


@pytest.mark.parametrize("rest", [[], [said("Yes?"), user("Look.")]])
def test_what_the_system_says_stands_alone_where_no_user_speaks_first(rest: list[Message]) -> None:
    assert shaped([system("Mend it."), *rest], USER_ONLY) == [user("Mend it."), *rest]


def test_all_that_the_system_says_is_kept_in_its_order() -> None:
    (only,) = shaped([system("One."), user("Three."), system("Two.")], USER_ONLY)
    assert only == user("One.\n\nTwo.\n\nThree.")


def test_without_a_system_nothing_is_put_before_the_user() -> None:
    assert shaped([user("Look.")], USER_ONLY) == [user("Look.")]


# --- worked examples --------------------------------------------------------------------------


def test_of_worked_examples_nothing_is_left_where_they_are_refused_and_all_else_is() -> None:
    example = [
        Message(role="user", content="Example?", is_example=True),
        Message(
            role="assistant",
            content="",
            tool_calls=(ToolCall(id="example00", name="bash", arguments="{}"),),
            is_example=True,
        ),
        Message(role="tool", content="seen", tool_call_id="example00", is_example=True),
        Message(role="assistant", content="Done.", is_example=True),
    ]
    talk = [TALK[0], *example, *TALK[1:]]
    assert shaped(talk, ANY) == talk
    assert shaped(talk, ModelProfile(examples=False)) == TALK


# --- the strictest form -----------------------------------------------------------------------


@pytest.mark.parametrize("identity", ["call_1", "functions.bash:0", "x" * 60, "ü", ""])
def test_strict_ids_are_of_nine_letters_and_digits_and_lead_to_their_calls(identity: str) -> None:
    turns = shaped(
        [user("Look."), calling(identity, "other"), seen(identity), seen("other")], STRICT
    )
    ids = [call.id for turn in turns for call in turn.tool_calls]
    assert all(re.fullmatch("[a-zA-Z0-9]{9}", one) for one in ids)
    assert len(set(ids)) == 2
    assert [turn.tool_call_id for turn in turns if turn.role == "tool"] == ids


def test_strict_ids_stay_the_same_from_one_request_to_the_next() -> None:
    longer = [*TALK, calling("call_2"), seen("call_2")]
    assert shaped(longer, STRICT)[: len(TALK)] == shaped(TALK, STRICT)


def test_beside_a_strict_call_stands_no_text() -> None:
    turns = shaped(TALK, STRICT)
    assert [turn.content for turn in turns] == ["Mend it.", "Look.", "", "seen"]


def test_strict_turns_of_one_speaker_are_one_and_nothing_of_them_is_lost() -> None:
    turns = shaped([system("a"), system("b"), user("c"), user("d"), said("e"), user("f")], STRICT)
    assert [(turn.role, turn.content) for turn in turns] == [
        ("system", "a\n\nb"),
        ("user", "c\n\nd"),
        ("assistant", "e"),
        ("user", "f"),
    ]


def test_several_tools_may_answer_in_a_row() -> None:
    talk = [user("Look."), calling("call_1", "call_2"), seen("call_1", "1"), seen("call_2", "2")]
    assert [turn.content for turn in shaped(talk, STRICT) if turn.role == "tool"] == ["1", "2"]


def test_no_user_speaks_right_after_a_tool_in_strict_turns() -> None:
    turns = shaped([*TALK, user("Go on.")], STRICT)
    assert [turn.role for turn in turns[-3:]] == ["tool", "assistant", "user"]
    assert turns[-2].content.strip()
    assert turns[-1].content == "Go on."


def test_strict_turns_without_a_system_alternate() -> None:
    both = ModelProfile(strict_turns=True, system_role=False)
    roles = [turn.role for turn in shaped([*TALK, user("Go on."), user("Now.")], both)]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]


# --- ids of what is answered ------------------------------------------------------------------


def _calls(*ids: str) -> tuple[ToolCall, ...]:
    return calling(*ids).tool_calls


def test_the_providers_own_ids_stay() -> None:
    own = _calls("functions.bash:0", "call_x")
    assert unique_ids(own, TALK) == own


@pytest.mark.parametrize(
    "ids",
    [("", ""), ("same", "same"), ("call_1", "call_2"), ("call_1", "call_1"), ("call00001", "")],
    ids=["none", "twice", "of before", "of before, twice", "like ours"],
)
def test_ids_that_are_missing_or_taken_are_replaced(ids: tuple[str, str]) -> None:
    calls = unique_ids(_calls(*ids), TALK)
    new = [call.id for call in calls]
    assert len({*new, "call_1"}) == 3
    assert all(new)
    assert all(one in ids or re.fullmatch("[a-zA-Z0-9]{9}", one) for one in new)
    assert [(call.name, call.arguments) for call in calls] == [("bash", "{}")] * 2


def test_ids_differ_from_turn_to_turn_of_a_provider_that_gives_none() -> None:
    talk = [user("Look.")]
    for _ in range(20):
        calls = unique_ids(_calls("", "", ""), talk)
        talk.append(Message(role="assistant", content="", tool_calls=calls))
    ids = [call.id for turn in talk for call in turn.tool_calls]
    assert len(set(ids)) == 60
