"""How much of what the gold patches change is among what a model would be shown.

For every kind of context and every budget of tokens: the share of the gold patch's files of which
something is shown, of its definitions and of its lines that are shown, and of the tasks of which
every changed line is. A change that only adds lines counts for the line that it follows; a file
that the patch creates cannot be shown and is left out. The order of the files is judged apart.
What a model makes of what it is shown is not measured here.

    python benchmarks/context_recall.py
    python benchmarks/context_recall.py --tasks rows.jsonl --checkouts FOLDER --model MODEL

The repositories are read out of the tasks' images, or out of FOLDER, which holds a git repository
`owner__name` for each. One that lacks a base commit is read at its HEAD, and that is said.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import git
from tqdm import tqdm
from unidiff.patch import Hunk, PatchSet

from agent.backend import Backend, BackendError, Usage
from agent.models import ModelNameError, resolve
from agent.reading.context import Context, likely_tokens, repository_context
from agent.reading.ranking import Ranker, Ranking, by_model, by_words
from agent.reading.snapshot import FILE_LIMIT, RepositorySnapshot, read_snapshot
from agent.reading.syntax import definitions
from agent.scripted import ScriptedBackend
from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from tasks.load import load_tasks
from tasks.task import Task

BUDGETS = (300, 1_000, 4_000, 16_000)
PLACES = (1, 3, 10)
LINK = 0o120000

Rankings = Mapping[str, Ranking]
"""By the id of the task."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gold:
    """What one gold patch changes of the files that are there: path -> lines, from 0."""

    lines: Mapping[str, frozenset[int]]
    definitions: Mapping[str, tuple[frozenset[int], ...]]
    # The same lines, by the innermost definition that they stand in.


@dataclass(frozen=True, kw_only=True, slots=True)
class Recall:
    """One task under one budget; shares of 1."""

    files: float
    definitions: float
    lines: float
    whole: float
    tokens: int
    # Of the text that is shown, as estimated.


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A task with its repository."""

    task: Task
    texts: Mapping[str, str]
    gold: Gold


def main() -> None:
    """Measure, and print two tables."""
    arguments = _arguments()
    cases = asyncio.run(_cases(load_tasks(arguments.tasks), arguments.checkouts))
    if not cases:
        sys.exit("No task has a gold patch that changes a file of its repository.")
    files = sum(len(case.gold.lines) for case in cases)
    places = sum(len(found) for case in cases for found in case.gold.definitions.values())
    print(f"{len(cases)} tasks; their gold patches change {files} files, {places} definitions")
    try:
        rankings = asyncio.run(_rankings(cases, arguments.model))
    except (BackendError, ModelNameError) as error:
        sys.exit(str(error))
    _show_orders(cases, rankings)
    _show_recall(cases, rankings, arguments.budgets)
    if arguments.model:
        _show_usage(arguments.model, rankings["rank"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", default="starter", help="As for `ksolve run`.")
    parser.add_argument("--checkouts", type=Path, help="A folder of git repositories.")
    parser.add_argument("--model", help="Also measure `rank`, by this model.")
    parser.add_argument("--budgets", type=int, nargs="+", default=BUDGETS, help="Tokens.")
    return parser.parse_args()


async def _rankings(cases: Sequence[Case], model: str | None) -> dict[str, Rankings]:
    rankers: dict[str, Ranker] = {"bm25": by_words}
    async with AsyncExitStack() as stack:
        # `by_words` asks nobody.
        backend: Backend = ScriptedBackend(lambda _messages, _sampling: "")
        if model:
            backend = await stack.enter_async_context(resolve(model, progress=print).backend)
            rankers["rank"] = by_model
        return {
            name: {
                case.task.id: await ranker(case.task.issue.statement, case.texts, backend)
                for case in tqdm(cases, desc=name, unit="task", dynamic_ncols=True)
            }
            for name, ranker in rankers.items()
        }


def _show_orders(cases: Sequence[Case], rankings: Mapping[str, Rankings]) -> None:
    print("\nshare of the gold patch's files among the first of the order (mean over tasks)")
    print("order  " + "".join(f"{f'first {place}':>10}" for place in PLACES) + f"{'n':>6}")
    for name, ranking in rankings.items():
        means = [
            statistics.mean(_among_first(case, ranking[case.task.id], place) for case in cases)
            for place in PLACES
        ]
        print(f"{name:7}" + "".join(f"{mean:10.2f}" for mean in means) + f"{len(cases):6}")


def _show_recall(
    cases: Sequence[Case], rankings: Mapping[str, Rankings], budgets: Sequence[int]
) -> None:
    contexts = {"bm25": rankings["bm25"], "files": rankings["bm25"], **rankings}
    print("\nshares of what the gold patch changes that is shown (mean over tasks)")
    print(
        f"{'tokens':>7} context{'files':>9}{'definitions':>13}{'lines':>8}{'all':>7}"
        f"{'tokens shown':>14}{'n':>6}"
    )
    missed = []
    for budget in sorted(budgets):
        for context, ranking in contexts.items():
            found = {
                case.task.id: _recall(case, ranking[case.task.id], budget, whole=context == "files")
                for case in cases
            }
            print(f"{budget:7} {context:7}{_row(list(found.values()))}{len(found):6}")
            names = [name for name, one in found.items() if not one.whole]
            missed.append(f"{budget:7} {context:7}{', '.join(names) or 'none'}")
    print("\ntasks of which not every changed line is shown")
    print("\n".join(missed))


def _show_usage(model: str, rankings: Rankings) -> None:
    spent = sum((ranking.usage for ranking in rankings.values()), Usage())
    calls = max(spent.calls, 1)
    print(
        f"\n{model} ranked {spent.calls} of {len(rankings)} issues, each with "
        f"{spent.input_tokens / calls:.0f} tokens in, {spent.output_tokens / calls:.0f} out "
        f"and in {spent.seconds / calls:.1f} s"
    )


def _row(found: Sequence[Recall]) -> str:
    return (
        f"{statistics.mean(one.files for one in found):9.2f}"
        f"{statistics.mean(one.definitions for one in found):13.2f}"
        f"{statistics.mean(one.lines for one in found):8.2f}"
        f"{statistics.mean(one.whole for one in found):7.2f}"
        f"{statistics.mean(one.tokens for one in found):14.0f}"
    )


def _among_first(case: Case, ranking: Ranking, place: int) -> float:
    first = {path for path, _ in ranking.order[:place]}
    return len(first & case.gold.lines.keys()) / len(case.gold.lines)


def _recall(case: Case, ranking: Ranking, budget: int, *, whole: bool) -> Recall:
    context = repository_context(
        case.task.issue.statement, case.texts, budget, order=ranking.order, whole=whole
    )
    lines = [
        _shows(context, path, line) for path, found in case.gold.lines.items() for line in found
    ]
    places = [
        all(_shows(context, path, line) for line in place)
        for path, found in case.gold.definitions.items()
        for place in found
    ]
    return Recall(
        files=statistics.mean(path in context.spans for path in case.gold.lines),
        definitions=statistics.mean(places),
        lines=statistics.mean(lines),
        whole=float(all(lines)),
        tokens=likely_tokens(context.text),
    )


def _shows(context: Context, path: str, line: int) -> bool:
    return any(start <= line < end for start, end in context.spans.get(path, ()))


async def _cases(tasks: Sequence[Task], checkouts: Path | None) -> list[Case]:
    cases = []
    async with DockerHost(run_id="benchmark") if checkouts is None else AsyncExitStack() as host:
        for task in tasks:
            if isinstance(host, DockerHost):
                await ensure_image(host, task.issue.image, task.build, lambda _: None)
                snapshot = await read_snapshot(task.issue, host)
            else:
                assert checkouts is not None
                snapshot = _checked_out(task, checkouts)
            gold = _gold(task.oracle.gold_patch or "", snapshot.texts)
            if gold.lines:
                cases.append(Case(task=task, texts=snapshot.texts, gold=gold))
            else:
                print(f"{task.id} is left out: its gold patch changes no file that is there")
    return cases


def _checked_out(task: Task, checkouts: Path) -> RepositorySnapshot:
    """Read a repository as `read_snapshot` would, out of git's objects."""
    folder = checkouts / task.issue.repo.replace("/", "__")
    texts = {}
    try:
        repo = git.Repo(folder)
    except (git.NoSuchPathError, git.InvalidGitRepositoryError):
        sys.exit(f"{folder} is no git repository: clone {task.issue.repo} there.")
    with repo:
        try:
            tree = repo.commit(task.issue.base_commit).tree
        except (git.BadName, ValueError):
            tree = repo.head.commit.tree
            print(f"{task.id}: {folder.name} lacks its base commit and is read at HEAD")
        for item in tree.traverse():
            if not isinstance(item, git.Blob) or item.mode == LINK or item.size > FILE_LIMIT:
                continue
            data = item.data_stream.read()
            try:
                text = data.decode()
            except UnicodeDecodeError:
                continue
            if "\0" not in text:
                texts[str(item.path)] = text
    return RepositorySnapshot(texts=texts)


