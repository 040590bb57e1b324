"""The forms in which a model is asked for a patch: as edits, or as whole functions.

Any answer is read for every form, whichever was asked for. That a model keeps to it is not
promised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.backend import Message

SMALL_WINDOW = 8_192
"""Tokens. Models with windows up to this are small, or are served on little."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """The turns before the question, and the question."""

    shared: tuple[Message, ...]
    # A worked example says more to a small model than a description of the form, and it is the
    # same for every issue, so that it is always in the prefix cache.
    question: str
    # With {context} and {statement} in it.
    code_tokens: int | None = None
    # Show no more code than this; None: as much as the window has room for.
    mapped: bool = True
    # Show a map of the other files.


def form_for(context_window: int) -> Form:
    """Return the form that suits a model with this window.

    Small models copy SEARCH into REPLACE, leave markers out, or repeat the example, where they can
    write a function again. What they are shown they copy as well, so they are shown little.
    """
    return FUNCTIONS if context_window <= SMALL_WINDOW else EDITS


def _form(system: str, question: str, examples: Sequence[tuple[str, str, str]]) -> Form:
    """Build a form from (context, statement, answer) triples."""
    shared = [Message(role="system", content=system)]
    for context, statement, answer in examples:
        asked = question.format(context=context, statement=statement)
        shared += [Message(role="user", content=asked), Message(role="assistant", content=answer)]
    return Form(shared=tuple(shared), question=question)


EDITS = _form(
    """\
You fix bugs in a repository. You answer with edits. An edit names the file, copies the lines to \
change exactly as they are, and gives the lines that replace them.""",
    """\
{context}
Issue:
{statement}

Fix the cause of this issue in the code above. Answer with edits.""",
    [
        (
            """\
<file path="shapes/box.py">
class Box:
    def __init__(self, width, height):
        self.width = width
        self.height = height

    def area(self):
        return self.width + self.height

    def scale(self, factor):
        return Box(self.width * factor, self.height * factor)
</file>
""",
            "Box(2, 5).area() gives 7, but a box of 2 by 5 has an area of 10.",
            """\
shapes/box.py
<<<<<<< SEARCH
    def area(self):
        return self.width + self.height
=======
    def area(self):
        return self.width * self.height
>>>>>>> REPLACE""",
        )
    ],
)

BASKET = """\
<file path="shop/basket.py">
class Basket:
    def __init__(self):
        self.counts = {}

    def add(self, name, count=1):
        \"""Put `count` more of an article into the basket.\"""
        self.counts[name] = count

    def size(self):
        return sum(self.counts.values())
</file>
"""
"""A file that an example shows."""

BASKET_ISSUE = """\
The basket forgets what I added before

I add two apples and later three more, and `basket.size()` says 3. Expected 5."""
"""What is wrong with it."""

FUNCTIONS = replace(
    _form(
        """\
You fix bugs in a repository. You answer with the function that has to change, corrected.""",
        """\
{context}
Issue:
{statement}

Fix the cause of this issue. Write the function that has to change, as it should be.""",
        [
            (
                """\
<file path="queue/jobs.py">
def take(jobs, count):
    \"""Return the first `count` jobs.\"""
    taken = []
    for job in jobs:
        if len(taken) > count:
            break
        taken.append(job)
    return taken
</file>
""",
                """\
`take(jobs, 2)` returns three jobs, expected two

There is always one job too many.""",
                """\
```python
def take(jobs, count):
    \"""Return the first `count` jobs.\"""
    taken = []
    for job in jobs:
        if len(taken) >= count:
            break
        taken.append(job)
    return taken
```""",
            ),
            (
                BASKET,
                BASKET_ISSUE,
                """\
```python
def add(self, name, count=1):
    \"""Put `count` more of an article into the basket.\"""
    self.counts[name] = self.counts.get(name, 0) + count
```""",
            ),
        ],
    ),
    code_tokens=300,
    mapped=False,
)
