"""Why no sample of an issue passes: the reasons, how many samples have each, and where to look."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.sample import SampleKey
from eval.store import Store
from eval.table import SampleRow
from eval.verdict import Verdict

SHOWN = 5
"""Reasons that are told by themselves; of the others it is said how many samples have them."""

_TESTS_NAMED = 3
# Characters of what is quoted.
_LONGEST = 160
# How the runners that are most used say that a test failed: pytest, unittest, Go, Rust, TAP, Jest.
_FAILED = re.compile(
    r"^(?:(?:FAILED|ERROR) (?P<pytest>[^\s]+::.+?)(?: - .*)?"
    r"|(?:FAIL|ERROR): (?P<unittest>\S+ \(\S+\))"
    r"|\s*--- FAIL: (?P<go>\S+)(?: \(.*)?"
    r"|test (?P<rust>\S+) \.\.\. FAILED"
    r"|\s*not ok \d+ -? ?(?P<tap>.+?)"
    r"|\s+\u25cf (?P<jest>.+ \u203a .+?))\s*$",
    re.MULTILINE,
)
_STOPS = {
    "empty": "the model gave no edit",
    "unusable": "the model's edit cannot be used",
    "length": "the answer was cut off at its limit of tokens",
    "content_filter": "the provider withheld the answer",
    "context": "the prompt does not fit the model's window",
    "steps": "the limit of steps was reached",
    "tokens": "the limit of tokens was reached",
    "money": "the limit of money was reached",
    "seconds": "the limit of seconds was reached",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why some samples do not pass."""

    samples: int
    why: str
    """Without an end, such as `leaves failing: tests/test_a.py::test_b`."""
    command: str
    """Shows the first of these samples."""


def reasons(store: Store, folder: Path, failing: Collection[str]) -> list[Reason]:
    """Return why the samples of a run without a solution do not pass, the most frequent first.

    `failing` are the tests that fail without a patch, as far as they are known.
    """
    rows = list(store.rows())
    several = len({(row.model, row.strategy) for row in rows}) > 1
    found: dict[str, list[SampleRow]] = {}
    for row in rows:
        found.setdefault(_why(store, row, failing), []).append(row)
    told = [
        Reason(samples=len(of), why=why, command=_command(folder, of[0], several=several))
        for why, of in found.items()
    ]
    return sorted(told, key=lambda one: -one.samples)


def sentences(found: Sequence[Reason]) -> list[str]:
    """Return a line for each of the most frequent reasons, and one for all others."""
    lines = [f"  {one.samples}x {one.why}\n      {one.command}" for one in found[:SHOWN]]
    if rest := sum(one.samples for one in found[SHOWN:]):
        lines.append(f"  {rest}x for other reasons")
    return lines


def failing_tests(log: str) -> list[str]:
    """Return the tests that a log says have failed, once each."""
    names = (next(filter(None, found.groups())) for found in _FAILED.finditer(log))
    return list(dict.fromkeys(names))


def last_words(log: str) -> str:
    """Return the last line of an evaluation log that the tests wrote, not the script's trace."""
    lines = [line.strip() for line in log.splitlines()]
    said = [line for line in lines if line and not line.startswith(("+", ">>>>>"))]
    return _cut(said[-1]) if said else "(no output)"


def _why(store: Store, row: SampleRow, failing: Collection[str]) -> str:
    key = _key(row)
    verdict = store.judged(key)
    if verdict is None:
        return "no verdict yet: the same command goes on"
    match verdict.outcome:
        case "no_patch":
            proposal = store.sample(key).proposal
            why = _STOPS.get(proposal.stop, "the model gave no edit")
            return f"no patch: {why}{f' ({_cut(proposal.note)})' if proposal.note else ''}"
        case "not_applied":
            return f"the patch does not apply: {_cut(verdict.note)}"
        case "timeout":
            return f"the tests were {_cut(verdict.note)}"
        case "tampered":
            return f"refused: {_cut(verdict.note)}"
        case _:
            return _unresolved(verdict, failing)


def _unresolved(verdict: Verdict, failing: Collection[str]) -> str:
    tests = failing_tests(verdict.log)
    still = [name for name in tests if name in failing]
    broken = [name for name in tests if name not in failing]
    if tests:
        parts = [f"still fails: {_some(still)}"] if still else []
        parts += [f"breaks: {_some(broken)}"] if broken else []
        return "; ".join(parts)
    said = f"the test command ends with: {last_words(verdict.log)}"
    return f"{_cut(verdict.note)}; {said}" if verdict.note and not verdict.exit_code else said


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _TESTS_NAMED} more" if len(names) > _TESTS_NAMED else ""
    return f"{', '.join(map(_cut, names[:_TESTS_NAMED]))}{more}"


def _cut(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def _command(folder: Path, row: SampleRow, *, several: bool) -> str:
    words: Iterable[str] = ["ksolve", "show", str(folder), f"{row.task_id}/{row.index}"]
    if several:
        words = [*words, "--model", row.model, "--strategy", row.strategy]
    return shlex.join(words)


def _key(row: SampleRow) -> SampleKey:
    return SampleKey(task_id=row.task_id, model=row.model, strategy=row.strategy, index=row.index)