def _gold(patch: str, texts: Mapping[str, str]) -> Gold:
    lines: dict[str, frozenset[int]] = {}
    places: dict[str, tuple[frozenset[int], ...]] = {}
    for file in PatchSet(patch):
        path = file.source_file.removeprefix("a/")
        if path in texts:
            text = texts[path].split("\n")
            lines[path] = frozenset(line for hunk in file for line in _changed(hunk, text))
            places[path] = _by_definition(lines[path], texts[path])
    return Gold(lines=lines, definitions=places)


def _changed(hunk: Hunk, text: Sequence[str]) -> list[int]:
    """Return the lines of the base that a hunk removes or adds to."""
    at = _start(hunk, text)
    found = []
    for line in hunk:
        if not line.is_context:
            place = at - 1 if line.is_added else at
            while place > 0 and not text[place].strip():
                place -= 1
            found.append(max(place, 0))
        at += not line.is_added
    return found


def _start(hunk: Hunk, text: Sequence[str]) -> int:
    """Find where a hunk applies, nearest to where it says; the base may be a near one."""
    block = [line.value.rstrip("\r\n") for line in hunk if not line.is_added]
    stated = max(hunk.source_start - 1, 0)
    plain = [line.rstrip("\r") for line in text]
    places = [
        start
        for start in range(len(plain) - len(block) + 1)
        if plain[start : start + len(block)] == block
    ]
    return min(places, key=lambda start: abs(start - stated), default=stated)


def _by_definition(lines: frozenset[int], text: str) -> tuple[frozenset[int], ...]:
    """Group lines; those outside of all definitions are one group."""
    groups = defaultdict(set)
    known = definitions(text) or ()
    for line in lines:
        inner = [item for item in known if item.start <= line < item.end]
        groups[max(inner, key=lambda item: item.start).name if inner else ""].add(line)
    return tuple(frozenset(group) for group in groups.values())


if __name__ == "__main__":
    main()
