"""Commands of one verification in its sandbox, and what is sent to them and heard from them.

`prepare` applies the patch and runs what the evaluation script does before its tests, which may
well run the candidate's own code. `run_tests` ends whatever that left running, puts back what
steers the tests, runs them under a witness, and looks at what became of the test files. No secret
is in the memory of a process that runs beside the candidate's code: the exit status of the tests
is the engine's word, and the witness's orders go through a pipe that is read before that code
starts. What is heard is only read here, not judged.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
import secrets
import shlex
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from eval.programs import (
    CHECKED,
    HAND_ON,
    LOOK,
    PREPARE,
    PUT_BACK,
    RETRIES,
    TESTS,
)
from sandbox.patch import AppliedPatch, applied, apply_command
from sandbox.sandbox import ExecResult, ImageUnfitError, Sandbox, SandboxError
from tasks.task import END_MARKER, START_MARKER, Oracle

WITNESS = Path(__file__).parent / "witness"

_MARKER = r"^[ \t]*(?::|echo)[ \t]+(['\"]){}\1[ \t]*$"
TOO_LARGE = re.compile("File size limit exceeded|File too large")
"""What programs say that write more than a sandbox may hold."""

# Characters.
_WORD = 32
# For a command of ours, which only handles files.
_STAGE_SECONDS = 300.0
# The status of a stage that could not begin.
_BROKEN = 125
# The statuses of an image in which none can: it lacks a program, perhaps the very shell.
_UNFIT = (124, 126, 127)
# What a shell is ended with by SIGKILL.
_KILLED = 137
# Names that test runners are started by.
_RUNNERS = ("pytest", "py.test", "unittest", "runtests", "nose")
_TEST_PATCH = re.compile(
    r"^git apply [^\n]*<<[ ]?(['\"]?)(\w+)\1[ ]*\n.*?^\2\s*\Z", re.MULTILINE | re.DOTALL
)
# At the end of what comes before the tests.
_HEADER = ("#!/bin/bash", "set -uxo pipefail")


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """An evaluation script in two parts."""

    before: str
    # Up to the marker before the tests.
    safe: str = ""
    # The same without the patch of the tests, so that the candidate's own code, which may run
    # here, does not find them; all of `before` where more follows that may need them.
    tests: str
    # Between the markers.
    marked: bool = False
    # The script could not be told apart: `tests` is all of it and prints the markers itself.


@dataclass(frozen=True, kw_only=True, slots=True)
class Shell:
    """What a bash was when it stopped: code that makes another one the same."""

    state: str = ""
    options: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What came of `prepare`."""

    result: ExecResult
    patch: AppliedPatch | None
    # None when there was none to apply.
    log: str
    # What the script's first part printed.
    shell: Shell | None
    # None when the script ended, or was ended, before its tests.


