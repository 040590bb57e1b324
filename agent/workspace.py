"""The sandbox that a strategy works in: an issue's repository, without what came after its base.

What only the oracle could point out (a test file in the tree, an installed copy of the fixed
project) is not removed; `ksolve tasks audit` names it. Commands may do in the sandbox what they
like, also to git: the patch is told from the files alone.
"""

from __future__ import annotations

import posixpath
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from types import TracebackType
from typing import Self

from agent.limits import AgentLimits
from agent.worktree import DIFF, FINDABLE, KEEP, is_product
from sandbox.history import remove_leaks, run_git
from sandbox.sandbox import MIB, ExecResult, Limits, Sandbox, SandboxError, SandboxHost
from tasks.task import Issue

OUTPUT_LIMIT = 4 * MIB
"""Bytes that are kept of one command's output, of one file, and of a patch."""

_DEADLINE = 120.0
_SPARE_LIFE = 600.0
# Seconds that a sandbox outlives the limit of its sample.
_TEMPORARY = PurePosixPath("/tmp")  # noqa: S108 - of the sandbox, which has one user

_SHELL = 'if command -v bash > /dev/null; then exec bash -c "$0" 2>&1; fi; exec sh -c "$0" 2>&1'
_ENVIRONMENT = "test ! -f ~/.bashrc || . ~/.bashrc > /dev/null 2>&1; env -0"
_OWN_TO_A_SHELL = {"_", "HOSTNAME", "OLDPWD", "PWD", "SHLVL"}
_QUIET = {"PAGER": "cat", "GIT_PAGER": "cat", "GIT_EDITOR": "true", "TERM": "dumb"}
# Nobody is there to leave a pager or an editor.

_READ = '[ -e "$1" ] || exit 4; [ ! -d "$1" ] || exit 5; [ -f "$1" ] || exit 6; exec cat -- "$1"'
_WRITE = (
    '[ ! -d "$1" ] || exit 5; mkdir -p -- "$(dirname -- "$1")" || exit; '
    '[ ! -e "$1" ] || [ -f "$1" ] || exit 6; exec cat > "$1"'
)
_NO_FILE, _FOLDER = 4, 5
# Characters of a path in a sentence.
_SHOWN_NAME = 400


class FileRefusedError(Exception):
    """A file cannot be read or written as asked. The message is one sentence for the model."""


class NoFileError(FileRefusedError):
    """There is none."""


