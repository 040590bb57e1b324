"""What the image of a task gives away: history after its base, the oracle's patches, late caches.

The oracle's lines are looked for in the work tree, in git's objects outside of HEAD's history,
in the places where people leave files, and in files anywhere that are named as the patched ones
(an installed copy of the project, say). What the base itself holds is no leak. Not promised: lines
that were rewritten, compressed or compiled, but for the sizes that compiled Python tells.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from eval.traces import (
    Trace,
    archived,
    source_of,
    source_size,
    stripped_lines,
    traces_of,
)
from sandbox.history import OUTSIDE, Leak, find_leaks, run_git, shown
from sandbox.sandbox import MIB, Limits, Sandbox, SandboxHost
from tasks.task import Task

_OUTPUT_LIMIT = 64 * MIB
_READ_LIMIT = 32 * MIB
# Bytes of one file that is read whole.
_READ_FILES = 200
# So many are read of a kind.
_SHOWN = 3
_ARCHIVES = (".whl", ".egg", ".zip", ".tar.gz", ".tgz")
_HEADER = re.compile(rb"([0-9a-f]{40,64}) blob \d+")
_CACHE = "/.pytest_cache/v/cache/"

# Paths that are not as in the base commit, and then untracked ones; folders end in "/".
_FOREIGN = r"""
git rev-parse --git-dir > /dev/null 2>&1 || exit 0
base=$(git rev-parse -q --verify "$1^{commit}") || base=$(git rev-parse -q --verify HEAD)
[ -z "$base" ] || git diff --name-only --no-renames --no-ext-diff --relative -z "$base" || exit
git ls-files -o -z
"""
# The arguments are files; prints those that there are.
_THERE = r"""for path do [ ! -f "$path" ] || printf '%s\0' "$path"; done"""
# Standard input is a patch; says whether it is in the tree, and could not be put there again.
_APPLIED = r"""
cat > "$scratch/patch"
git apply --check "$scratch/patch" 2> /dev/null && exit
git apply --check -R "$scratch/patch" 2> /dev/null && echo applied
exit 0
"""
# Prints the size of each file of the base commit, or that it is missing.
_SIZES = r"""
git rev-parse --git-dir > /dev/null 2>&1 || exit 0
base=$(git rev-parse -q --verify "$1^{commit}") || base=HEAD
while read -r path; do echo "$base:./$path"; done > "$scratch/names"
git cat-file --batch-check='%(objectsize)' < "$scratch/names"
"""
# The arguments are those of `find`.
_FIND = r"""
find / -xdev -type f \( "$@" \) -print0 2> /dev/null
exit 0
"""
# Standard input is the lines; the arguments are those of `find` for files of the patched names.
# Where nobody may read, nobody can look.
_GREP = r"""
cat > "$scratch/lines"
{
    find . /tmp /var/tmp /root /home -xdev \( -path '*/.git/objects' -o -path "$scratch" \) -prune \
        -o -type f -size -16384k -print0 2> /dev/null
    find / -xdev -type f \( "$@" \) -print0 2> /dev/null
} | xargs -0 grep -aHZF -f "$scratch/lines" -- 2> /dev/null | cut -b1-4096
"""
# The lines that contain " blob " are, among others, the headers of the objects.
_GREP_OBJECTS = (
    r"""
cat > "$scratch/lines"
git rev-parse --git-dir > /dev/null 2>&1 || exit 0
"""
    + OUTSIDE
    + r"""
git cat-file --batch-check='%(objecttype) %(objectname) %(objectsize)' \
    < "$scratch/outside" > "$scratch/typed" || exit
sed -nE 's/^blob ([0-9a-f]+) [0-9]{1,7}$/\1/p' "$scratch/typed" > "$scratch/blobs"
from=${base:-$head}
[ -z "$from" ] || git diff-index --cached --raw --no-abbrev "$from" \
    | cut -d' ' -f4 | grep -v '^0*$' >> "$scratch/blobs"
