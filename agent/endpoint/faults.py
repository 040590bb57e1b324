"""What an endpoint's refusal or silence means: try again, give up, or tell the user what to mend.

Every error that leaves here carries one sentence for a person and never the API key, also where
the provider's own message repeats a part of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from agent.backend import BackendError, BackendUnusableError, ContextOverflowError
from agent.endpoint.refusal import Refusal, words_of
from agent.endpoint.retry import TransientError, retry_after

_MASKED = re.compile(r"(?<!\S)\S*\*{3,}\S*")
# A key as providers show it, with its ends left readable.
_OVERFLOW_STATUSES = {400, 413, 422}
# Under 429 it is more than the account may send in a minute, so that no wait will do.
_OVERFLOWS: Mapping[int, tuple[str, ...]] = {
    429: ("request too large",),
    500: ("available context",),
}
_OVERFLOW_CODES = {"context_length_exceeded"}
_OVERFLOW_WORDS = (
    "context length",
    "context window",
    "context size",
    "context limit",
    "maximum context",
    "maximum model length",
    "maximum prompt length",
    "input token count",
    "prompt is too long",
    "input is too long",
    "max_new_tokens",
    "token limit",
    "maximum sequence length",
    "request body too large",
    "request too large for",
    "available context",
    "range of input length",
    "n_ctx",
)
_NAMES_WINDOW = (
    r"(?:context (?:length|window|size|limit)|maximum prompt length|max(?:imum)? model length"
    r"|number of tokens allowed|token limit)"
)
# Where a context window stands in an overflow, the surest place first.
_WINDOWS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\d+ \+ \d+ > (\d{3,8})",
        r"> (\d{3,8}) maximum",
        r"must be <= (\d{3,8})",
        r"with (\d{3,8}) maximum context",
        r"n_ctx: (\d{3,8})",
        r"limit:? (\d{3,8}), requested",
        _NAMES_WINDOW + r"[^0-9]{0,24}(\d{3,8})",
    )
)
_NO_CREDIT_CODES = {
    "insufficient_quota",
    "insufficient_balance",
    "billing_hard_limit_reached",
    "exceeded_current_quota_error",
}
_NO_CREDIT_WORDS = ("credit balance is too low", "insufficient balance", "insufficient credit")
_KEY_STATUSES = {400, 403}
_KEY_WORDS = (
    "api key not valid",
    "api key expired",
    "incorrect api key",
    "invalid api key",
    "no connected db",
    "no api key",
)
# Some do not answer 401.
_NO_MODEL_CODES = {"model_not_found", "invalid_model"}
_NO_MODEL_WORDS = ("model not exist", "model does not exist", "not a valid model")
_WITHHELD_STATUSES = {400, 403}
_WITHHELD_CODES = {"content_filter", "content_policy_violation", "data_inspection_failed"}
_WITHHELD_WORDS = ("prompt was flagged", "input was flagged", "content exists risk")
_HEALING_STATUSES = {408, 409, 425, 429}
# Codes in an answer of status 200 that say that the request was at fault.
_REQUEST_AT_FAULT = re.compile(
    r"invalid|bad.?request|unsupported|not support|parameter|too large|at most|must be|range of",
    re.IGNORECASE,
)
_NO_CALL_CODE = "tool_use_failed"


class UnknownModelError(BackendUnusableError):
    """The endpoint answers, but does not serve the model, or not at this address."""

    def __init__(self, message: str) -> None:
        super().__init__(message, bad_input=True)


class WithheldError(BackendError):
    """The provider's filter rejected the prompt."""


