"""What an endpoint's refusal or silence means: try again, give up, or tell the user what to mend.

Every error that leaves here carries one sentence for a person and never the API key, also where
the provider's own message repeats a part of it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus

import openai

from agent.backend import (
    BackendError,
    BackendUnusableError,
    ContextOverflowError,
    ToolsRefusedError,
)
from agent.endpoint.retry import TransientError, retry_after

_OVERFLOW_STATUSES = {400, 413, 422}
_OVERFLOW_CODES = {"context_length_exceeded"}
_OVERFLOW_WORDS = (
    "context length",
    "context window",
    "context size",
    "maximum context",
    "prompt is too long",
    "input is too long",
    "max_new_tokens",
)
_NO_CREDIT_CODES = {"insufficient_quota", "insufficient_balance", "billing_hard_limit_reached"}
_NO_MODEL_CODES = {"model_not_found"}
_NO_MODEL_WORDS = ("model not exist", "model does not exist", "not a valid model")
_UNSUPPORTED_CODES = {"unsupported_parameter", "unsupported_value"}
_TOOLS_STATUSES = {400, 404, 422, 501}
_TOOLS_WORDS = ("tool", "function call", "functions")
_HEALING_STATUSES = {408, 409, 425, 429}


class UnknownModelError(BackendUnusableError):
    """The endpoint answers, but does not serve the model, or not at this address."""

    def __init__(self, message: str) -> None:
        super().__init__(message, bad_input=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """What the sentences say about an endpoint, and what they must not say."""

    name: str
    base_url: str
    key_variable: str
    secret: str = field(repr=False)

    def fault(self, error: openai.APIError, *, tools: bool = False) -> BackendError:
        """Tell what an error of the SDK means; `tools`: the request came with some."""
        if isinstance(error, openai.APIStatusError):
            message, code = _said(error.body)
            if (
                tools
                and error.status_code in _TOOLS_STATUSES
                and any(words in message.lower() for words in _TOOLS_WORDS)
            ):
                return ToolsRefusedError(
                    f"{self.name}: {self.base_url} takes no tools ({self._clean(message)})."
                )
            return self.refusal(
                error.status_code, message, code, wait=retry_after(error.response.headers)
            )
        cause = error.__cause__
        detail = self._clean(str(cause) or type(cause).__name__)
        # Names, not types: they belong to the HTTP library that the SDK happens to use.
        if type(cause).__name__ in {"ConnectError", "ConnectTimeout"}:
            return TransientError(
                f"{self.name}: no connection to {self.base_url} ({detail})", unreached=True
            )
        return TransientError(
            f"{self.name}: lost the connection to {self.base_url} ({detail})", lost=True
        )

    def refusal(
        self, status: int, message: str, code: str, *, wait: float | None = None
    ) -> BackendError:
        """Tell what an HTTP status and the error in its body mean."""
        said = f"{status}: {self._clean(message)}" if message else str(status)
        lower = message.lower()
        if final := self._unusable(status, lower, code, said):
            return final
        if code in _OVERFLOW_CODES or (
            status in _OVERFLOW_STATUSES and any(words in lower for words in _OVERFLOW_WORDS)
        ):
            return ContextOverflowError(f"{self.name}: the prompt is too long ({said}).")
        if status in _HEALING_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return TransientError(f"{self.name}: {self.base_url} answered {said}", retry_after=wait)
        return BackendError(f"{self.name}: {self.base_url} refused the request ({said}).")

    def hidden_refusal(self, code: int | str | None, message: str) -> BackendError:
        """Tell what an error means that came under status 200, as OpenRouter sends them."""
        status = code if isinstance(code, int) else HTTPStatus.BAD_GATEWAY
        return self.refusal(status, message, str(code or ""))

    def _unusable(
        self, status: int, lower: str, code: str, said: str
    ) -> BackendUnusableError | None:
        """Return what keeps every request from succeeding, None when this is not such a fault."""
        if status == HTTPStatus.UNAUTHORIZED:
            # The provider's own words are left out: some repeat the key.
            return BackendUnusableError(
                f"{self.name}: {self.base_url} refused the API key: "
                f"set {self.key_variable} to a valid one.",
                bad_input=True,
            )
        if status == HTTPStatus.PAYMENT_REQUIRED or code in _NO_CREDIT_CODES:
            return BackendUnusableError(
                f"{self.name}: the account behind {self.key_variable} has no credit left ({said})."
            )
        if status == HTTPStatus.FORBIDDEN:
            return BackendUnusableError(
                f"{self.name}: {self.base_url} forbids this ({said}): check what the key in "
                f"{self.key_variable} may use.",
                bad_input=True,
            )
        if (
            status == HTTPStatus.NOT_FOUND
            or code in _NO_MODEL_CODES
            or any(words in lower for words in _NO_MODEL_WORDS)
        ):
            return UnknownModelError(
                f"{self.name}: {self.base_url} has no such model, or is not the right address "
                f"({said})."
            )
        if code in _UNSUPPORTED_CODES:
            return BackendUnusableError(
                f"{self.name}: the model does not take these settings ({said}): change them.",
                bad_input=True,
            )
        return None

    def _clean(self, text: str) -> str:
        if self.secret:
            text = text.replace(self.secret, "***")
        return " ".join(text.split())[:300].rstrip(".")


def _said(body: object) -> tuple[str, str]:
    """Return the message and the code that an error body carries, in any of the usual shapes."""
    if isinstance(body, dict):
        message = body.get("message") or body.get("detail") or body.get("error") or body
        text = message if isinstance(message, str) else json.dumps(message, default=str)
        return text, str(body.get("code") or body.get("type") or "")
    return (body if isinstance(body, str) else ""), ""
