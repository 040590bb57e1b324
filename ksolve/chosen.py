"""What choosing without the oracle is worth in a run: by what was chosen before, and by votes.

What `ksolve select` kept is taken as it is. Methods that need neither a model nor a container are
carried out here, where nobody did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.selection.candidates import Bools, Ints, Scored, Selection, selection
from eval.selection.evaluate import Evaluation, Result, evaluate
from eval.selection.judge import SAMPLING
from eval.selection.kept import Word
from eval.selection.pool import read_pool, rows_by_task
from eval.selection.recorded import Recorded, pool_of, recorded
from eval.selection.votes import PURE
from eval.store import Store
from eval.summary import last_part
from eval.table import NO_PATCH, SampleTable

ALL_TOGETHER = "all together"
"""The label of the samples of all solvers of a run in one pool."""

CHOSEN_FROM = 5_000
"""Samples of a solver among which choosing is tried; comparing the patches of more takes long."""

METHODS: Mapping[str, str] = {
    "any": "any patch",
    "first": "the first patch",
    "majority": "the most frequent one",
    "tests": "by the models' own tests",
    "regression": "one that breaks no test",
    "regression+majority": "of these, the most frequent",
    "judge": "a judge's favourite",
    "pairwise": "the winner of matches",
    "weighted": "a vote, weighed by a judge",
    "codemonkeys": "tests, then a decision",
}
"""Methods of selection by their word of the command line, in the order of every table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Worth:
    """What choosing among the samples of a solver, or of all of a run, is worth."""

    label: str
    evaluation: Evaluation
    samples: int
    # With a verdict, that there are now; the evaluation may be of fewer.
    is_kept: bool = True
    # Whether `ksolve select` chose here.

    @property
    def as_of(self) -> str:
        """Of which samples it is, where that is not of all."""
        of = self.evaluation.candidates
        if of == self.samples:
            return ""
        return f"as of {of:,} of {self.samples:,} samples, on {self.evaluation.issues:,} issues"

    @property
    def name(self) -> str:
        """The label, and of which samples it is."""
        return f"{self.label} ({self.as_of})" if self.as_of else self.label


def worths(
    store: Store,
    table: SampleTable,
    labels: Sequence[str],
    words: Sequence[Word],
    *,
    together: str = ALL_TOGETHER,
    ks: Sequence[int] = (),
) -> list[list[Worth]]:
    """Return what is known of each solver, and last of all of them together.

    `labels` are those of the arms of `table`, `words` what is kept with the run, `together` the
    label of all, `ks` some at which it is told what choosing out of so many samples is worth.
    """
    pools = recorded(words, table) if words else []
    alone = [
        _worths(store, table, [arm], label, pools, ks=ks, has_votes=True)
        for arm, label in enumerate(labels)
    ]
    every = [*range(len(labels))]
    return [*alone, _worths(store, table, every, together, pools, ks=ks) if len(labels) > 1 else []]


def method_name(result: Result, names: Mapping[str, str] = METHODS) -> str:
    """Name a method with what it was carried out by."""
    settings = result.settings
    by = [last_part(settings["judge"])] if "judge" in settings else []
    if settings.get("max_tokens", SAMPLING.max_tokens) != SAMPLING.max_tokens:
        by.append(f"{settings['max_tokens']:,} tokens")
    if settings.get("read_code"):
        by.append("whole files")
    name = names.get(result.method, result.method)
    return f"{name} ({', '.join(by)})" if by else name


def _worths(
    store: Store,
    table: SampleTable,
    arms: Sequence[int],
    label: str,
    pools: Sequence[Recorded],
    *,
    ks: Sequence[int],
    has_votes: bool = False,
) -> list[Worth]:
    """Return what is known of one pool as it is now, and after it of what it was."""
    among = np.isin(table.arm, arms) & table.judged
    rows = [of for of in rows_by_task(table, among) if of.size]
    solvers, now = tuple(table.arms[arm] for arm in arms), pool_of(rows)
    kept = [one for one in pools if one.solvers == solvers]
    current = [one for one in kept if pool_of(one.rows) == now]
    chosen = [one for pool in current for one in pool.selections]
    if has_votes and 0 < among.sum() <= CHOSEN_FROM:
        chosen += _votes(store, table, among, known=chosen)
    found: list[tuple[Sequence[Ints], Sequence[Selection], bool]] = []
    found += [(rows, chosen, bool(current))] if chosen else []
    found += [(one.rows, one.selections, True) for one in kept if pool_of(one.rows) != now]
    return [
        Worth(
            label=label,
            evaluation=evaluate(
                [table.resolved[of] for of in rows],
                sorted(selections, key=lambda one: list(METHODS).index(one.method)),
                has_patch=[table.patch[of] != NO_PATCH for of in rows],
                ks=ks,
            ),
            samples=int(among.sum()),
            is_kept=is_kept,
        )
        for rows, selections, is_kept in found
    ]


def _votes(
    store: Store, table: SampleTable, among: Bools, *, known: Sequence[Selection]
) -> list[Selection]:
    """Let what needs neither a model nor a container choose, where it did not yet."""
    done = {one.method for one in known if not one.settings}
    methods = [method for method in PURE if method.name not in done]
    pool = read_pool(store, table, among=among).issues if methods else ()
    return [
        selection(method.name, pool, [Scored(scores=method.rank(one)) for one in pool])
        for method in methods
    ]
