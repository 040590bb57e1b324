"""How long answers may be, and in which windows, where nobody says so.

A limit costs nothing that is not used, but a budget has to be able to reserve it, and a prompt
leaves it free.
"""

from __future__ import annotations

from agent.endpoint.profile import ModelProfile

DEFAULT_CONTEXT_WINDOW = 32_768
THINKING_CONTEXT_WINDOW = 131_072
"""Tokens, where nobody tells: models that think have windows of at least this."""
SMALL_WINDOW = 8_192
SMALL_ANSWER, PLAIN_ANSWER, THINKING_ANSWER = 1_024, 4_096, 32_768
"""Output tokens of an answer for which no limit was asked: of models with a small window, of
others, and of those that think."""


def context_window(known: int | None, profile: ModelProfile, *, thinks: bool) -> int:
    """Tokens of prompt and answer together: what is known, what a refusal told, else a guess."""
    guess = THINKING_CONTEXT_WINDOW if thinks else DEFAULT_CONTEXT_WINDOW
    return min((window for window in (known, profile.context_window) if window), default=guess)


def answer_tokens(window: int, profile: ModelProfile, *, thinks: bool) -> int:
    """Output tokens of an answer that suit a model with this window."""
    if window <= SMALL_WINDOW:
        return min(SMALL_ANSWER, max(window // 4, 1))
    most = THINKING_ANSWER if thinks else PLAIN_ANSWER
    return min(most, window // 4, profile.most_output_tokens or most)
