"""Endpoints that serve a model of Mistral's: every request meets the library's own validators."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.agent.answers import Json
from tests.agent.environments import python_with
from tests.agent.loopback import Asked, Reply
from tests.agent.personas.persona import Persona
from tests.agent.solver import Said

VERSIONS = ("v3", "v7", "v11", "v13")
DOORS = ("api", "vllm")
_PROGRAM = Path(__file__).with_name("mistral_validator.py")
# The kinds of faults and what Mistral's API calls them.
_CODES = {
    "InvalidFunctionCallException": ("invalid_function_call", "3280"),
    "InvalidMessageStructureException": ("invalid_request_message_order", "3230"),
}

RAW = "raw"
"""In place of arguments: what the model writes there, which may be no JSON."""

Says = Callable[[Json], Said]
Validate = Callable[[str, str, Json], Json | None]
"""From a version, a door and a request to what is wrong with it."""


@contextmanager
def validators() -> Iterator[Validate]:
    """Run the real validators. Skips where they cannot be had."""
    python = python_with("mistral", "mistral-common==1.13.1", space=400_000_000)
    one_at_a_time = threading.Lock()
    with subprocess.Popen(
        [str(python), str(_PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin
        assert program.stdout
        told, said = program.stdin, program.stdout

        def validate(version: str, door: str, body: Json) -> Json | None:
            with one_at_a_time:
                told.write(json.dumps({"version": version, "door": door, "body": body}) + "\n")
                told.flush()
                fault: Json | None = json.loads(said.readline())
            return fault

        try:
            yield validate
        finally:
            program.kill()


class MistralServer(Persona):
    """Refuses in the words of Mistral's API or of vLLM what the validators do not take."""

    def __init__(
        self,
        says: Says,
        validate: Validate | None = None,
        *,
        version: str = "",
        door: str = "",
        ids: str = "gSIM{:05d}",
    ) -> None:
        """Without `validate` it refuses nothing. `ids` is the form of the ids of calls."""
        super().__init__()
        self._says = says
        self._validate = validate
        self._version = version
        self._door = door
        self._ids = ids

    def __call__(self, asked: Asked) -> Reply:
        if refused := self.refusal(asked.body, asked):
            self.refusals.append(json.dumps(refused.body))
            return refused
        said = self._says(asked.body)
        self.taken.append(asked.body)
        used = self.used(asked.body, said)
        self.book(asked.body, used)
        return self.reply(asked.body, said, used)

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        fault = self._validate and self._validate(self._version, self._door, body)
        if not fault:
            return None
        detail, message = fault.get("detail"), fault.get("message")
        if self._door == "vllm":
            words = message or str(detail)
            error = {"message": words, "type": "BadRequestError", "param": None, "code": 400}
            return Reply(status=400, body={"error": error})
        kind, code = _CODES.get(fault["kind"], ("invalid_request_error", None))
        refused = {"object": "error", "type": kind, "param": None, "code": code}
        if detail:
            return Reply(status=422, body=refused | {"message": {"detail": detail}})
        return Reply(status=400, body=refused | {"message": message})

    def is_told(self, body: Json) -> bool:
        return True

    def new_id(self, name: str, number: int) -> str:
        return self._ids.format(len(self.ids))

    def calls(self, said: Said) -> list[Json]:
        made = super().calls(said)
        for call, (_, arguments) in zip(made, said.calls, strict=True):
            call["function"]["arguments"] = arguments.get(RAW, call["function"]["arguments"])
        return made


class ThinkingMistralServer(MistralServer):
    """The same for a model that thinks beside its answer, as vLLM shows it."""

    thought_in = "reasoning_content"
