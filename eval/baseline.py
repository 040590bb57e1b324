"""What a task is like without a candidate, learnt once and kept: the measure of every candidate.

The base commit is evaluated under the witness, and the gold patch too where the base alone does
not show all that is asked: which files change by themselves, whether the witness sees the same
tests as the log, whether the canary fails. What did not prove itself there is not asked of any
candidate, so that an honest patch is never refused for a runner that cannot be watched.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import io
import re
import tarfile
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from eval.evidence import Evidence, read_evidence
from eval.grading import Grade, grade_output
from eval.protected import MIXED_FILES, RUNNER_FILES, loads_itself
from eval.stages import Orders, Ran, Script, Shell, prepare, run_tests, split
from eval.verdict import VERIFIER_VERSION
from sandbox.sandbox import MIB, Change, Limits, Sandbox, SandboxError, SandboxHost
from tasks.task import EXIT_CODE_PARSER, Oracle, Task

LIFETIME_SLACK = 300.0
"""Seconds that a container may live beyond the evaluations that it may have to wait for."""

TURNS = 4
"""Evaluations that may come before a container's own, and that one."""

_TESTS = re.compile(r"^(tests?|testing)$", re.IGNORECASE)
_LARGEST_TREE = 64 * MIB
# Of the files that are put back, as an archive.

# Standard input names the oracle's files; the arguments are names that a runner reads anywhere.
_COLLECT = r"""
cd "$1" || exit
shift
list=$(mktemp) && tests=$(mktemp) || exit
cat > "$tests"
named=
for name do named="$named -o -name $name"; done
find . -name .git -prune -o -name node_modules -prune -o \( -type f -o -type l \) \
    \( -false $named \) -print0 > "$list"
xargs -0 sh -c 'for path do
    if [ -f "$path" ] || [ -L "$path" ]; then printf "%s\0" "$path"; fi
done' sh < "$tests" >> "$list"
tar --null --no-recursion -cf - -T "$list"
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """A task without a candidate."""

    script: Script
    shell: Shell | None = None
    # What the shell is when the tests are about to run; None when they were not reached.
    before_tests: frozenset[PurePosixPath] = frozenset()
    # What differs from the image when the tests are about to run; absolute.
    startup: tuple[tuple[PurePosixPath, str], ...] = ()
    # Those among them, outside of the work tree, that Python or pytest loads by itself.
    after_tests: frozenset[PurePosixPath] = frozenset()
    tree: bytes = b""
    # The oracle's test files and those that steer the runner, as an archive relative to the work
    # tree.
    guarded: tuple[PurePosixPath, ...] = ()
    # The files in it, relative.
    absent: tuple[PurePosixPath, ...] = ()
    # Files that the oracle's patch of the tests removes, relative.
    witnessed: bool = False
    # The witness sees what the log says.
    canaries: tuple[str, ...] = ()
    # Where in the suite the canary fails, as it must.
    intact: bool = False
    # The tests leave the guarded files alone.
    altered: frozenset[str] = frozenset()
    # Functions of the runner that are replaced without a candidate, too.
    plugins: frozenset[str] = frozenset()
    # Those that pytest has without a candidate.
    hurry: bool = False
    # With FAIL_TO_PASS first, base and gold come out as they do without.


def baseline_key(image_digest: str, oracle: Oracle) -> str:
    """Return what a baseline depends on, as one SHA-256 (hex)."""
    parts = (image_digest, oracle.digest, oracle.gold_patch or "", VERIFIER_VERSION)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


async def learn(task: Task, sandboxes: SandboxHost, limits: Limits) -> Baseline:
    """Evaluate a task without a candidate. Raises SandboxError."""
    base, seen = await _look(task, "", sandboxes, limits)
    if not task.oracle.gold_patch:
        # Where no expected test passed, that log and witness agree shows nothing.
        return base if seen else dataclasses.replace(base, witnessed=False, canaries=())
    gold, seen = await _look(task, task.oracle.gold_patch, sandboxes, limits)
    witnessed = base.witnessed and gold.witnessed and seen
    # Files are as the base leaves them. What the tests do must hold for both.
    return dataclasses.replace(
        base,
        after_tests=base.after_tests | gold.after_tests,
        witnessed=witnessed,
        canaries=gold.canaries if witnessed else (),
        intact=base.intact and gold.intact,
        altered=base.altered | gold.altered,
        plugins=base.plugins | gold.plugins,
    )


async def _look(
    task: Task, patch: str, sandboxes: SandboxHost, limits: Limits
) -> tuple[Baseline, bool]:
    """Return what one run shows, and whether the witness saw an expected test pass in it."""
    oracle, workdir = task.oracle, task.issue.workdir
    script = split(oracle)
    baseline = Baseline(script=script)
    limits = dataclasses.replace(
        limits,
        network=task.issue.network,
        lifetime=oracle.time_limit + LIFETIME_SLACK,
        output_bytes=max(limits.output_bytes, _LARGEST_TREE),
    )
    async with sandboxes.open(task.issue.image, limits) as sandbox:
        prepared = await prepare(
            sandbox, patch, script.before, workdir=workdir, timeout=oracle.time_limit
        )
        if prepared.shell is None:
            return baseline, False
        named = [*oracle_files(oracle), *package_files(oracle_files(oracle))]
        tree, names = await _collect(sandbox, named, workdir)
        changes = await sandbox.changes()
        baseline = dataclasses.replace(
            baseline,
            shell=prepared.shell,
            before_tests=frozenset(changes),
            startup=tuple((await startup_texts(sandbox, changes, workdir)).items()),
            tree=tree,
            guarded=names,
            absent=tuple(path for path in named if path not in names),
        )
        tested = await run_tests(
            sandbox,
            script,
            prepared.shell,
            Orders(
                tree=tree,
                guarded=[workdir / path for path in names],
                gone=(),
                first=oracle.fail_to_pass,
                hurry=False,
                witness=True,
                canaries=None,
            ),
            workdir=workdir,
            timeout=oracle.time_limit,
        )
        changed = frozenset(await sandbox.changes())
    evidence = read_evidence(tested.told, tested.secret)
    agreed = await asyncio.to_thread(_agree, task, script, tested, evidence)
    baseline = dataclasses.replace(
        baseline,
        after_tests=changed,
        witnessed=agreed,
        canaries=evidence.canaries if agreed else (),
        intact=tested.intact,
        altered=evidence.altered,
        plugins=evidence.plugins,
    )
    return baseline, any(status in {"PASSED", "ok"} for _, status in evidence.tests)


def _agree(task: Task, script: Script, tested: Ran, evidence: Evidence) -> bool:
    """Whether the witness saw the runner to its end, and the same as the log says."""
    if evidence.exit_status is None or tested.exit_code is None or script.marked:
        return False
    if task.oracle.log_parser == EXIT_CODE_PARSER:
        return evidence.any_failed == (tested.exit_code != 0)
    said = grade_output(task, tested.log, tested.exit_code)
    seen = grade_output(task, evidence.as_log(task.oracle.log_parser), tested.exit_code)
    return _missing(said) == _missing(seen)


def _missing(grade: Grade) -> set[str]:
    return {*grade.missing_fail_to_pass, *grade.missing_pass_to_pass}


async def startup_texts(
    sandbox: Sandbox, changes: Mapping[PurePosixPath, Change], workdir: PurePosixPath
) -> dict[PurePosixPath, str]:
    """Return the changed files outside of the work tree that Python or pytest loads by itself."""
    texts = {}
    for path, change in changes.items():
        if change != "deleted" and loads_itself(path) and not path.is_relative_to(workdir):
            with contextlib.suppress(FileNotFoundError):
                texts[path] = (await sandbox.read(path, MIB)).decode("utf-8", "replace")
    return texts


def oracle_files(oracle: Oracle) -> list[PurePosixPath]:
    """Return the files that the oracle's patch of the tests adds, changes or removes."""
    try:
        files = PatchSet(oracle.test_patch)
    except UnidiffParseError:
        return []
    found: dict[PurePosixPath, None] = {}
    for file in files:
        for name in (file.source_file, file.target_file):
            if name and name != "/dev/null":
                found[PurePosixPath(name.partition("/")[2])] = None
    return [path for path in found if path.parts and ".." not in path.parts]


