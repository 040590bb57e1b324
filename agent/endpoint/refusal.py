"""A refusal of an endpoint: its status, and its words out of any of the usual error bodies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """The answer of an endpoint that does not take a request."""

    status: int
    message: str
    code: str = ""
    param: str = ""
    said: str = ""
    """The message as a person may read it: short, and without keys."""


def words_of(body: object) -> tuple[str, str, str]:
    """Return the message, the code and the parameter of an error body, in any usual shape.

    What a relay has packed into a text (JSON of the provider behind it) is part of the message.
    """
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        # Gemini's way, and that of errors under status 200.
        body = body["error"]
    if isinstance(body, dict) and isinstance(body.get("base_resp"), dict):
        body = body["base_resp"]
    if not isinstance(body, dict):
        return (body if isinstance(body, str) else ""), "", ""
    message = (
        body.get("message")
        or body.get("detail")
        or body.get("status_msg")
        or body.get("error")
        or body
    )
    if isinstance(message, dict) and isinstance(message.get("detail"), list):
        message = message["detail"]
    text = message if isinstance(message, str) else _listed(message)
    metadata = body.get("metadata")
    if isinstance(metadata, dict) and metadata.get("raw"):
        text = f"{text}: {metadata['raw']}"
    if body.get("n_ctx"):
        text = f"{text} (n_ctx: {body['n_ctx']})"
    codes: Sequence[object] = (body.get("code"), body.get("type"), body.get("status"))
    # A number is the status once more, or the provider's own.
    code = next((str(c) for c in codes if c and not str(c).isdigit()), "")
    return text, code, str(body.get("param") or "")


def _listed(message: object) -> str:
    """Return what is no text as one: a list of faults by their places, anything else as JSON."""
    faults = message if isinstance(message, list) else []
    if faults and all(isinstance(fault, dict) and "msg" in fault for fault in faults):
        return "; ".join(
            f"{'.'.join(map(str, fault.get('loc') or ()))}: {fault['msg']}" for fault in faults
        )
    return json.dumps(message, default=str)
