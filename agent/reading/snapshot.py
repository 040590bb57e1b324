"""The text of a repository at its base commit, read once out of a sandbox.

Only tracked files are read, and only regular ones that hold UTF-8 text of a sensible size; every
other tracked path is listed as skipped, so that nothing writes over it. The work tree is what is
read, because it is what a patch will be applied to.
"""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent.workspace import open_clean
from sandbox.sandbox import MIB, ExecResult, Limits, Sandbox, SandboxError, SandboxHost
from tasks.task import Issue

FILE_LIMIT = 1 * MIB
"""Bytes of one file; what is larger is data, not something a model is shown."""

TOTAL_LIMIT = 96 * MIB
"""Bytes of all files together; past it the largest files are skipped."""

_DEADLINE = 300.0

# A work tree owned by somebody else is still only read.
_GIT_ENV = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}

# Size, kind and path of every tracked file, NUL-separated; one that is missing is passed over.
_LIST = (
    "set -o pipefail; git ls-files -z > /dev/null || exit 3; "
    "git ls-files -z | xargs -0 -r stat --printf '%s %F:%n\\0' -- || true"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RepositorySnapshot:
    """The tracked files of one repository."""

    texts: Mapping[str, str]
    # Path from the repository's root, with "/", to the exact text (newlines untouched).
    skipped: frozenset[str] = frozenset()
    # Tracked, but binary, too large, not UTF-8, a link or a submodule.

    @property
    def size(self) -> int:
        """Characters held."""
        return sum(map(len, self.texts.values()))


async def read_snapshot(issue: Issue, sandboxes: SandboxHost) -> RepositorySnapshot:
    """Open the issue's image and read its repository. Raises SandboxError."""
    limits = replace(Limits(), output_bytes=TOTAL_LIMIT + 32 * MIB)
    async with open_clean(issue, sandboxes, limits) as sandbox:
        sizes, skipped = await _tracked(issue, sandbox)
        wanted = _within_limits(sizes)
        if not wanted:
            return RepositorySnapshot(texts={}, skipped=skipped | frozenset(sizes))
        archive = await sandbox.exec(
            [
                "tar",
                "--create",
                "--hard-dereference",
                "--ignore-failed-read",
                "--null",
                "--files-from=-",
            ],
            timeout=_DEADLINE,
            stdin="".join(f"./{path}\0" for path in wanted).encode("utf-8", "surrogateescape"),
            cwd=issue.workdir,
        )
    if archive.truncated or archive.timed_out or not archive.stdout:
        raise SandboxError(f"{_where(issue)} could not be read: {_complaint(archive)}.")
    try:
        texts = await asyncio.to_thread(_texts, archive.stdout)
    except tarfile.TarError as error:
        raise SandboxError(f"{_where(issue)} came as a broken archive: {error}.") from error
    return RepositorySnapshot(texts=texts, skipped=skipped | (frozenset(sizes) - texts.keys()))


async def _tracked(issue: Issue, sandbox: Sandbox) -> tuple[dict[str, int], frozenset[str]]:
    """Return regular files with their sizes, and the paths that are something else."""
    listing = await sandbox.exec(
        ["bash", "-c", _LIST], timeout=_DEADLINE, cwd=issue.workdir, env=_GIT_ENV
    )
    if listing.exit_code != 0 or listing.truncated:
        raise SandboxError(
            f"{_where(issue)} is no readable git repository: {_complaint(listing)}; "
            "check the task's image and workdir."
        )
    sizes: dict[str, int] = {}
    others: set[str] = set()
    for entry in listing.stdout.decode("utf-8", "surrogateescape").split("\0"):
        facts, separator, path = entry.partition(":")
        if not separator:
            continue
        size, _, kind = facts.partition(" ")
        if kind.startswith("regular"):
            sizes[path] = int(size)
        else:
            others.add(path)
    return sizes, frozenset(others)


def _within_limits(sizes: Mapping[str, int]) -> list[str]:
    """Return the paths to read, sorted: the smallest first are kept when not all can be."""
    kept = []
    total = 0
    for size, path in sorted((size, path) for path, size in sizes.items()):
        total += size
        if size > FILE_LIMIT or total > TOTAL_LIMIT:
            break
        kept.append(path)
    return sorted(kept)


def _texts(archive: bytes) -> dict[str, str]:
    texts: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            if content is None:
                continue
            data = content.read()
            if b"\0" in data:
                continue
            try:
                name = member.name.removeprefix("./").encode("utf-8", "surrogateescape")
                texts[name.decode()] = data.decode()
            except UnicodeDecodeError:
                continue
    return texts


def _where(issue: Issue) -> str:
    return f"{issue.workdir} in image {issue.image!r}"


def _complaint(result: ExecResult) -> str:
    if result.timed_out:
        return f"no answer within {_DEADLINE:.0f} s"
    if result.truncated:
        return "it is larger than ksolve reads"
    lines = result.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].rstrip(".") if lines else f"exit code {result.exit_code}"
