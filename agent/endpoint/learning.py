"""What a refusal teaches about a model: the next form of the request that is worth trying.

No list of models or providers is needed: a refusal is searched for the names of what was sent, and
for what it says about the turns of the conversation. One that names nothing leads to ever plainer
requests. A setting that the user asked for is never left out; that is an error which names it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from agent.endpoint import wordings
from agent.endpoint.profile import ModelProfile
from agent.endpoint.refusal import Refusal
from agent.endpoint.wire import Answer, Asked, Request, json_object

LEAST_TEMPERATURE = 0.01
"""What is sent in place of 0 where that is refused."""
TEACHING = {400, 402, 404, 405, 413, 415, 416, 422, 500, 501}
"""Statuses of a refusal that can be about the form of a request."""
# Statuses that are about the form, also where nothing is named.
_PLAIN = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}
# Tokens: a smaller number in a refusal is no limit of an answer.
_LEAST_LIMIT = 16
# What the user calls a setting that a provider has under another name.
_ASKED_AS = dict.fromkeys(("reasoning", "thinking", "output_config"), "reasoning_effort")
_TURN_FIELDS = ("strict_turns", "system_role", "examples")


class NoToolsError(Exception):
    """A request is refused for its tools. Unless that `is_named`, it is a last guess."""

    def __init__(self, message: str, *, is_named: bool) -> None:
        super().__init__(message)
        self.is_named = is_named


class RequiredSettingError(Exception):
    """What the user asked for is refused. The message names it and says how to go on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """What a refusal teaches."""

    profile: ModelProfile
    """Asks in another way."""
    is_guess: bool = False
    """The refusal does not say what it is about."""


def learnt_from(
    refusal: Refusal,
    profile: ModelProfile,
    asked: Asked,
    request: Request,
    *,
    proven: Collection[str] = (),
) -> Lesson | None:
    """Return the next form of a request, None where a refusal teaches nothing more.

    `proven` are fields that a request had which was taken: no guess is about them.

    Raises RequiredSettingError where it is about a setting that the user asked for, and
    NoToolsError where it is about tools.
    """
    if refusal.status not in TEACHING:
        return None
    return _Reader(refusal, profile, asked, request, proven).lesson()


def learnt_from_answer(answer: Answer, profile: ModelProfile, *, is_streamed: bool) -> ModelProfile:
    """Return what an answer shows: that a model thinks, and which answers tell their usage."""
    thinks = bool(answer.thinking or (answer.tokens and answer.tokens.reasoning))
    if thinks and not profile.thinks:
        profile = replace(profile, thinks=True)
    is_told = answer.tokens is not None or answer.bill is not None
    if is_told or not profile.tells_usage or profile.stream is not is_streamed:
        return profile
    if profile.stream:
        note = "It is asked for whole answers, since its streams tell no usage."
        return profile.learnt(note, stream=False)
    note = "Its answers tell no usage, which is estimated."
    return profile.learnt(note, stream=True, tells_usage=False)