class RefusedError(BackendError):
    """The endpoint does not take the request as it was sent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """What the sentences say about an endpoint, and what they must not say."""

    name: str
    base_url: str
    key_variable: str
    secrets: tuple[str, ...] = field(repr=False)
    """The key, and whatever else was sent that must not be told."""

    def refusal_of(self, error: Exception) -> Refusal | None:
        """Return what an error of an SDK says the endpoint does not take, None for other faults."""
        status = getattr(error, "status_code", None)
        if status is None:
            return None
        return self.told(status, getattr(error, "body", None))

    def told(self, status: int, body: object) -> Refusal:
        """Return an error body as a refusal."""
        message, code, param = words_of(body)
        said = f"{status}: {self._clean(message)}" if message else str(status)
        return Refusal(status=status, message=message, code=code, param=param, said=said)

    def fault(self, error: Exception) -> BackendError:
        """Tell what an error of an SDK means; all SDKs of this make name their parts alike."""
        response = getattr(error, "response", None)
        if (refusal := self.refusal_of(error)) is not None and response is not None:
            if response.is_redirect:
                return self._moved(response.headers.get("location", ""))
            return self.refused(refusal, wait=retry_after(response.headers))
        # The SDK wraps what the HTTP library says while it sends, and not while it reads.
        cause = error.__cause__ or error
        detail = self._clean(str(cause) or type(cause).__name__)
        # Names, not types: they belong to the HTTP library that the SDK happens to use.
        if type(cause).__name__ in {"ConnectError", "ConnectTimeout"}:
            return TransientError(
                f"{self.name}: no connection to {self.base_url} ({detail})", unreached=True
            )
        return TransientError(
            f"{self.name}: lost the connection to {self.base_url} ({detail})", lost=True
        )

    def refused(self, refusal: Refusal, *, wait: float | None = None) -> BackendError:
        """Tell what an HTTP status and the error in its body mean."""
        status, code, said = refusal.status, refusal.code, refusal.said
        lower = refusal.message.lower()
        if code in _WITHHELD_CODES or (
            status in _WITHHELD_STATUSES and any(words in lower for words in _WITHHELD_WORDS)
        ):
            return WithheldError(f"{self.name}: {self.base_url} filtered the prompt ({said}).")
        if final := self._unusable(status, lower, code, said):
            return final
        overflow = _OVERFLOW_WORDS if status in _OVERFLOW_STATUSES else _OVERFLOWS.get(status, ())
        if code in _OVERFLOW_CODES or any(words in lower for words in overflow):
            return ContextOverflowError(f"{self.name}: the prompt is too long ({said}).")
        if code == _NO_CALL_CODE:
            # What the model wrote is no call, which is no fault of the request.
            return TransientError(f"{self.name}: {self.base_url} answered {said}", lost=True)
        if status in _HEALING_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return TransientError(f"{self.name}: {self.base_url} answered {said}", retry_after=wait)
        return RefusedError(f"{self.name}: {self.base_url} refused the request ({said}).")

    def hidden_refusal(self, body: object) -> Refusal:
        """Return the refusal that came under status 200, as OpenRouter sends them."""
        error = body.get("error") if isinstance(body, dict) else None
        error = error if isinstance(error, dict) else body
        told = (
            str(error.get("code") or error.get("status_code") or error.get("type") or "")
            if isinstance(error, dict)
            else ""
        )
        if re.fullmatch("[45][0-9][0-9]", told):
            return self.told(int(told), body)
        message, _, _ = words_of(body)
        is_ours = _REQUEST_AT_FAULT.search(f"{told} {message}") is not None
        return self.told(HTTPStatus.BAD_REQUEST if is_ours else HTTPStatus.BAD_GATEWAY, body)

    def _moved(self, to: str) -> BackendUnusableError:
        try:
            # Without its query, which may hold anything.
            place = urljoin(self.base_url, urlsplit(to)._replace(query="", fragment="").geturl())
        except ValueError:
            place = to
        place = self._clean(place.removesuffix("/chat/completions"))
        return UnknownModelError(
            f"{self.name}: {self.base_url} redirects to {place}: give that address instead."
        )

    def _unusable(
        self, status: int, lower: str, code: str, said: str
    ) -> BackendUnusableError | None:
        """Return what keeps every request from succeeding, None when this is not such a fault."""
        if status == HTTPStatus.UNAUTHORIZED or (
            status in _KEY_STATUSES and any(words in lower for words in _KEY_WORDS)
        ):
            if not self.secrets:
                return BackendUnusableError(
                    f"{self.name}: {self.base_url} wants an API key ({said}): set "
                    f"{self.key_variable}, or send it in a --header 'NAME: $VARIABLE'.",
                    bad_input=True,
                )
            # The provider's own words are left out: some repeat the key.
            return BackendUnusableError(
                f"{self.name}: {self.base_url} refused the API key: "
                f"set {self.key_variable} to a valid one.",
                bad_input=True,
            )
        if (
            (status == HTTPStatus.PAYMENT_REQUIRED and "max_tokens" not in lower)
            or code in _NO_CREDIT_CODES
            or any(words in lower for words in _NO_CREDIT_WORDS)
        ):
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
        return None

    def _clean(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "***")
        text = _MASKED.sub("***", text)
        return " ".join(text.split())[:300].rstrip(".")


def secrets_of(api_key: str | None, headers: Mapping[str, str] | None) -> tuple[str, ...]:
    """Return what of a request must be in no message: its key, and what its own headers say."""
    return tuple(filter(None, [api_key, *(headers or {}).values()]))


def window_told(message: str) -> int | None:
    """Return the context window that a message about an overflow tells, None where it does not."""
    found = filter(None, (pattern.search(message) for pattern in _WINDOWS))
    return next((int(window[1]) for window in found), None)
