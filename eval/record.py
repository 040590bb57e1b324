"""Record of what steers a task's tests, and how a run with a candidate differs from it.

The task is run without a candidate, and what the runner says of itself is kept: its settings and
plugins, where the modules come from that it imports from the work tree, which names nobody found.
A run with a candidate has to agree. So nothing has to be known of the ways in which tests can be
steered: whatever does so shows here, or in what changed outside of the work tree.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from eval.evidence import Evidence

_SHOWN = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What the runner of a task is like without a candidate."""

    settings: tuple[tuple[str, str], ...] = ()
    """Of pytest, as it understood them; what differs from run to run is left out."""
    imports: frozenset[tuple[str, str]] = frozenset()
    """Modules from the work tree: name, and file relative to it."""
    codes: tuple[tuple[str, str], ...] = ()
    """Test modules by file, and a digest of the code that was loaded from each."""
    missing: frozenset[str] = frozenset()
    """Names that code outside of the work tree looks for, and nobody finds."""
    plugins: frozenset[str] = frozenset()
    """Of pytest, by the file or the class they come from."""
    altered: frozenset[str] = frozenset()
    """Functions of the runner that the tests replace themselves, and who observes them."""
    late: frozenset[str] = frozenset()
    """Tests that are expected to fail only when they run."""
    mended: frozenset[str] = frozenset()
    """Tests that pass after a part of them failed, as those do that are run again."""


def recorded(runs: Iterable[Evidence]) -> Record:
    """Return what some runs without a candidate have in common, and all that happened in one."""
    every = list(runs)
    settings = [set(run.settings) for run in every if run.runner]
    codes = [set(run.codes) for run in every if run.runner]
    imports = {(one.name, one.origin) for run in every for one in run.imports}
    found = {name for name, _ in imports}
    return Record(
        settings=tuple(sorted(set.intersection(*settings))) if settings else (),
        imports=frozenset(imports),
        codes=tuple(sorted(set.intersection(*codes))) if codes else (),
        missing=frozenset(name for run in every for name in run.missing if name not in found),
        plugins=frozenset(name for run in every for name in run.plugins),
        altered=frozenset(name for run in every for name in run.altered),
        late=frozenset(name for run in every for name in run.late),
        mended=frozenset(name for run in every for name in run.mended),
    )


def differences(
    record: Record,
    evidence: Evidence,
    put_back: Iterable[PurePosixPath],
    changed: Collection[PurePosixPath] = (),
    deleted: Collection[PurePosixPath] = (),
) -> list[str]:
    """Say how a run differs from the record, a sentence each; none where it does not.

    `put_back` are files that are what they were, absolute; `changed` and `deleted` are those of the
    work tree that the candidate changed in any way, and took out of it, relative.
    """
    foreign = sorted(map(str, foreign_modules(record, evidence, deleted).values()))
    found = {
        "modules are found that are not without the candidate": foreign,
        "test files were loaded as something else": other_code(record, evidence, changed),
        "the candidate changed pytest's settings": changed_settings(record, evidence),
        "the candidate brought plugins along": new_plugins(record, evidence, put_back),
        "the test runner was changed while it ran": sorted(evidence.altered - record.altered),
        "tests became expected to fail while they ran": sorted(evidence.late - record.late),
        "tests passed that had failed": sorted(evidence.mended - record.mended),
    }
    return [f"{what} ({some(names)})" for what, names in found.items() if names]


def other_code(record: Record, evidence: Evidence, changed: Collection[PurePosixPath]) -> list[str]:
    """Return the test modules whose code is not what it is without a candidate.

    Those that the candidate changed may have any.
    """
    now = dict(evidence.codes)
    return sorted(
        file
        for file, digest in record.codes
        if now.get(file, digest) != digest and PurePosixPath(file) not in changed
    )


def new_plugins(record: Record, evidence: Evidence, put_back: Iterable[PurePosixPath]) -> list[str]:
    """Return the plugins of pytest that the task does not have without a candidate."""
    return sorted(evidence.plugins - record.plugins - set(map(str, put_back)))


def some(names: Sequence[object]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(str(name) for name in names[:_SHOWN]) + more


def foreign_modules(
    record: Record, evidence: Evidence, deleted: Collection[PurePosixPath] = ()
) -> dict[str, PurePosixPath]:
    """Return the modules of the work tree that stand where they do not without a candidate.

    By name, with their files relative to the work tree. These are what is found before a module
    of that name elsewhere, or before the file that is found without the candidate and is still
    there; what something outside of the work tree never finds, or finds in another file; and what
    the runner loads before it looks for tests.
    """
    known = {name for name, _ in record.imports}
    standing = {name for name, file in record.imports if PurePosixPath(file) not in deleted}
    return {
        one.name: PurePosixPath(one.origin)
        for one in evidence.imports
        if (one.name, one.origin) not in record.imports
        and (
            one.shadows
            or one.before_collection
            or one.name in record.missing
            or (one.from_outside and one.name in known)
            or one.name in standing
        )
    }


def changed_settings(record: Record, evidence: Evidence) -> list[str]:
    """Return the names of settings of pytest that are not what they are without a candidate."""
    now, before = dict(evidence.settings), dict(record.settings)
    return sorted(name for name, value in before.items() if now.get(name) != value) + sorted(
        name for name in now if name.startswith("ini ") and name not in before
    )