git cat-file --batch < "$scratch/blobs" | grep -aF -e ' blob ' -f "$scratch/lines" | cut -b1-4096
"""
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """What the image of one task gives away."""

    task_id: str
    leaks: tuple[Leak, ...]
    # Of the kinds of `sandbox.history`, and "gold patch", "test patch" and "cache".

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.leaks


async def audit(task: Task, sandboxes: SandboxHost, limits: Limits | None = None) -> Audit:
    """Look through the image of a task, without network. Raises SandboxError."""
    limits = (limits or Limits()).with_resources(task.issue.resources)
    limits = dataclasses.replace(limits, network=False, output_bytes=_OUTPUT_LIMIT)
    issue = task.issue
    async with sandboxes.open(issue.image, limits) as sandbox:
        history = await find_leaks(sandbox, workdir=issue.workdir, base_commit=issue.base_commit)
        foreign = await run_git(sandbox, _FOREIGN, issue.base_commit, workdir=issue.workdir)
        search = _Search(
            task=task,
            sandbox=sandbox,
            traces=traces_of(task.oracle),
            foreign=frozenset(_names(foreign)),
        )
        return Audit(task_id=task.id, leaks=(*history, *await search.leaks()))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Search:
    """One task's patches, looked for in its open image."""

    task: Task
    sandbox: Sandbox
    traces: Sequence[Trace]
    foreign: frozenset[str]
    # Paths in the work tree that are not of the base commit; folders end in "/".

    async def leaks(self) -> list[Leak]:
        hits = await self._hits()
        known = {line for path, lines in hits.items() if self._is_base(path) for line in lines}
        hits = {path: lines for path, lines in hits.items() if not self._is_base(path)}
        there = await self._there()
        return [
            *await self._applied(),
            *there,
            *self._holding(hits, known, besides={leak.where for leak in there}),
            *self._holding(await self._hits_in_objects(), known),
            *await self._in_archives(known),
            *await self._compiled(),
            *await self._cached_tests(),
        ]

    def _is_base(self, path: str) -> bool:
        """Whether a file is one of the base commit, which hides nothing."""
        file, workdir = PurePosixPath(path), self.task.issue.workdir
        if not file.is_relative_to(workdir):
            return False
        inside = str(file.relative_to(workdir))
        folders = (f"{parent}/" for parent in PurePosixPath(inside).parents)
        return not (
            inside.startswith(".git/")
            or inside in self.foreign
            or any(folder in self.foreign for folder in folders)
        )

    def _holding(
        self, places: Mapping[str, set[str]], known: set[str], besides: Iterable[str] = ()
    ) -> Iterator[Leak]:
        """Tell which places hold the lines of a patch, all of one file in one sentence."""
        for trace in self.traces:
            holding = [
                place
                for place, lines in places.items()
                if place not in besides and trace.is_in(lines, known)
            ]
            if holding:
                yield Leak(
                    kind=trace.patch,
                    where=shown(holding[0]),
                    sentence=f"lines that the {trace.patch} adds to {trace.path or 'a file'}"
                    f" are in {_some(holding)}",
                )

    async def _applied(self) -> list[Leak]:
        """Try to take the patches back, which tells even where their lines do not."""
        oracle = self.task.oracle
        patches = {"gold patch": oracle.gold_patch or "", "test patch": oracle.test_patch}
        return [
            Leak(
                kind=name,
                where=str(self.task.issue.workdir),
                sentence=f"the {name} is applied already",
            )
            for name, text in patches.items()
            if text and await self._run(_APPLIED, stdin=text.encode(errors="surrogateescape"))
        ]

    async def _there(self) -> list[Leak]:
        created = {trace.path: trace.patch for trace in self.traces if trace.creates}
        found = await self._run(_THERE, *created)
        return [
            Leak(
                kind=created[path],
                where=str(self.task.issue.workdir / path),
                sentence=f"{path}, which the {created[path]} creates, is there already",
            )
            for path in _names(found)
        ]

    async def _hits(self) -> dict[str, set[str]]:
        """Return the lines of the patches that files hold, by absolute path."""
        hits: defaultdict[str, set[str]] = defaultdict(set)
        if lines := self._lines():
            names = _any_of(f"*/{_tail(trace.path)}" for trace in self.traces if trace.path)
            for line in (await self._run(_GREP, *names, stdin=lines)).split(b"\n"):
                path, separator, text = line.partition(b"\0")
                if separator:
                    name = path.decode("utf-8", "surrogateescape")
                    hits[str(self.task.issue.workdir / name)] |= stripped_lines(text)
        return hits

    async def _hits_in_objects(self) -> dict[str, set[str]]:
        """Return the lines of the patches that objects hold which HEAD does not lead to."""
        hits: defaultdict[str, set[str]] = defaultdict(set)
        if lines := self._lines():
            place = ""
            base = self.task.issue.base_commit
            for line in (await self._run(_GREP_OBJECTS, base, stdin=lines)).split(b"\n"):
                if header := _HEADER.fullmatch(line):
                    place = f"the object {header[1].decode()}"
                elif line:
                    hits[place] |= stripped_lines(line)
        return hits

    def _lines(self) -> bytes:
        lines = sorted({line for trace in self.traces for line in trace.lines})
        return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")

    async def _in_archives(self, known: set[str]) -> Iterable[Leak]:
        """Look into what was packed in the work tree from another version."""
        wanted = {PurePosixPath(trace.path).name for trace in self.traces}
        places: dict[str, set[str]] = {}
        for path in await self._find(*(f"{self.task.issue.workdir}/*{end}" for end in _ARCHIVES)):
            if not self._is_base(path):
                data = await self._read(path)
                for text in await asyncio.to_thread(archived, path, data, wanted):
                    places.setdefault(path, set()).update(stripped_lines(text))
        return self._holding(places, known)

    async def _compiled(self) -> list[Leak]:
        """Look for Python that was compiled from a patched file, by the size that it tells."""
        traces = [trace for trace in self.traces if trace.path.endswith(".py")]
        found = await self._find(
            *(
                f"*/{place}"
                for path in map(PurePosixPath, {_tail(trace.path) for trace in traces})
                for place in (
                    path.parent / "__pycache__" / f"{path.stem}.*pyc",
                    path.with_suffix(".pyc"),
                )
            )
        )
        sizes = await self._sizes()
        leaks = []
        for path in found:
            source = source_of(PurePosixPath(path))
            data = b""
            for trace in traces:
                if _tail(str(source)) != _tail(trace.path):
                    continue
                data = data or await self._read(path)
                is_own = source == self.task.issue.workdir / trace.path
                before = 0 if trace.creates else sizes.get(trace.path)
                if (is_own and trace.creates) or (
                    trace.growth
                    and before is not None
                    and source_size(data) == before + trace.growth
                ):
                    what = f"is compiled from {trace.path} as the {trace.patch} leaves it"
                    leaks.append(_cache(path, what))
        return leaks

    async def _sizes(self) -> dict[str, int]:
        """Return the bytes that the patched files have in the base commit."""
        paths = [trace.path for trace in self.traces]
        told = await self._run(
            _SIZES,
            self.task.issue.base_commit,
            stdin="".join(f"{path}\n" for path in paths).encode(errors="surrogateescape"),
        )
        sizes = zip(paths, told.decode().splitlines(), strict=False)
        return {path: int(size) for path, size in sizes if size.isdecimal()}

    async def _cached_tests(self) -> list[Leak]:
        """Look for hidden tests that an earlier run of pytest has noted."""
        hidden = set(self.task.oracle.fail_to_pass)
        created = {trace.path for trace in self.traces if trace.creates}
        leaks = []
        for path in await self._find(*(f"*{_CACHE}{name}" for name in ("lastfailed", "nodeids"))):
            try:
                noted = {str(test) for test in json.loads(await self._read(path))}
            except (ValueError, TypeError):
                continue
            told = {test for test in noted if test.partition("::")[0] in created}
            if path.endswith("lastfailed"):
                told |= noted & hidden
            if told:
                leaks.append(_cache(path, f"names the hidden tests {_some(sorted(told))}"))
        return leaks

    async def _find(self, *patterns: str) -> list[str]:
        """Return the absolute paths of the regular files, anywhere, that match a pattern."""
        found = _names(await self._run(_FIND, *_any_of(patterns))) if patterns else []
        return sorted(found)[:_READ_FILES]

    async def _read(self, path: str) -> bytes:
        try:
            return await self.sandbox.read(PurePosixPath(path), _READ_LIMIT)
        except FileNotFoundError:
            return b""

    async def _run(self, script: str, *arguments: str, stdin: bytes = b"") -> bytes:
        workdir = self.task.issue.workdir
        return await run_git(self.sandbox, script, *arguments, workdir=workdir, stdin=stdin)


def _names(data: bytes) -> list[str]:
    return [name for name in data.decode("utf-8", "surrogateescape").split("\0") if name]


def _tail(path: str) -> str:
    """Return the end of a path that a copy elsewhere has in common: a folder and a name."""
    return "/".join(PurePosixPath(path).parts[-2:])


def _any_of(patterns: Iterable[str]) -> list[str]:
    """Return the arguments of `find` for paths that match a pattern, of which only * is special."""
    words: list[str] = []
    for pattern in patterns:
        words += ["-o", "-path", re.sub(r"[\[\]?\\]", r"\\\g<0>", pattern)]
    return words[1:] or ["-false"]


def _some(places: Sequence[str]) -> str:
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return shown(f"{', '.join(places[:_SHOWN])}{more}")


def _cache(path: str, what: str) -> Leak:
    return Leak(kind="cache", where=shown(path), sentence=f"{shown(path)} {what}")