class FolderError(FileRefusedError):
    """It is a folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """What one command showed."""

    text: str
    # stdout and stderr together, at most `AgentLimits.observation_characters` and a remark.
    whole: str
    # All of it, up to `OUTPUT_LIMIT`; "" when `text` is all.
    exit_code: int | None
    # None when it was ended by its deadline or a limit; the text says so.
    seconds: float


@asynccontextmanager
async def open_clean(
    issue: Issue, sandboxes: SandboxHost, limits: Limits
) -> AsyncIterator[Sandbox]:
    """Open the issue's image and remove what leaks from its history, before anybody looks.

    No strategy sees a sandbox that was not opened by this or by a `Workspace`. Raises
    ImageMissingError or SandboxError on entry.
    """
    limits = limits.with_resources(issue.resources)
    async with sandboxes.open(issue.image, limits) as sandbox:
        await remove_leaks(sandbox, workdir=issue.workdir, base_commit=issue.base_commit)
        yield sandbox


@asynccontextmanager
async def open_workspace(
    issue: Issue, sandboxes: SandboxHost, limits: AgentLimits
) -> AsyncIterator[Workspace]:
    """Open an issue to work on. Raises ImageMissingError or SandboxError on entry."""
    workspace = Workspace(issue, sandboxes, limits)
    async with workspace:
        yield workspace


class Workspace:
    """An issue's work tree, in which commands are run and files changed.

    Faults of the sandbox rise as SandboxError; what a command does, whatever it is, does not.
    """

    def __init__(self, issue: Issue, sandboxes: SandboxHost, limits: AgentLimits) -> None:
        self._issue = issue
        self._sandboxes = sandboxes
        self._limits = limits
        self._stack = AsyncExitStack()
        self._open: Sandbox | None = None
        self._quick: Sandbox | None = None
        # The same one for what nobody has to believe: commands, and the model's own files.
        self._environment: dict[str, str] = {}
        self._kept = ""
        # Where in the sandbox it stands what the tree was at first.

    async def __aenter__(self) -> Self:
        """Open the sandbox."""
        await self.reset()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the sandbox."""
        self._open = self._quick = None
        await self._stack.aclose()

    @property
    def workdir(self) -> PurePosixPath:
        """The folder in which commands are run."""
        return self._issue.workdir

    @property
    def shown_characters(self) -> int:
        """How many of an observation the model is shown."""
        return self._limits.observation_characters

    async def run(self, command: str, *, timeout: float, stdin: bytes = b"") -> Observation:
        """Run `bash -c command` in the issue's folder, for `timeout` seconds at most.

        Each is a shell of its own: neither `cd` nor variables live on.
        """
        result = await _there(self._quick).exec(
            ["sh", "-c", _SHELL, sound(command.replace("\0", ""))],
            timeout=timeout,
            stdin=stdin,
            cwd=self.workdir,
            env=self._environment | _QUIET,
        )
        return _observation(result, self._limits.observation_characters)

    async def read(self, path: str) -> str:
        """Return a text file as it is. Raises FileRefusedError."""
        result = await self._act(_READ, path)
        if result.truncated:
            raise FileRefusedError(
                f"{named(path)} cannot be read: it is larger than {OUTPUT_LIMIT:,}."
            )
        try:
            return result.stdout.decode()
        except UnicodeDecodeError:
            raise FileRefusedError(f"{named(path)} cannot be read: it is no UTF-8 text.") from None

    async def write(self, path: str, text: str) -> None:
        """Write a text file, making its folders. Raises FileRefusedError."""
        await self._act(_WRITE, path, text.encode(errors="replace"))

    async def patch(self) -> str:
        """Return the unified diff from the tree as it was opened to the tree as it is.

        New files are in it, but for build products, caches, scratch files, what the base's rules
        ignore and data (over 1 MiB). "" where nothing changed, or more than a patch can hold.
        """
        try:
            return await self._diff()
        except SandboxError:
            # Most likely git was broken by what was done here.
            await self._transplant()
        return await self._diff()

    async def reset(self) -> None:
        """Begin anew, in a fresh sandbox: what was done, in the tree or outside of it, is gone."""
        self._open = self._quick = None
        await self._stack.aclose()
        limits = replace(
            Limits().with_resources(self._issue.resources),
            output_bytes=OUTPUT_LIMIT,
            lifetime=max(Limits().lifetime, self._limits.seconds + _SPARE_LIFE),
        )
        async with AsyncExitStack() as stack:
            opening = self._sandboxes.open(self._issue.image, limits)
            sandbox = await stack.enter_async_context(opening)
            quick = await stack.enter_async_context(sandbox.resident())
            await remove_leaks(quick, workdir=self.workdir, base_commit=self._issue.base_commit)
            self._kept = (await run_git(quick, KEEP, *FINDABLE, workdir=self.workdir)).decode()
            self._environment = await _environment(quick)
            self._stack = stack.pop_all()
        self._open, self._quick = sandbox, quick

    @property
    def _sandbox(self) -> Sandbox:
        return _there(self._open)

    def _place(self, path: str) -> PurePosixPath:
        """Return the absolute path. Raises FileRefusedError."""
        if not path.strip() or "\0" in path:
            raise FileRefusedError("No path is given.")
        full = PurePosixPath(posixpath.normpath(self.workdir / path))
        inside = [root for root in (self.workdir, _TEMPORARY) if full.is_relative_to(root)]
        if not inside or ".git" in full.parts:
            raise FileRefusedError(f"{named(path)} is outside of the files in {self.workdir}.")
        return full

    async def _act(self, script: str, path: str, data: bytes = b"") -> ExecResult:
        full = sound(str(self._place(path)))
        result = await _there(self._quick).exec(
            ["sh", "-c", script, "sh", full], timeout=_DEADLINE, stdin=data
        )
        if result.exit_code == _FOLDER:
            raise FolderError(f"{named(path)} is a folder.")
        if result.exit_code == _NO_FILE:
            raise NoFileError(f"There is no file {named(path)}.")
        if result.exit_code != 0:
            # A shell repeats the name, which may be long.
            words = named(" ".join(result.stderr.decode(errors="replace").split()))
            why = result.killed_for or words or "no regular file"
            raise FileRefusedError(f"{named(path)}: {why}.")
        return result

    async def _diff(self) -> str:
        """Ask for text; where it holds lines of no known encoding, for binary patches instead.

        What still is none is the target of a link, which git always shows: its bytes are kept.
        """
        try:
            return (await self._told("")).decode()
        except UnicodeDecodeError:
            return (await self._told("* -diff")).decode("utf-8", "surrogateescape")

    async def _told(self, attributes: str) -> bytes:
        arguments = (self._kept, str(OUTPUT_LIMIT), attributes, *FINDABLE)
        return await run_git(self._sandbox, DIFF, *arguments, workdir=self.workdir)

    async def _transplant(self) -> None:
        """Put the changed files into a fresh sandbox, where git is as it was."""
        changes = {
            path.relative_to(self.workdir): change
            for path, change in (await self._sandbox.changes()).items()
            if path.is_relative_to(self.workdir) and path != self.workdir
        }
        own = [path for path in changes if ".git" not in path.parts]
        gone = [str(path) for path in own if changes[path] == "deleted"]
        # The base may hold files that look like products.
        there = [
            str(path)
            for path in own
            if changes[path] == "modified" or (changes[path] == "added" and not is_product(path))
        ]
        archive = await self._sandbox.exec(
            ["tar", "-c", "--no-recursion", "--ignore-failed-read", "--null", "-T", "-"],
            timeout=_DEADLINE,
            stdin=_listed(there),
            cwd=self.workdir,
        )
        await self.reset()
        if archive.exit_code is None or archive.truncated or not archive.stdout:
            return
        await self._sandbox.exec(
            ["xargs", "-0", "-r", "rm", "-rf", "--"],
            timeout=_DEADLINE,
            stdin=_listed(gone),
            cwd=self.workdir,
        )
        await self._sandbox.exec(
            ["tar", "-x", "--overwrite"], timeout=_DEADLINE, stdin=archive.stdout, cwd=self.workdir
        )


