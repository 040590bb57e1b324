"""The attack corpus against a plain run of the evaluation script and against ksolve, as one table.

    python -m benchmarks.attacks_plain [--only NAME ...] [--file NAME ...] [--no-ksolve]

Run from the root of the repository. The plain run is ksolve's own without a baseline: the log is
taken at its word, as whoever runs the script by hand would take it. An attack that the plain run
does not call resolved shows nothing about a verifier; it is marked with a star.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import tempfile
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from eval.verdict import Verdict
from eval.verifier import AHEAD, Verifier
from eval.verify import evaluate
from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from tasks.task import Task
from tests.attacks.attack import Attack
from tests.attacks.corpus import listing
from tests.attacks.honest import RIGHT, WRONG, Honest
from tests.attacks.victims import VICTIMS

Patch = Attack | Honest

WORKERS = 2


def main() -> None:
    """Run both and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=[], help="names of patches")
    parser.add_argument("--file", nargs="*", default=[], help="modules of the corpus")
    parser.add_argument("--no-ksolve", action="store_true", help="the plain run alone")
    parser.add_argument("--logs", type=Path, help="a folder for the logs")
    chosen = parser.parse_args()
    patches: list[Patch] = [*listing.ATTACKS, *listing.OPEN, *RIGHT, *WRONG]
    if chosen.file:
        modules = [importlib.import_module(f"tests.attacks.corpus.{name}") for name in chosen.file]
        patches = [patch for module in modules for patch in module.ATTACKS]
    if chosen.only:
        patches = [patch for patch in patches if patch.name in chosen.only]
    with tempfile.TemporaryDirectory() as folder:
        names = {patch.victim.name for patch in patches}
        tasks = {one.name: one.task(Path(folder)) for one in VICTIMS if one.name in names}
        plain, ours = asyncio.run(run(patches, tasks, with_ksolve=not chosen.no_ksolve))
    if chosen.logs:
        chosen.logs.mkdir(parents=True, exist_ok=True)
        for kind, verdicts in (("plain", plain), ("ksolve", ours)):
            for name, verdict in verdicts.items():
                text = f"{verdict.outcome}: {verdict.note}\n{verdict.log}"
                (chosen.logs / f"{name}.{kind}.txt").write_text(text, errors="replace")
    print(table(patches, plain, ours))


async def run(
    patches: Sequence[Patch], tasks: dict[str, Task], *, with_ksolve: bool
) -> tuple[dict[str, Verdict], dict[str, Verdict]]:
    """Return the plain verdict and ksolve's on each patch, by name."""
    async with DockerHost(run_id=f"benchmark-{uuid.uuid4().hex}") as host:
        for task in tasks.values():
            await ensure_image(host, task.issue.image, task.build, lambda _: None)
        verifier = Verifier(host, workers=WORKERS)
        turns, room = asyncio.Semaphore(WORKERS), asyncio.Semaphore(AHEAD * WORKERS)

        async def one(patch: Patch) -> tuple[Verdict, Verdict]:
            task = tasks[patch.victim.name]
            async with room:
                plain = await evaluate(task, patch.patch, host, turns=turns)
                ours = await verifier.verify(task, patch.patch) if with_ksolve else plain
            return plain, ours

        found = await asyncio.gather(*map(one, patches))
    names = [patch.name for patch in patches]
    return (
        dict(zip(names, (plain for plain, _ in found), strict=True)),
        dict(zip(names, (ours for _, ours in found), strict=True)),
    )


def table(patches: Sequence[Patch], plain: dict[str, Verdict], ours: dict[str, Verdict]) -> str:
    """Return a table in Markdown, and how many of each outcome there are."""
    lines = ["| patch | victim | plain | ksolve | note |", "|---|---|---|---|---|"]
    for patch in patches:
        said, mine = plain[patch.name], ours[patch.name]
        is_wanted = isinstance(patch, Attack) and said.outcome != patch.reference
        note = mine.note.replace("|", "/")[:120]
        lines.append(
            f"| {patch.name} | {patch.victim.name} | {said.outcome}{' *' if is_wanted else ''}"
            f" | {mine.outcome} | {note} |"
        )
    counted = Counter((plain[one.name].outcome, ours[one.name].outcome) for one in patches)
    sums = [f"plain {said}, ksolve {mine}: {count}" for (said, mine), count in counted.items()]
    return "\n".join([*lines, "", *sorted(sums)])


if __name__ == "__main__":
    main()
