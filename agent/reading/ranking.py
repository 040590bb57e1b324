"""Which files an issue is most likely about, as asked of a model or judged by words alone.

A model may leave out, misspell and invent; what it names comes first, and the rest stays in the
order of the words. That it names the right files is not promised.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.backend import Backend, ContextOverflowError, Message, Sampling, Usage
from agent.reading.context import all_paths, files_map, likely_tokens, shortened
from agent.reading.relevance import meant_by, ranked
from agent.trajectory import Turn

_LARGEST_PROMPT = 16_000
# Tokens. What the words put behind that is hardly ever what has to change.
_LEAST_MAP = 100
# Tokens of a map below which there is nothing to choose from.
_MARGIN = 64
# Tokens kept free for what a chat template adds.
_TRIES = 4
_ASKED, _BELIEVED = 8, 12
# Paths that are asked for, and that are read from an answer, which may be a loop.
_AMBIGUOUS = 3
# Files that share a name past which the name points to none of them.

_SYSTEM = """\
You find the files of a repository that have to change to fix an issue. You answer with their \
paths, one a line, the most likely first, and nothing else."""
_QUESTION = f"""\
{{files}}
Issue:
{{statement}}

Which of these files have to change? Answer with at most {_ASKED} paths."""

_WORD = re.compile(r"[\w.@+\-/\\]+")
_MARK = re.compile(r"^\s*(?:[-*+•]\s+|\(?\d+[.):]\s*)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """Files by their relevance to an issue, and what it took to come by it."""

    order: tuple[tuple[str, float], ...]
    # (path, score), best first.
    usage: Usage = field(default_factory=Usage)
    turns: tuple[Turn, ...] = ()
    # What a model was asked and answered; empty when none was.


Ranker = Callable[[str, Mapping[str, str], Backend], Awaitable[Ranking]]
"""Ranks the files (path -> text) for a statement, perhaps by asking the model.

Raises BackendError when the model fails.
"""


async def by_words(statement: str, texts: Mapping[str, str], backend: Backend) -> Ranking:
    """Rank by what the issue names and by BM25; the model is not asked."""
    del backend
    return Ranking(order=tuple(await asyncio.to_thread(ranked, statement, texts)))


async def by_model(statement: str, texts: Mapping[str, str], backend: Backend) -> Ranking:
    """Show a map of the repository, and let the model name the files.

    Where the map is longer than the window, it holds what the words rank first. A model whose
    window has room for next to none of it is not asked.
    """
    words = await asyncio.to_thread(ranked, statement, texts)
    room = min(backend.context_window - backend.answer_tokens - _MARGIN, _LARGEST_PROMPT)
    messages = await _fitted(statement, all_paths(words, texts), texts, backend, room)
    if not messages:
        return Ranking(order=tuple(words))
    # The most likely answer, drawn once for all samples.
    sampling = Sampling(temperature=0.0, top_p=1.0, seed=0)
    try:
        completion = await backend.complete(messages, sampling)
    except ContextOverflowError as error:
        return Ranking(order=tuple(words), usage=error.usage or Usage())
    asked = (Turn(message=message, source="ranking") for message in messages)
    answered = Turn(
        message=completion.message,
        usage=completion.usage,
        seconds=completion.usage.seconds,
        source="ranking",
    )
    named = await asyncio.to_thread(named_files, completion.text, texts)
    return Ranking(
        order=tuple(fused(named, words)), usage=completion.usage, turns=(*asked, answered)
    )


def named_files(answer: str, texts: Mapping[str, str]) -> list[str]:
    """Return the files that an answer names, in its order; names of no file are passed over.

    Read from lists, quotes, JSON and prose: paths, parts of paths, and modules with dots.
    """
    found: dict[str, None] = {}
    for line in answer.splitlines():
        whole = _MARK.sub("", line).strip(" \t`'\"*,")
        if whole in texts:
            found[whole] = None
            continue
        for word in _WORD.findall(line):
            name = word.strip(".").replace("\\", "/")
            meant = meant_by(name, texts) if "." in name or "/" in name else []
            if len(meant) <= _AMBIGUOUS:
                found.update(dict.fromkeys(meant))
    return list(found)[:_BELIEVED]


def fused(named: Sequence[str], words: Sequence[tuple[str, float]]) -> Sequence[tuple[str, float]]:
    """Put the named files first, scored over 1 to 2; the others follow, scored at most 1."""
    if not named:
        return words
    first = [(path, 2.0 - place / len(named)) for place, path in enumerate(named)]
    most = max((score for _, score in words), default=1.0)
    known = set(named)
    return first + [(path, score / most) for path, score in words if path not in known]


async def _fitted(
    statement: str, paths: Sequence[str], texts: Mapping[str, str], backend: Backend, room: int
) -> tuple[Message, ...]:
    """Return a prompt that is within `room` by the model's own count, or none."""
    statement = shortened(statement.strip(), room // 2)
    budget = room - likely_tokens(_SYSTEM + _QUESTION + statement)
    for _ in range(_TRIES if len(paths) > 1 else 0):
        if budget < _LEAST_MAP:
            break
        files = await asyncio.to_thread(files_map, "Files:", paths, texts, budget)
        text = _QUESTION.format(files=files, statement=statement)
        messages = (Message(role="system", content=_SYSTEM), Message(role="user", content=text))
        excess = await backend.count_tokens(messages) - room
        if excess <= 0:
            return messages
        budget -= excess
    return ()
