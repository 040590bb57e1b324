"""The validators of Mistral's own library, as a program: requests in, what is wrong with them out.

It runs on the Python of another environment, a line of JSON for each request. Requests come in
through one of two doors: that of Mistral's API knows its own fields only, that of vLLM passes over
what it does not know.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from mistral_common.exceptions import MistralCommonException
from mistral_common.protocol.instruct.normalize import get_normalizer
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
from mistral_common.tokens.tokenizers.base import TokenizerVersion
from pydantic import ValidationError

# What the server reads itself, before it hands a request on.
_OF_SERVER = {"stream", "stream_options"}


def fault(version: str, door: str, body: dict[str, Any]) -> dict[str, Any] | None:
    """Return what is wrong with a request, None for nothing."""
    try:
        request = _request(door, body)
        known = TokenizerVersion(version)
        get_validator(known, ValidationMode.serving).validate_request(request)
        get_normalizer(known).from_chat_completion_request(request)
    except ValidationError as error:
        return {
            "kind": "ValidationError",
            "detail": [
                {
                    "type": one["type"],
                    "loc": ["body", *one["loc"]],
                    "msg": one["msg"],
                    "input": None,
                }
                for one in error.errors()
            ],
        }
    except (MistralCommonException, ValueError) as error:
        return {"kind": type(error).__name__, "message": str(error)}
    return None


def _request(door: str, body: dict[str, Any]) -> Any:
    if door == "api":
        return ChatCompletionRequest.model_validate(
            {name: value for name, value in body.items() if name != "stream"}
        )
    rest = {
        name: value
        for name, value in body.items()
        if name not in {"messages", "tools", *_OF_SERVER}
    }
    return ChatCompletionRequest.from_openai(body["messages"], body.get("tools"), **rest)


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        found = fault(asked["version"], asked["door"], asked["body"])
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
