"""Tasks that change their mind: what repeated runs showed, kept on this machine, and majorities.

What is kept adds up: runs of one verdict key, in whatever session, are counted together. A task
that never changed its mind in N runs may do so in the next, and of a task that nobody ran twice
nothing is known.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import platformdirs

from eval.store import StoreError
from eval.verdict import Outcome, Verdict, verdict_key
from tasks.load import tasks_digest
from tasks.task import Oracle, Task

FLAKY_RUNS = 5
"""Verifications behind one verdict on a task that is known to be flaky, where nobody says."""

SCHEMA = 1
"""Of the file; one of another number is refused rather than misread."""

Side = Literal["base", "gold"]
_NAMES: Mapping[Side, str] = {"base": "the base", "gold": "the gold patch"}
_NO_RESULTS = ("no test run", "ended by its", "not reached", "ended from inside")
# What `eval.verify` notes of a run that it could not read the tests from.
_CREATE = """
CREATE TABLE observations (
    id INTEGER PRIMARY KEY,
    image TEXT NOT NULL, oracle TEXT NOT NULL, verdict_key TEXT NOT NULL, side TEXT NOT NULL,
    task_id TEXT NOT NULL, task TEXT NOT NULL, dataset TEXT NOT NULL,
    runs INTEGER NOT NULL, failed TEXT NOT NULL, silent TEXT NOT NULL
)
"""
_INSERT = """
INSERT INTO observations
    (image, oracle, verdict_key, side, task_id, task, dataset, runs, failed, silent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SELECT = """
SELECT image, oracle, verdict_key, side, task_id, task, dataset, runs, failed, silent
FROM observations ORDER BY id
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """What repeated runs of one patch showed; adds up with `+`."""

    runs: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    # In how many runs an expected test did not pass, where that was ever.
    silent: Mapping[str, int] = field(default_factory=dict)
    # Runs that say nothing of single tests (ended by a limit, no tests run), by what they say.

    @property
    def judged(self) -> int:
        """Runs that say of every expected test whether it passed."""
        return self.runs - sum(self.silent.values())

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests that passed in some runs and not in others."""
        return tuple(sorted(test for test, count in self.failed.items() if count < self.judged))

    @property
    def changed(self) -> bool:
        """Whether the runs disagree: on a test, or on whether there is anything to read."""
        return bool(self.tests) or (bool(self.silent) and self.judged > 0)

    def sentences(self, side: Side) -> tuple[str, ...]:
        """Say how often each test failed that did not always, and what else kept changing."""
        said = [
            f"{test} failed in {self.failed[test]} of {self.judged} runs of {_NAMES[side]}"
            for test in self.tests
        ]
        if self.judged:
            said += [
                f"{count} of {self.runs} runs of {_NAMES[side]} gave no results ({why})"
                for why, count in sorted(self.silent.items())
            ]
        return tuple(said)

    def __add__(self, other: Observed) -> Observed:
        return Observed(
            runs=self.runs + other.runs,
            failed=dict(Counter(self.failed) + Counter(other.failed)),
            silent=dict(Counter(self.silent) + Counter(other.silent)),
        )


def observe(verdicts: Iterable[Verdict]) -> Observed:
    """Count what the runs of one patch showed, each run as `eval.verify.evaluate` tells it."""
    runs, failed, silent = 0, Counter[str](), Counter[str]()
    for verdict in verdicts:
        runs += 1
        if tells_tests(verdict):
            failed.update({*verdict.missing_fail_to_pass, *verdict.missing_pass_to_pass})
        else:
            silent[verdict.note or verdict.outcome] += 1
    return Observed(runs=runs, failed=dict(failed), silent=dict(silent))


def tells_tests(verdict: Verdict) -> bool:
    """Whether a verdict says of each expected test if it passed.

    Where no result was read, every test is listed as missing: only the note tells that apart.
    """
    if verdict.outcome == "resolved":
        return True
    missing = verdict.missing_fail_to_pass or verdict.missing_pass_to_pass
    silent = any(words in verdict.note for words in _NO_RESULTS)
    return verdict.outcome == "unresolved" and bool(missing) and not silent


def majority(verdicts: Sequence[Verdict], *, runs: int | None = None) -> Verdict:
    """Return one verdict for several of the same patch: the first that says what most say.

    One that is tampered decides: tests change their mind, an attempt to deceive does not.
    Resolved needs more than half of them, so a tie is not resolved. Among the other outcomes the
    most frequent is taken, the earlier one of two that are equal. Its note tells the count, and
    after how many of `runs` it was certain; its seconds are those of all. Raises ValueError when
    there is no verdict.
    """
    if not verdicts:
        raise ValueError("A majority needs at least one verdict.")
    counts = Counter(verdict.outcome for verdict in verdicts)
    most: Outcome = "resolved"
    if counts["tampered"]:
        most = "tampered"
    elif counts["resolved"] * 2 <= len(verdicts):
        del counts["resolved"]
        most = counts.most_common(1)[0][0]
    kept = next(verdict for verdict in verdicts if verdict.outcome == most)
    if len(verdicts) == 1:
        return kept
    tally = ", ".join(
        f"{count} {outcome}"
        for outcome, count in Counter(verdict.outcome for verdict in verdicts).most_common()
    )
    early = "" if runs in {None, len(verdicts)} else f", certain after {len(verdicts)}"
    note = f"majority of {runs or len(verdicts)}{early}: {tally}"
    return replace(
        kept,
        note=f"{kept.note}; {note}" if kept.note else note,
        seconds=sum(verdict.seconds for verdict in verdicts),
    )


def decided(verdicts: Sequence[Verdict], runs: int) -> bool:
    """Whether no verdict still to come, of `runs` in all, changes if the majority is resolved.

    A patch that is blank, does not apply or means to deceive stays so: its first such verdict
    decides.
    """
    if any(verdict.outcome in {"no_patch", "not_applied", "tampered"} for verdict in verdicts):
        return True
    resolved = sum(verdict.outcome == "resolved" for verdict in verdicts)
    return resolved * 2 > runs or (len(verdicts) - resolved) * 2 >= runs


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """All that is known of one task, as its image and its oracle are."""

    observed: tuple[tuple[Side, Observed], ...]
    # One for each verdict key: another gold patch or another verifier is counted apart.

    @property
    def flaky(self) -> bool:
        """Whether any of the runs disagreed with others of the same patch."""
        return any(seen.changed for _, seen in self.observed)

    @property
    def tests(self) -> tuple[str, ...]:
        """The expected tests that changed their mind; none where only whole runs did."""
        return tuple(sorted({test for _, seen in self.observed for test in seen.tests}))

    @property
    def sentences(self) -> tuple[str, ...]:
        """What changed, one sentence without its full stop for each; empty when nothing did."""
        return tuple(text for side, seen in self.observed for text in seen.sentences(side))

    @property
    def runs(self) -> int:
        """Runs of the patch that was run least often."""
        return min(seen.runs for _, seen in self.observed)


class Findings:
    """What the file held when it was read."""

    def __init__(self, rows: Iterable[Sequence[Any]] = ()) -> None:
        """Add up rows of the file, oldest first; raises ValueError for one that is not as ours."""
        counts: dict[tuple[str, str], dict[tuple[str, Side], Observed]] = {}
        self._newest: dict[str, tuple[str, str]] = {}
        # From the digest of a single task to the image and oracle that it was last run with.
        self._datasets: dict[str, dict[str, tuple[str, str]]] = {}
        for image, oracle, verdict, side, task_id, task, dataset, *numbers in rows:
            if side not in get_args(Side):
                raise ValueError(f"{side!r} is not a side.")
            key = image, oracle
            sides = counts.setdefault(key, {})
            sides[verdict, side] = sides.get((verdict, side), Observed()) + _observed(*numbers)
            self._newest[task] = key
            self._datasets.setdefault(dataset, {})[task_id] = key
        self._findings = {
            key: Finding(observed=tuple((side, seen) for (_, side), seen in sides.items()))
            for key, sides in counts.items()
        }

    def of(self, image_digest: str, oracle: Oracle) -> Finding | None:
        """Return what is known of a task by what decides it; None when nobody ran it twice."""
        return self._findings.get((image_digest, oracle.digest))

    def flaky(self, tasks: Iterable[Task]) -> dict[str, Finding]:
        """Return those of `tasks` that are known to be flaky, by id, without asking an engine.

        Each counts as it was with the image that it was last run with.
        """
        newest = {task.id: self._newest.get(tasks_digest([task])) for task in tasks}
        return self._flaky(newest)

    def flaky_in(self, dataset: str) -> dict[str, Finding]:
        """Return the flaky tasks of the dataset with this `tasks.load.tasks_digest`, by id."""
        return self._flaky(self._datasets.get(dataset, {}))

    def _flaky(self, keys: Mapping[str, tuple[str, str] | None]) -> dict[str, Finding]:
        found = {task_id: self._findings[key] for task_id, key in keys.items() if key is not None}
        return {task_id: finding for task_id, finding in found.items() if finding.flaky}


class FlakyTasks:
    """The file of what was found on this machine. Processes may share it; methods block.

    A file that is absent holds nothing and is made by the first `record`. Every method raises
    StoreError when the file cannot be used.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or platformdirs.user_data_path("ksolve") / "flaky.db"

    def load(self) -> Findings:
        """Read everything that is known."""
        if not self.path.exists():
            return Findings()
        with self._connection() as connection:
            known = _version(connection, self.path)
            return Findings(connection.execute(_SELECT) if known else ())

    def record(
        self,
        task: Task,
        image_digest: str,
        observed: Mapping[Side, Observed],
        *,
        dataset: str,
    ) -> None:
        """Add what runs of one task showed to what is known; durable when it returns.

        `dataset` is the `tasks.load.tasks_digest` of the tasks that it was validated among.
        """
        oracle, digest = task.oracle, tasks_digest([task])
        patches: Mapping[Side, str] = {"base": "", "gold": oracle.gold_patch or ""}
        rows = [
            (
                *(image_digest, oracle.digest),
                *(verdict_key(image_digest, patches[side], oracle), side),
                *(task.id, digest, dataset),
                *(seen.runs, json.dumps(dict(seen.failed)), json.dumps(dict(seen.silent))),
            )
            for side, seen in observed.items()
        ]
        with self._connection() as connection:
            # Taken before anything is read, so that two processes never make the table twice.
            connection.execute("BEGIN IMMEDIATE")
            if not _version(connection, self.path):
                connection.execute(_CREATE)
                connection.execute(f"PRAGMA user_version={SCHEMA}")
            connection.executemany(_INSERT, rows)
            connection.execute("COMMIT")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # No isolation level: transactions begin and end where it is written.
            with closing(sqlite3.connect(self.path, timeout=30.0, isolation_level=None)) as opened:
                yield opened
        except (sqlite3.OperationalError, OSError) as error:
            raise StoreError(
                f"The record of flaky tasks {self.path} cannot be used: {error}."
            ) from error
        except (sqlite3.DatabaseError, ValueError) as error:
            raise StoreError(
                f"The record of flaky tasks {self.path} is damaged ({error}): move it away, and "
                "`ksolve tasks validate --repeat` makes a new one."
            ) from error


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the form of the file, 0 while it is empty; raises StoreError for another form."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in {0, SCHEMA}:
        raise StoreError(
            f"{path} was written by another version of ksolve (form {version}, this one reads "
            f"{SCHEMA}): use that version, or move the file away."
        )
    return int(version)


def _observed(runs: int, failed: str, silent: str) -> Observed:
    counts = [json.loads(text) for text in (failed, silent)]
    for count in counts:
        if not isinstance(count, dict) or not all(isinstance(n, int) for n in count.values()):
            raise ValueError(f"{count!r} counts nothing.")
    return Observed(runs=int(runs), failed=counts[0], silent=counts[1])
