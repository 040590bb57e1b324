"""The attack corpus against ksolve and against swebench 5.0.2, on one engine, as one table.

    python -m benchmarks.attacks [--workers 8] [--only NAME ...]

Run from the root of the repository. The reference is called as its command calls it
(`run_instances`), with the limits that it sets itself, which are few: as root, with a network.
What it says is compared with what the corpus states that it says.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from eval.verdict import Verdict
from eval.verifier import AHEAD, Verifier
from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from tasks.task import Task
from tests.attacks.attack import Attack
from tests.attacks.corpus import listing
from tests.attacks.honest import RIGHT, WRONG, Honest
from tests.attacks.victims import VICTIMS

Patch = Attack | Honest

MODEL = "attacker"
SECONDS = 120
"""What the reference gives one evaluation."""

RUN = """
import json, sys
from swebench.harness.run_evaluation import run_instances

run_id, workers, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rows, predictions = json.load(open("rows.json")), json.load(open("predictions.json"))
run_instances(predictions, rows, workers, run_id, seconds)
"""


def main() -> None:
    """Run both and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=8, help="containers of the reference")
    parser.add_argument("--only", nargs="*", default=[], help="names of patches")
    chosen = parser.parse_args()
    parts: dict[str, Sequence[Patch]] = {
        "attacks": listing.ATTACKS,
        "in principle": listing.OPEN,
        "right": RIGHT,
        "wrong": WRONG,
    }
    if chosen.only:
        parts = {
            part: [patch for patch in patches if patch.name in chosen.only]
            for part, patches in parts.items()
        }
    patches = [patch for found in parts.values() for patch in found]
    with tempfile.TemporaryDirectory() as folder:
        tasks = {victim.name: victim.task(Path(folder)) for victim in VICTIMS}
        asyncio.run(build(list(tasks.values())))
        reference = by_the_reference(patches, tasks, Path(folder), chosen.workers)
        verdicts = asyncio.run(by_ksolve(patches, tasks))
    for part, found in parts.items():
        if found:
            print(f"\n## {part}\n")
            print(table(found, reference, verdicts))
            print(f"\n{counts(found, reference, verdicts)}")


async def build(tasks: Sequence[Task]) -> None:
    """Make the images of the victims ready."""
    async with DockerHost() as host:
        for task in tasks:
            await ensure_image(host, task.issue.image, task.build, lambda _: None)


def by_the_reference(
    patches: Sequence[Patch], tasks: dict[str, Task], folder: Path, workers: int
) -> dict[str, str]:
    """Return what swebench says of each patch, by name; each is an instance of its own to it."""
    run_id = uuid.uuid4().hex
    ids = {patch.name: f"attacks__{patch.name}" for patch in patches}
    rows = [
        patch.victim.row(tasks[patch.victim.name].issue.base_commit, ids[patch.name])
        for patch in patches
    ]
    predictions = {
        ids[patch.name]: {
            "instance_id": ids[patch.name],
            "model_name_or_path": MODEL,
            "model_patch": patch.patch,
        }
        for patch in patches
    }
    (folder / "rows.json").write_text(json.dumps(rows))
    (folder / "predictions.json").write_text(json.dumps(predictions))
    subprocess.run(
        [sys.executable, "-c", RUN, run_id, str(workers), str(SECONDS)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    logs = folder / "logs" / "run_evaluation" / run_id / MODEL
    return {patch.name: told(logs / ids[patch.name]) for patch in patches}


def told(folder: Path) -> str:
    """Read one report of the reference; where there is none, its log says why."""
    report = folder / "report.json"
    if report.exists():
        (one,) = json.loads(report.read_text()).values()
        return "resolved" if one["resolved"] else "unresolved"
    log = folder / "run_instance.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    if "Patch Apply Failed" in text:
        return "not_applied"
    return "timeout" if "timed out" in text else "error"


async def by_ksolve(patches: Sequence[Patch], tasks: dict[str, Task]) -> dict[str, Verdict]:
    """Return ksolve's verdict on each patch, by name."""
    workers = 2
    async with DockerHost(run_id=f"benchmark-{uuid.uuid4().hex}") as host:
        verifier = Verifier(host, workers=workers)
        room = asyncio.Semaphore(AHEAD * workers)

        async def one(patch: Patch) -> Verdict:
            async with room:
                return await verifier.verify(tasks[patch.victim.name], patch.patch)

        found = await asyncio.gather(*map(one, patches))
    return dict(zip((patch.name for patch in patches), found, strict=True))


def table(patches: Sequence[Patch], reference: dict[str, str], verdicts: dict[str, Verdict]) -> str:
    """Return a table in Markdown; a star marks an answer of the reference that is a surprise."""
    lines = ["| patch | family | victim | swebench 5.0.2 | ksolve |", "|---|---|---|---|---|"]
    for patch in patches:
        said = reference[patch.name]
        expected = patch.reference if isinstance(patch, Attack) else said
        family = patch.family if isinstance(patch, Attack) else "honest"
        lines.append(
            f"| {patch.name} | {family} | {patch.victim.name} | {said}"
            f"{'' if said == expected else ' *'} | {verdicts[patch.name].outcome} |"
        )
    return "\n".join(lines)


def counts(
    patches: Sequence[Patch], reference: dict[str, str], verdicts: dict[str, Verdict]
) -> str:
    """Say how many of the patches each of the two accepts, and what else it says."""
    ours = Counter(str(verdicts[patch.name].outcome) for patch in patches)
    theirs = Counter(reference[patch.name] for patch in patches)
    return (
        f"{len(patches)} patches. swebench 5.0.2 accepts {theirs['resolved']}: {_said(theirs)}. "
        f"ksolve accepts {ours['resolved']}: {_said(ours)}."
    )


def _said(counted: Counter[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in counted.most_common())


if __name__ == "__main__":
    main()
