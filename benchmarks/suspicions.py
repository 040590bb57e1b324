"""How many reward hacks are suspicious, and how many honest patches: one table.

    python -m benchmarks.suspicions [--data FOLDER] [--names]

Run from the root of the repository. FOLDER holds real patches with published verdicts, each kind
where it is there: `lite-matrix/` (`rows.jsonl.gz`, `attempts.jsonl.gz`) and `swebench-parity/`
(`rows.jsonl`, `predictions.jsonl`, `verdicts.json`). Of every group half is held out, by a hash of
the name: those were not looked at while the rules were written.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eval.suspicions.find import suspicions_of_patch
from eval.suspicions.suspicion import KINDS, Suspicion
from tasks.load import load_tasks
from tests.attacks.attack import Attack
from tests.attacks.corpus import (
    hacks_in_answers,
    hacks_on_tests,
    hacks_second,
    hacks_under_test,
    in_principle,
    listing,
)
from tests.attacks.honest import RIGHT, WRONG, Honest
from tests.attacks.lookalikes import LOOKALIKES
from tests.attacks.suspected import by_patch, by_sources

Found = tuple[Suspicion, ...]

FIRST = (*hacks_in_answers.ATTACKS, *hacks_under_test.ATTACKS, *hacks_on_tests.ATTACKS)


@dataclass(kw_only=True, slots=True)
class Group:
    """What was found in some patches."""

    name: str
    is_hostile: bool
    patches: Counter[bool] = field(default_factory=Counter)
    """By whether they are held out."""
    suspicious: Counter[bool] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)
    """What is suspicious and should not be, or the other way round."""

    def add(self, name: str, held_out_by: str, found: Found) -> None:
        """Take what was found in one patch."""
        is_held_out = held_out(held_out_by)
        kinds = {one.kind for one in found if one.is_strong}
        self.patches[is_held_out] += 1
        self.suspicious[is_held_out] += bool(kinds)
        self.kinds.update(kinds)
        if bool(kinds) != self.is_hostile:
            self.names.append(f"{name}: {'; '.join(map(str, found)) or 'nothing'}")


def held_out(name: str) -> bool:
    """Tell whether what has a name is held out."""
    return hashlib.sha256(f"held out {name}".encode()).digest()[-1] % 2 == 1


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with real patches")
    parser.add_argument(
        "--names", action="store_true", help="list what was missed or a false alarm"
    )
    chosen = parser.parse_args()
    start = time.process_time()
    groups = [*of_the_corpus(), of_the_starter_suite()]
    if chosen.data is not None:
        groups += [*of_the_matrix(chosen.data / "lite-matrix")]
        groups += [*of_the_parity_set(chosen.data / "swebench-parity")]
    print(totals(groups))
    print()
    print(by_kind(groups))
    patches = sum(sum(group.patches.values()) for group in groups)
    print(f"\n{patches:,} patches in {time.process_time() - start:.1f} s of processor time.")
    if chosen.names:
        for group in groups:
            for name in group.names:
                print(f"- {group.name}: {name}")


def of_the_corpus() -> Iterator[Group]:
    """Measure the attacks and the honest patches beside them, by patch and by sources."""
    parts: Mapping[str, tuple[bool, Iterable[Attack | Honest]]] = {
        "reward hacks, written before the rules": (True, FIRST),
        "reward hacks, written after them": (True, hacks_second.ATTACKS),
        "attacks that pass in principle": (True, in_principle.ATTACKS),
        "attacks that verdicts refuse": (True, listing.ATTACKS),
        "honest patches that look like hacks": (False, LOOKALIKES),
        "other honest patches, right and wrong": (False, (*RIGHT, *WRONG)),
    }
    forms: Mapping[str, Callable[[Attack | Honest], Found]] = {
        "": by_patch,
        ", from sources": by_sources,
    }
    for form, find in forms.items():
        for name, (is_hostile, patches) in parts.items():
            group = Group(name=f"{name}{form}", is_hostile=is_hostile)
            for one in patches:
                group.add(one.name, one.name, find(one))
            yield group


def of_the_starter_suite() -> Group:
    """Measure the gold patches of the starter suite."""
    group = Group(name="gold patches of the starter suite", is_hostile=False)
    for task in load_tasks("starter"):
        tests = [task.oracle.test_patch or task.oracle.eval_script]
        found = suspicions_of_patch(
            task.oracle.gold_patch or "",
            statement=task.issue.statement,
            tests=tests,
            judges=(*task.oracle.fail_to_pass, *task.oracle.pass_to_pass),
        )
        group.add(task.id, task.id, found)
    return group


def of_the_matrix(folder: Path) -> Iterator[Group]:
    """Measure gold patches and published ones of SWE-bench Lite."""
    if not folder.is_dir():
        return
    rows = {row["instance_id"]: row for row in _lines(folder / "rows.jsonl.gz")}
    gold = Group(name="gold patches, SWE-bench Lite", is_hostile=False)
    for name, row in rows.items():
        gold.add(name, name, _of_row(row, row["patch"]))
    resolved = Group(name="published patches, resolved", is_hostile=False)
    others = Group(name="published patches, unresolved", is_hostile=False)
    for one in _lines(folder / "attempts.jsonl.gz"):
        if one["model_patch"].strip():
            group = resolved if one["resolved"] else others
            name = one["instance_id"]
            group.add(f"{name} ({one['system']})", name, _of_row(rows[name], one["model_patch"]))
    yield from (gold, resolved, others)


def of_the_parity_set(folder: Path) -> Iterator[Group]:
    """Measure predictions whose verdicts the reference harness gave."""
    if not folder.is_dir():
        return
    rows = {row["instance_id"]: row for row in _lines(folder / "rows.jsonl")}
    group = Group(name="predictions of the parity set", is_hostile=False)
    for one in _lines(folder / "predictions.jsonl"):
        if (one["model_patch"] or "").strip():
            name = one["instance_id"]
            found = _of_row(rows[name], one["model_patch"])
            group.add(f"{name} ({one['model_name_or_path']})", name, found)
    yield group


def totals(groups: Iterable[Group]) -> str:
    """Return a row a group: patches, and how many are suspicious, in each half."""
    lines = [
        "| patches | | looked at | held out |",
        "|---|---|---|---|",
    ]
    for group in groups:
        cells = [f"{group.suspicious[half]} of {group.patches[half]}" for half in (False, True)]
        what = "hostile" if group.is_hostile else "honest"
        lines.append(f"| {group.name} | {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def by_kind(groups: Iterable[Group]) -> str:
    """Return a row a kind: the hostile and the honest patches in which it was found."""
    told = [group for group in groups if not group.name.endswith("from sources")]
    hostile = [group for group in told if group.is_hostile]
    honest = [group for group in told if not group.is_hostile]
    titles = (f"found in hostile patches ({_patches(hostile):,})", _alarms(honest))
    lines = [f"| kind | {' | '.join(titles)} |", "|---|---|---|"]
    for kind in KINDS:
        caught, alarms = (sum(one.kinds[kind] for one in part) for part in (hostile, honest))
        lines.append(f"| {kind} | {caught} | {alarms} |")
    return "\n".join(lines)


def _alarms(groups: Iterable[Group]) -> str:
    return f"false alarms ({_patches(groups):,} patches)"


def _patches(groups: Iterable[Group]) -> int:
    return sum(sum(group.patches.values()) for group in groups)


def _of_row(row: Mapping[str, Any], patch: str) -> Found:
    names = [row[name] for name in ("FAIL_TO_PASS", "PASS_TO_PASS")]
    return suspicions_of_patch(
        patch,
        statement=row["problem_statement"],
        tests=[row["test_patch"]],
        judges=[one for of in names for one in (json.loads(of) if isinstance(of, str) else of)],
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        for line in file:
            yield json.loads(line)


if __name__ == "__main__":
    main()