@dataclass(frozen=True, kw_only=True, slots=True)
class Orders:
    """How `run_tests` is to run the tests."""

    tree: bytes = b""
    """A tar archive that is put over the work tree before the tests."""
    outside: bytes = b""
    """Another one, put over the root of the file system."""
    gone: Sequence[PurePosixPath] = ()
    """Removed before the tests; absolute."""
    guarded: Sequence[PurePosixPath] = ()
    """Files that must be the same file, untouched, when the tests have ended; absolute."""
    programs: Mapping[str, PurePosixPath] = field(default_factory=dict)
    """Where the programs are that the image has; others by their names are not looked for."""
    first: Sequence[str] = ()
    """The tests that matter most, FAIL_TO_PASS."""
    hurry: bool = False
    """Run those first, and nothing more when one of them fails."""
    witness: bool = False
    canaries: Sequence[str] | None = None
    """Modules that a test that must fail may be put into; None for all that FAIL_TO_PASS is in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """What came of `run_tests`."""

    result: ExecResult
    log: str
    """What the tests printed, standard output and standard error in the order of writing."""
    exit_code: int | None
    """Of the last command of the tests; None when they did not come to their end."""
    intact: bool
    """No guarded file was touched."""
    hindered: tuple[str, ...]
    """What kept files from being put back, and folders of theirs that are links."""
    told: str
    """Lines of the witness, and whatever else was written there."""
    secret: str


def split(oracle: Oracle) -> Script:
    """Tell what an evaluation script does before its tests from the tests.

    What follows the tests only tidies up a container that is thrown away, and is left out.
    """
    lines = [line for line in oracle.eval_script.split("\n") if line not in _HEADER]
    starts = [place for place, line in enumerate(lines) if _is_marker(START_MARKER, line)]
    ends = [place for place, line in enumerate(lines) if _is_marker(END_MARKER, line)]
    if len(starts) != 1 or len(ends) != 1 or starts[0] > ends[0]:
        return Script(before="", tests="\n".join([_HEADER[1], *lines]), marked=True)
    before = "\n".join([_HEADER[1], *lines[: starts[0]]])
    return Script(
        before=before,
        safe=_TEST_PATCH.sub("", before),
        tests="\n".join(lines[starts[0] + 1 : ends[0]]),
    )


async def prepare(
    sandbox: Sandbox,
    patch: str,
    script: str,
    *,
    workdir: PurePosixPath,
    timeout: float,
    network: bool = False,
) -> Prepared:
    """Apply a patch, "" for none, and run what comes before the tests. Raises SandboxError."""
    (word,) = _words(1)
    offline = "" if network else "".join(f"{name}\n" for name in RETRIES)
    files = {"word": word.encode(), "script": script.encode(), "offline": offline.encode()}
    if patch:
        # A large patch takes long to look through.
        command, arguments, data = await asyncio.to_thread(apply_command, patch)
        files |= {"apply": command.encode(), "arguments": _nul_separated(arguments), "patch": data}
    result = await sandbox.exec(
        ["sh", "-c", CHECKED, "ksolve-prepare", PREPARE, str(workdir)],
        stdin=_tar(files),
        timeout=timeout,
        cwd=PurePosixPath("/"),
    )
    heard = _Heard(result.stderr.decode("utf-8", "replace"), word)
    log, outcome = result.stdout.decode("utf-8", "replace"), None
    if result.exit_code in _UNFIT and not heard.anything:
        why = " ".join(result.stderr.decode("utf-8", "replace").split())[:200]
        raise ImageUnfitError(f"The image cannot be used to verify patches: {why or 'no shell'}.")
    if result.exit_code == _BROKEN and not heard.anything:
        # Before anything of the candidate's was even read.
        if patch and TOO_LARGE.search(log):
            return Prepared(result=result, patch=applied(ok=False, log=log), log="", shell=None)
        why = " ".join(log.split())[-200:]
        raise SandboxError(f"The sandbox cannot prepare a verification: {why or 'no reason'}.")
    if patch:
        apply_log, _, log = log.partition(f"\n{word}\n")
        outcome = applied(heard.said("applied ") == "0", apply_log)
    shell = None
    if heard.said("prepared") is not None:
        shell = _shell(heard.after("state"), heard.after("options"))
    return Prepared(
        result=result,
        patch=outcome,
        log=log,
        shell=shell,
    )


async def run_tests(
    sandbox: Sandbox,
    script: Script,
    shell: Shell,
    orders: Orders,
    *,
    workdir: PurePosixPath,
    timeout: float,
) -> Ran:
    """Run the tests of a prepared work tree. Raises SandboxError."""
    secret, canary = _words(2)
    bash = str(orders.programs.get("bash", "/bin/bash"))
    known = "".join(
        f"hash -p {shlex.quote(str(path))} {name}\n" for name, path in orders.programs.items()
    )

    async def stage(name: str, program: str, data: bytes) -> list[str]:
        """Return the lines that a command of ours prints, which no candidate runs beside."""
        result = await sandbox.exec(
            [bash, "-c", known + program, name, str(workdir)],
            stdin=data,
            timeout=_STAGE_SECONDS,
            cwd=workdir,
        )
        text = result.stdout.decode("utf-8", "replace")
        if result.exit_code == _BROKEN:
            why = " ".join((text + result.stderr.decode("utf-8", "replace")).split())[-200:]
            raise SandboxError(f"The sandbox cannot put the tests back: {why or 'no reason'}.")
        return text.split("\n")

    files = {
        "gone": _nul_separated(str(path) for path in orders.gone),
        "guarded": _nul_separated(str(path) for path in orders.guarded),
        "folders": _nul_separated(_folders(orders.guarded, workdir)),
        "tree.tar": orders.tree or _tar({}),
        "outside.tar": orders.outside or _tar({}),
    }
    if orders.witness:
        files |= {f"witness/{name}": data for name, data in witness_files().items()}
    folder, *put_back = await stage("ksolve-put-back", PUT_BACK, _tar(files))
    ends = put_back.index("") if "" in put_back else len(put_back)
    hindered, before = put_back[:ends], put_back[ends + 1 :]
    told = {
        "secret": secret,
        "canary": canary,
        "workdir": str(workdir),
        "first": list(orders.first),
        "hurry": orders.hurry,
        "places": None if orders.canaries is None else list(orders.canaries),
    }
    result = await sandbox.exec(
        [bash, "-c", HAND_ON, "ksolve-tests", TESTS],
        stdin=_nul_separated(
            [
                json.dumps(told) if orders.witness else "",
                f"{folder}/witness" if orders.witness else "",
                ":".join([*_RUNNERS, *_named_programs(script.tests)]),
                shell.state,
                shell.options,
                script.tests,
            ]
        ),
        timeout=timeout,
        cwd=workdir,
    )
    after = await stage("ksolve-look", LOOK, files["guarded"])
    return Ran(
        result=result,
        log=result.stdout.decode("utf-8", "replace"),
        exit_code=None if result.killed_for or result.exit_code == _KILLED else result.exit_code,
        intact=before == after,
        hindered=tuple(hindered),
        told=result.stderr.decode("utf-8", "replace"),
        secret=secret,
    )


def _folders(files: Iterable[PurePosixPath], workdir: PurePosixPath) -> list[str]:
    """Return the folders below the work tree that hold some files, the outermost first."""
    found = {folder for file in files for folder in file.parents if workdir in folder.parents}
    return sorted(map(str, found))


def _named_programs(tests: str) -> list[str]:
    """Return the names of the Python files that the commands of the tests name."""
    return sorted({PurePosixPath(name).name for name in re.findall(r"[\w./-]+\.py\b", tests)})


@functools.cache
def witness_files() -> Mapping[str, bytes]:
    """Return the programs of the witness by name."""
    return {
        path.relative_to(WITNESS).as_posix(): path.read_bytes() for path in WITNESS.rglob("*.py")
    }


def _shell(state: str, options: str) -> Shell | None:
    """Return code for a new shell: its mask, what it must not have, what it must."""
    mask, _, rest = state.partition("\n")
    names, _, variables = rest.partition("\n")
    if not re.fullmatch(r"[0-7]+", mask):
        return None
    unset = (
        f"for ksolve_name in $(compgen -e); do case ' {names} ' in *\" $ksolve_name \"*) ;; "
        '*) unset "$ksolve_name" ;; esac; done'
    )
    return Shell(state=f"umask {mask}\n{unset}\n{variables}", options=options)


class _Heard:
    """What a program wrote on standard error: its own lines begin with the word."""

    def __init__(self, text: str, word: str) -> None:
        self._lines = text.split("\n")
        self._word = f"{word} "

    @property
    def anything(self) -> bool:
        """Whether the program said anything."""
        return any(line.startswith(self._word) for line in self._lines)

    def said(self, what: str) -> str | None:
        """Return the rest of the last line of ours that begins with `what`."""
        start = self._word + what
        found = [line for line in self._lines if line.startswith(start)]
        return found[-1][len(start) :] if found else None

    def after(self, what: str) -> str:
        """Return what stands between one of our lines and the next."""
        if self._word + what not in self._lines:
            return ""
        rest = self._lines[self._lines.index(self._word + what) + 1 :]
        ends = (place for place, line in enumerate(rest) if line.startswith(self._word))
        return "\n".join(rest[: next(ends, 0)])

    def rest(self) -> str:
        """Return what is not ours."""
        return "\n".join(line for line in self._lines if line and not line.startswith(self._word))


def _words(count: int) -> Iterator[str]:
    """Return words that nobody can guess, by one call of the system for all."""
    drawn = secrets.token_hex(_WORD // 2 * count)
    return (drawn[start : start + _WORD] for start in range(0, len(drawn), _WORD))


def _is_marker(marker: str, line: str) -> bool:
    return re.search(_MARKER.format(re.escape(marker)), line) is not None


def _nul_separated(words: Iterable[str]) -> bytes:
    return b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in words)


def _tar(files: Mapping[str, bytes]) -> bytes:
    """Return an archive for `tar -x`; small, and made anew for each verification."""
    entries = [
        _header(name, len(data)) + data + bytes(-len(data) % tarfile.BLOCKSIZE)
        for name, data in files.items()
    ]
    return b"".join([*entries, bytes(2 * tarfile.BLOCKSIZE)])


@functools.lru_cache(maxsize=4096)
def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.USTAR_FORMAT)