def _there(sandbox: Sandbox | None) -> Sandbox:
    if sandbox is None:
        raise SandboxError("The sandbox of this sample is not open.")
    return sandbox


def sound(text: str) -> str:
    """Replace halves of characters, which nothing that is sent or written can hold."""
    return text.encode(errors="replace").decode()


def named(path: str) -> str:
    """Return a path as a sentence can hold it, whatever its length and characters are."""
    whole = path.encode(errors="backslashreplace").decode()
    half = _SHOWN_NAME // 2
    return whole if len(whole) <= _SHOWN_NAME else f"{whole[:half]}...{whole[-half:]}"


def cut(text: str, characters: int) -> str:
    """Leave out the middle of a text that is longer, at the ends of lines, and say so."""
    if len(text) <= characters:
        return text
    half = max(characters // 2, 1)
    # Where the lines are too long for this, they are cut.
    head = text[: text.rfind("\n", half // 2, half) + 1] or text[:half]
    start = text.find("\n", len(text) - half - 1, len(text) - half // 2)
    tail = text[start + 1 :] if start >= 0 else text[-half:]
    left_out = text[len(head) : len(text) - len(tail)]
    gap = "" if head.endswith("\n") else "\n"
    lines = left_out.count("\n")
    return f"{head}{gap}... ({len(left_out):,} characters, {lines:,} lines left out) ...\n{tail}"


def _observation(result: ExecResult, characters: int) -> Observation:
    # What no text file can hold, no record can keep.
    whole = (result.stdout + result.stderr).decode(errors="replace").replace("\0", "\\0")
    text = cut(whole, characters)
    remarks = [f"the output is longer than {OUTPUT_LIMIT:,} bytes"] if result.truncated else []
    if result.timed_out:
        remarks.append(
            f"ended after {result.seconds:.0f} s, its deadline, with every process that it started"
        )
    elif result.killed_for:
        remarks.append(f"ended by its {result.killed_for} limit")
    remark = f"({'; '.join(remarks)})\n" if remarks else ""
    gap = "\n" if remark and text and not text.endswith("\n") else ""
    return Observation(
        text=text + gap + remark,
        whole="" if text == whole else whole + gap + remark,
        exit_code=result.exit_code,
        seconds=result.seconds,
    )


async def _environment(sandbox: Sandbox) -> dict[str, str]:
    """Return what a shell of the image's user has: in many images it chooses the Python."""
    result = await sandbox.exec(["bash", "-c", _ENVIRONMENT], timeout=_DEADLINE)
    pairs = (pair.partition("=") for pair in result.stdout.decode(errors="replace").split("\0"))
    return {
        name: value
        for name, equals, value in pairs
        if equals and name.isidentifier() and name not in _OWN_TO_A_SHELL
    }


def _listed(names: Iterable[str]) -> bytes:
    return b"".join(name.encode("utf-8", "surrogateescape") + b"\0" for name in names)