def package_files(tests: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    """Return the `__init__.py` of the folders of tests that hold these files, there or not.

    Folders above those, as where a package holds its tests, are the candidate's.
    """
    found: dict[PurePosixPath, None] = {}
    for path in tests:
        parts = path.parent.parts
        first = next((place for place, part in enumerate(parts) if _TESTS.match(part)), None)
        if first is not None:
            for length in range(first + 1, len(parts) + 1):
                found[PurePosixPath(*parts[:length], "__init__.py")] = None
    return list(found)


async def _collect(
    sandbox: Sandbox, named: Iterable[PurePosixPath], workdir: PurePosixPath
) -> tuple[bytes, tuple[PurePosixPath, ...]]:
    """Return an archive of the files that are put back for every candidate, and their names."""
    result = await sandbox.exec(
        ["sh", "-c", _COLLECT, "sh", str(workdir), *sorted(RUNNER_FILES | MIXED_FILES)],
        stdin=b"".join(f"./{path}".encode() + b"\0" for path in named),
        timeout=300.0,
    )
    if result.exit_code != 0 or result.truncated:
        why = result.killed_for or " ".join(result.stderr.decode(errors="replace").split())[:200]
        raise SandboxError(
            f"The test files cannot be read from the image: {why or 'there are too many'}."
        )
    return result.stdout, archived(result.stdout)


def archived(tree: bytes) -> tuple[PurePosixPath, ...]:
    """Return the names of the files in an archive, relative."""
    with tarfile.open(fileobj=io.BytesIO(tree), mode="r:") as archive:
        return tuple(dict.fromkeys(PurePosixPath(name) for name in archive.getnames()))


def without(tree: bytes, left_out: Container[PurePosixPath]) -> bytes:
    """Return an archive without some of its files."""
    buffer = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(tree), mode="r:") as archive,
        tarfile.open(fileobj=buffer, mode="w") as kept,
    ):
        for entry in archive:
            if PurePosixPath(entry.name) not in left_out:
                kept.addfile(entry, archive.extractfile(entry) if entry.isreg() else None)
    return buffer.getvalue()


def file_in(tree: bytes, name: PurePosixPath) -> str | None:
    """Return the text of a file in an archive, None when it holds no such file."""
    with tarfile.open(fileobj=io.BytesIO(tree), mode="r:") as archive:
        for entry in archive:
            if PurePosixPath(entry.name) == name and entry.isreg():
                content = archive.extractfile(entry)
                return content.read().decode("utf-8", "replace") if content else None
    return None
