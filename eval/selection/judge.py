"""A model that judges patches: each by itself, or two at a time.

It is shown the issue and the patches, nothing that was run. Candidates that do the same are judged
once. An answer that cannot be read is no judgement, and neither is one to a question that the
window does not hold; what a judge says is not promised to be right.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from agent.backend import Backend, ContextOverflowError, Message, Sampling, answer_limit
from agent.price import Price
from agent.prompts import MARGIN
from agent.reading.context import shortened
from eval.selection.candidates import Candidates, Effort, Method, Scored, together
from eval.selection.evidence import AskedOnce
from eval.selection.votes import sizes, weighted

SAMPLING = Sampling(temperature=0.0, seed=0)
_SHARES = (1.0, 0.5, 0.25, 0.1)
# Of the room, until a question fits.
_MOST = 8
# Of an issue that meet in pairs, the most frequent first: n of them take n * (n - 1) requests.
_LOWEST, _HIGHEST = 1, 10

_SYSTEM = "You review patches for a repository. You judge by what the code does."
_ALONE = f"""\
Issue:
{{}}

Patch:
```diff
{{}}
```

How sure are you that this patch fixes the issue and breaks nothing else? Say in a few sentences \
what it does and where it fails. Then end with one line, SCORE: and a number from {_LOWEST} \
(certainly wrong) to {_HIGHEST} (certainly right)."""
_PAIR = """\
Issue:
{}

Patch A:
```diff
{}
```

Patch B:
```diff
{}
```

Which of the two is more likely to fix the issue and to break nothing else? Say in a few sentences \
where they differ. Then end with one line, BETTER: A or BETTER: B."""
_SCORE = re.compile(r"SCORE\W*(\d{1,9})|\A\W*(\d{1,9})\W*\Z", re.IGNORECASE)
_BETTER = re.compile(r"(?:BETTER\W*|\A\W*)\b([AB])\b", re.IGNORECASE)


class Judge:
    """One model, and what its answers cost."""

    def __init__(self, backend: Backend, price: Price, *, sampling: Sampling = SAMPLING) -> None:
        """`backend` is entered by whoever owns it."""
        self.backend = backend
        self.price = price
        self.sampling = sampling

    def metered(self, candidates: Candidates) -> AskedOnce:
        """Return the model with a meter of its own, for one issue."""
        return AskedOnce(self.backend, self.price, candidates.task_id, candidates.evidence)

    def effort(self, metered: AskedOnce, *, runs: int = 0) -> Effort:
        """Return what was used since, and for what was known before, failed draws included."""
        usage = metered.usage
        return Effort(usage=usage, cost=metered.cost if usage.calls else 0.0, runs=runs)

    async def question(self, form: str, *texts: str, share: float = 1.0) -> list[Message]:
        """Put texts into a form, cut until they are within that share of the window."""
        room = int(
            (self.backend.context_window - answer_limit(self.sampling, self.backend) - MARGIN)
            * share
        )
        messages: list[Message] = []
        for part in _SHARES:
            cut = [shortened(text, int(room * part / len(texts))) for text in texts]
            messages = [
                Message(role="system", content=_SYSTEM),
                Message(role="user", content=form.format(*cut)),
            ]
            if await self.backend.count_tokens(messages) <= room:
                break
        return messages

    async def answer(self, metered: AskedOnce, messages: Sequence[Message]) -> str:
        """Return what it says at last; "" when that does not fit. Raises BackendError."""
        try:
            completion = await metered.complete(messages, self.sampling)
        except ContextOverflowError:
            return ""
        return completion.text.strip()


class ScoredJudge:
    """Gives each candidate 1 to 10; one without a readable score has 0."""

    name = "judge"

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    async def score(self, candidates: Candidates) -> Scored:
        """Ask once for each different patch. Raises BackendError."""
        issue, metered = candidates.known_issue(), self._judge.metered(candidates)

        async def ask(patch: str) -> float:
            question = await self._judge.question(_ALONE, issue.statement.strip(), patch.strip())
            return float(read_score(await self._judge.answer(metered, question)) or 0)

        patches = candidates.distinct()
        scores = await together(ask(patch) for patch in patches.values())
        return Scored(
            scores=candidates.spread(dict(zip(patches, scores, strict=True))),
            effort=self._judge.effort(metered),
        )


class PairwiseJudge:
    """Lets each patch meet each other twice, once in either place; a win is a point.

    A judge that prefers a place gives one point to both. Of many different patches the most
    frequent take part.
    """

    name = "pairwise"

    def __init__(self, judge: Judge, *, most: int = _MOST) -> None:
        self._judge = judge
        self._most = most

    async def score(self, candidates: Candidates) -> Scored:
        """Ask for every ordered pair. The score is the share of points. Raises BackendError."""
        issue, metered = candidates.known_issue(), self._judge.metered(candidates)
        frequency, patches = sizes(candidates), candidates.distinct()
        meeting = sorted(patches, key=lambda group: (-frequency[group], group))[: self._most]

        async def winner(first: int, second: int) -> int | None:
            shown = patches[first].strip(), patches[second].strip()
            question = await self._judge.question(_PAIR, issue.statement.strip(), *shown)
            better = read_better(await self._judge.answer(metered, question))
            return {"A": first, "B": second}.get(better)

        won = await together(winner(*pair) for pair in itertools.permutations(meeting, 2))
        matches = max(2 * (len(meeting) - 1), 1)
        return Scored(
            scores=candidates.spread({one: won.count(one) / matches for one in meeting}),
            effort=self._judge.effort(metered),
        )


class WeightedVote:
    """A majority in which every candidate counts as much as a judge gives it."""

    name = "weighted"

    def __init__(self, judge: Method) -> None:
        self._judge = judge

    async def score(self, candidates: Candidates) -> Scored:
        """Sum the judge's scores of the candidates that do the same. Raises what it raises."""
        scored = await self._judge.score(candidates)
        return Scored(scores=weighted(candidates, scored.scores), effort=scored.effort)


def read_score(answer: str) -> int | None:
    """Return the last score of an answer; None when there is none from 1 to 10."""
    found = [int(one or other) for one, other in _SCORE.findall(answer)]
    return found[-1] if found and _LOWEST <= found[-1] <= _HIGHEST else None


def read_better(answer: str) -> str:
    """Return the last A or B that an answer calls better, "" when there is none."""
    found = _BETTER.findall(answer)
    return found[-1].upper() if found else ""