class _Reader:
    """Reads one refusal of one request."""

    def __init__(
        self,
        refusal: Refusal,
        profile: ModelProfile,
        asked: Asked,
        request: Request,
        proven: Collection[str],
    ) -> None:
        self._proven = proven
        self._refusal = refusal
        self._profile = profile
        self._asked = asked
        self._settings = request.settings
        self._param = _last_name(refusal.param)
        self._required = {
            *asked.sampling.required,
            *json_object(asked.sampling.extra_body),
        }
        self._has_calls = any(message.tool_calls for message in asked.messages)
        # A parameter that is a sentence is a part of the message.
        words = refusal.param if " " in refusal.param.strip() else ""
        text = wordings.ECHO.sub(" ", f"{refusal.message} {refusal.code} {words}")
        # maxOutputTokens is max_output_tokens.
        self._text = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).lower()

    def lesson(self) -> Lesson | None:
        """Return what it teaches. Raises what `learnt_from` does."""
        is_fault = self._refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if self._says(wordings.REFUSAL_OF_SERVER if is_fault else wordings.REFUSAL):
            learnt = self._api() or self._fields() or self._shape()
            if learnt is not None:
                return Lesson(profile=learnt)
            if self._asked.tools and self._says(wordings.TOOLS) and not self._has_calls:
                raise NoToolsError(f"it takes no tools ({self._refusal.said})", is_named=True)
        guessed = self._plainer() if self._refusal.status in _PLAIN else None
        return None if guessed is None else Lesson(profile=guessed, is_guess=True)

    def _fields(self) -> ModelProfile | None:
        """Do without the fields that are named; a list of unknown ones is one lesson."""
        before = self._profile
        for look in (self._stream, self._limit, self._setting):
            learnt = look()
            if learnt is not None:
                self._profile = learnt
                if not self._says(wordings.UNKNOWN):
                    break
        return None if self._profile is before else self._profile

    def _shape(self) -> ModelProfile | None:
        """Give the turns another shape."""
        return (
            self._system()
            or self._thinking()
            or self._empty_content()
            or self._tool_names()
            or self._turns()
        )

    def _learnt(self, note: str, **changes: object) -> ModelProfile:
        return self._profile.learnt(f"{note} ({self._refusal.said}).", **changes)

    def _says(self, pattern: re.Pattern[str]) -> bool:
        return pattern.search(self._text) is not None

    def _names(self, pattern: str) -> bool:
        found = re.search(rf"(?<![a-z0-9_])(?:{pattern})(?![a-z0-9_])", self._text)
        return found is not None

    def _api(self) -> ModelProfile | None:
        if self._profile.api == "chat" and self._says(wordings.RESPONSES):
            return self._learnt("It is asked through the Responses API", api="responses")
        return None

    def _stream(self) -> ModelProfile | None:
        profile = self._profile
        if self._says(wordings.STREAM_ONLY):
            return None if profile.stream else self._learnt("It only streams", stream=True)
        if profile.stream and self._says(wordings.STREAM_USAGE):
            # Where none is sent, something on the way adds it to every stream.
            has_usage, note = profile.stream_usage, "It takes no stream_options"
            return self._learnt(note, stream_usage=False, stream=has_usage)
        # A server that fails may say so of its stream.
        is_fault = self._refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        is_named = self._param == "stream" or (not self._param and self._says(wordings.STREAM))
        if is_named and not is_fault and profile.stream:
            return self._learnt("It does not stream", stream=False, stream_usage=False)
        if is_named and not is_fault and profile.names_stream:
            return self._learnt("It knows no streams", names_stream=False)
        return None

    def _limit(self) -> ModelProfile | None:
        """Ask for a limit of output tokens under its other name, for a lower one, or for none."""
        profile, field = self._profile, self._profile.limit_field
        is_param = re.fullmatch(wordings.LIMIT, self._param) is not None
        if field in profile.left_out or not (is_param or self._names(wordings.LIMIT)):
            return None
        is_required = "max_tokens" in self._required
        numbers = [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", self._text)]
        lower = [n for n in numbers if _LEAST_LIMIT <= n < self._asked.limit]
        if lower and not self._says(wordings.UNKNOWN):
            most = max(lower)
            if re.search(rf"{most} ?\(exclusive|(?:lower|less|fewer) than {most}", self._text):
                most -= 1
            if is_required:
                raise RequiredSettingError(
                    f"answers of this model have at most {most} tokens ({self._refusal.said}): "
                    f"give --max-tokens {most} or less"
                )
            return self._learnt(f"Answers have at most {most:,} tokens", most_output_tokens=most)
        left_out = profile.without({field: self._refusal.said})
        other = "max_completion_tokens" if field == "max_tokens" else "max_tokens"
        if other not in profile.left_out:
            note = f"The limit of output tokens is sent as {other}"
            return self._learnt(note, limit_field=other, left_out=left_out)
        if is_required:
            raise RequiredSettingError(
                f"the model takes no limit of output tokens ({self._refusal.said}): leave out "
                "--max-tokens"
            )
        return self._learnt("No limit of output tokens is sent", left_out=left_out)

    def _setting(self) -> ModelProfile | None:
        named = self._settings_named()
        names = [name for name in named if name in wordings.NAMES] or named
        if "output_config" in self._settings and {"thinking", "output_config"} & {*names}:
            # The effort goes another way: as a budget.
            left_out = self._profile.without({"output_config": self._refusal.said})
            return self._learnt("The effort is sent as a budget of thinking", left_out=left_out)
        if names[:1] == ["temperature"] and self._is_too_low():
            note = f"A temperature of 0 is sent as {LEAST_TEMPERATURE}"
            return self._learnt(note, least_temperature=LEAST_TEMPERATURE)
        free = [name for name in names if not self._is_required(name)]
        if names and not free:
            asked = _ASKED_AS.get(names[0], names[0])
            option = f"--{asked.replace('_', '-')}" if asked in wordings.NAMES else "--extra-body"
            raise RequiredSettingError(
                f"the model does not take `{names[0]}` as it is asked for by {option} "
                f"({self._refusal.said}): leave it out, or give another value"
            )
        if not free:
            return None
        # Of two that exclude each other, one goes.
        free = free[:1] if self._says(wordings.EITHER) and len(names) > 1 else free
        left_out = self._profile.without(dict.fromkeys(free, self._refusal.said))
        return self._learnt(f"{' and '.join(free)} left out", left_out=left_out)

    def _is_required(self, name: str) -> bool:
        return name in self._required or _ASKED_AS.get(name) in self._required

    def _is_too_low(self) -> bool:
        """Whether a temperature of 0 may be refused where a higher one is not."""
        may_be = self._settings.get("temperature") == 0.0 and self._profile.least_temperature == 0.0
        is_value = self._says(wordings.OF_VALUE) and not self._says(wordings.NO_TEMPERATURE)
        return may_be and is_value and not self._is_required("temperature")

    def _settings_named(self) -> list[str]:
        """Return the settings of the request that are named, the least important first."""
        order = [*wordings.NAMES, *(name for name in self._settings if name not in wordings.NAMES)]
        sent = [n for n in order if n in self._settings and not re.fullmatch(wordings.LIMIT, n)]
        named = [n for n in sent if self._names(_pattern(n))]
        if self._param in sent and not (self._says(wordings.EITHER) and self._param in named):
            return [self._param]
        # Where only the value is quoted, it names the setting that has it.
        quoted = set(re.findall(r"['\"`]([\w.]+)['\"`]", self._text))
        return named or [n for n in sent if str(self._settings[n]).lower() in quoted]

    def _system(self) -> ModelProfile | None:
        has_system = any(message.role == "system" for message in self._asked.messages)
        is_named = self._param == "role" or self._says(wordings.SYSTEM)
        if self._profile.system_role and has_system and is_named:
            note = "The system message is sent as a part of the user's"
            return self._learnt(note, system_role=False)
        return None

    def _thinking(self) -> ModelProfile | None:
        profile = self._profile
        if profile.api == "responses" and profile.thinking_back and self._says(wordings.ENCRYPTED):
            return self._learnt("Thinking is not sent back", thinking_back=False)
        if not self._has_calls or not self._says(wordings.THOUGHT):
            return None
        if self._says(wordings.MISSING):
            return self._missing_thinking()
        has_thinking = any(
            message.provider_data or any(call.provider_data for call in message.tool_calls)
            for message in self._asked.messages
        )
        if profile.thinking_back and has_thinking:
            return self._learnt("Thinking is not sent back", thinking_back=False)
        return None

    def _missing_thinking(self) -> ModelProfile | None:
        """Fill in what a turn lacks of thinking, or leave out turns that the model never took."""
        field = wordings.THINKING_FIELD.search(self._text)
        if field and not self._profile.thinking_field:
            note = f"Every turn with calls is sent with its {field[1]}"
            return self._learnt(note, thinking_field=field[1])
        has_examples = any(message.is_example for message in self._asked.messages)
        if self._profile.examples and has_examples:
            return self._learnt("Worked examples are left out", examples=False)
        return None

    def _empty_content(self) -> ModelProfile | None:
        """Send turns that call without a word in another way."""
        profile = self._profile
        is_empty = any(
            message.tool_calls and (profile.strict_turns or not message.content.strip())
            for message in self._asked.messages
        )
        if not is_empty or profile.empty_content == "text":
            return None
        if self._says(wordings.BLANK):
            return self._learnt("Turns without a word are sent with one", empty_content="text")
        if profile.empty_content == "absent" and self._says(wordings.NO_CONTENT):
            return self._learnt("Turns without a word are sent as such", empty_content="empty")
        return None

    def _tool_names(self) -> ModelProfile | None:
        if self._has_calls and not self._profile.tool_names and self._says(wordings.NO_NAME):
            return self._learnt("Results are sent with the names of tools", tool_names=True)
        return None

    def _turns(self) -> ModelProfile | None:
        if self._has_calls and not self._profile.strict_turns and self._says(wordings.TURNS):
            return self._learnt("Turns are sent in their strictest form", strict_turns=True)
        return None

    def _plainer(self) -> ModelProfile | None:
        """Return the next plainer form after a refusal that names nothing which was sent."""
        profile, said = self._profile, self._refusal.said
        field = profile.limit_field
        free = [
            n
            for n in self._settings
            if not self._is_required(n) and n != field and n not in self._proven
        ]
        plain = {name: not getattr(ModelProfile(), name) for name in _TURN_FIELDS}
        is_plain = all(getattr(profile, name) is value for name, value in plain.items())
        may_be_turns = not is_plain and len(self._asked.messages) > 1
        may_be_usage = profile.stream_usage and "stream_options" not in self._proven
        may_be_fields = bool(free) or (profile.stream and may_be_usage)
        fields = {
            "left_out": profile.without(dict.fromkeys(free, said)),
            "stream_usage": profile.stream_usage and not may_be_usage,
        }
        which = ", ".join(free) or "stream_options"
        plain_turns = "Turns are sent in their plainest form"
        has_limit = field in self._settings and field not in self._proven
        has_limit = has_limit and "max_tokens" not in self._required
        no_limit = {"left_out": profile.without({field: said})}
        steps: Sequence[tuple[bool, str, Mapping[str, object]]] = (
            (may_be_turns and self._says(wordings.OF_TURNS), plain_turns, plain),
            (may_be_fields, f"{which} left out after a refusal that names nothing", fields),
            (
                profile.stream and "stream" not in self._proven,
                "It does not stream",
                {"stream": False},
            ),
            (may_be_turns, plain_turns, plain),
            (
                profile.thinking_back and self._has_calls,
                "Thinking is not sent back",
                {"thinking_back": False},
            ),
            (has_limit, "No limit of output tokens is sent", no_limit),
            (
                profile.names_stream and not profile.stream and "stream" not in self._proven,
                "It is not told whether to stream",
                {"names_stream": False},
            ),
        )
        for applies, note, changes in steps:
            if applies:
                return self._learnt(note, **changes)
        if self._asked.tools:
            raise NoToolsError(f"it takes no tools in any form ({said})", is_named=False)
        if self._required:
            options = " and ".join(f"--{name.replace('_', '-')}" for name in sorted(self._required))
            raise RequiredSettingError(
                f"the model does not take the request as it is asked for ({said}): leave out "
                f"{options}"
            )
        return None


def _pattern(name: str) -> str:
    """Return the words by which a refusal may name a setting."""
    of_user = wordings.NAMES.get(_ASKED_AS.get(name, name))
    own = re.escape(name.lower())
    return f"{own}|{of_user}" if of_user else own


def _last_name(path: str) -> str:
    """Return the last name of a path such as `body.seed`."""
    return re.split(r"[.\s/]", path.strip())[-1].lower() if path else ""
