"""Baseline: what a task is like without a candidate, learnt once and kept.

The base commit is evaluated under the witness, and then the gold patch, or the base once more
where there is none: which files change by themselves, what the runner says of itself, whether the
witness sees the same tests as the log, whether a test that must fail does. What did not prove
itself there is not asked of any candidate, so that an honest patch is never refused for a runner
that cannot be watched.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from eval.archives import archived
from eval.evidence import Evidence, read_evidence
from eval.grading import Grade, grade_output
from eval.programs import ARCHIVE, COLLECT
from eval.protected import MIXED_FILES, RUNNER_FILES, is_source, outside
from eval.record import Record, recorded
from eval.stages import Orders, Ran, Script, Shell, prepare, run_tests, split
from eval.verdict import VERIFIER_VERSION
from sandbox.patch import MalformedPatchError, read_patch
from sandbox.sandbox import MIB, ImageUnfitError, Limits, Sandbox, SandboxError, SandboxHost
from tasks.task import EXIT_CODE_PARSER, Oracle, Task

LIFETIME_SLACK = 300.0
"""Seconds that a container may live beyond the evaluations that it may have to wait for."""

TURNS = 4
"""Evaluations that may come before a container's own, and that one."""

_READ_ANYWHERE = sorted(RUNNER_FILES | MIXED_FILES)
# The status of `COLLECT` for an image that is not the task's.
_UNFIT = 124

_TESTS = re.compile(r"^(tests?|testing)$", re.IGNORECASE)
# Of each archive of files that are put back.
_LARGEST_ARCHIVE = 64 * MIB


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """A task without a candidate."""

    script: Script
    shell: Shell | None = None
    """What the shell is when the tests are about to run; None when they were not reached."""
    before_tests: frozenset[PurePosixPath] = frozenset()
    """What differs from the image when the tests are about to run; absolute."""
    after_tests: frozenset[PurePosixPath] = frozenset()
    """What differs when they have run."""
    outside: bytes = b""
    """The files among `before_tests` that no patch may change, as an archive relative to /."""
    tree: bytes = b""
    """The files of the work tree that are put back for every candidate, as an archive."""
    guarded: tuple[PurePosixPath, ...] = ()
    """The files in it, relative."""
    settings: bytes = b""
    """The files that are not the program's source, as an archive; of a task that an exit status
    decides, whose runner may turn out not to be watched."""
    absent: tuple[PurePosixPath, ...] = ()
    """Files that the oracle's patch of the tests removes, relative."""
    environments: tuple[PurePosixPath, ...] = ()
    """Folders of the work tree with installed packages, which no patch may change; absolute."""
    programs: tuple[tuple[str, PurePosixPath], ...] = ()
    """Where the programs are that the verifier itself calls."""
    witnessed: bool = False
    """The witness sees what the log says."""
    unseen: frozenset[str] = frozenset()
    """Names among the expected tests that only the log has."""
    ends: bool = False
    """What the tests are run by is no test runner, and the witness sees it come to its end."""
    settled: bool = False
    """To learn it again would show the same: it is watched, or no witness spoke at all."""
    canaries: tuple[str, ...] = ()
    """Modules of the suite in which a test that must fail does."""
    intact: bool = False
    """The tests leave the guarded files alone."""
    hindered: frozenset[str] = frozenset()
    """What kept files from being put back even so."""
    record: Record = field(default_factory=Record)
    """What the runner says of itself."""
    hurry: bool = False
    """With FAIL_TO_PASS first, base and gold come out as they do without."""


def baseline_key(image_digest: str, oracle: Oracle) -> str:
    """Return what a baseline depends on, as one SHA-256 (hex)."""
    parts = (image_digest, oracle.digest, oracle.gold_patch or "", VERIFIER_VERSION)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


async def learn(task: Task, sandboxes: SandboxHost, limits: Limits) -> Baseline:
    """Evaluate a task without a candidate. Raises SandboxError."""
    base, seen = await _look(task, "", sandboxes, limits)
    if base.shell is None:
        return base
    again, seen_again = await _look(task, task.oracle.gold_patch or "", sandboxes, limits)
    by_status = task.oracle.log_parser == EXIT_CODE_PARSER
    # Where no test passed, log and witness agree about nothing; a status needs no names of tests.
    shows = by_status or seen_again.any_passed
    witnessed = base.witnessed and again.witnessed and shows
    # Files are as the base leaves them. What the tests do must hold for both.
    return dataclasses.replace(
        base,
        after_tests=base.after_tests | again.after_tests,
        witnessed=witnessed,
        unseen=base.unseen | again.unseen,
        ends=base.ends and again.ends,
        settled=witnessed or (base.settled and again.settled),
        # An exit status is of all tests that there are, and a candidate may add some.
        canaries=again.canaries if witnessed and not by_status else (),
        intact=base.intact and again.intact,
        hindered=base.hindered | again.hindered,
        record=recorded([seen, seen_again]),
    )


async def _look(
    task: Task, patch: str, sandboxes: SandboxHost, limits: Limits
) -> tuple[Baseline, Evidence]:
    """Return what one run shows, and the witness's account of it."""
    oracle, workdir = task.oracle, task.issue.workdir
    script = split(oracle)
    baseline = Baseline(script=script)
    limits = dataclasses.replace(
        limits,
        lifetime=oracle.time_limit + LIFETIME_SLACK,
        output_bytes=max(limits.output_bytes, _LARGEST_ARCHIVE),
    )
    async with sandboxes.open(task.issue.image, limits) as sandbox:
        prepared = await prepare(
            sandbox,
            patch,
            script.before,
            workdir=workdir,
            timeout=oracle.time_limit,
            network=limits.network,
        )
        if prepared.patch is not None and not prepared.patch.ok:
            raise ImageUnfitError(
                f"The gold patch of {task.id} does not apply at {workdir} of the image "
                f"{task.issue.image}: is that the repository at its base commit?"
            )
        if prepared.shell is None:
            return baseline, Evidence()
        tests = oracle_files(oracle)
        named = [*tests, *package_files(tests), *named_files(script.tests, prepared.shell, workdir)]
        collected = await _collect(sandbox, named, task)
        changes = await sandbox.changes()
        settings = b""
        if oracle.log_parser == EXIT_CODE_PARSER:
            others = [path for path in collected.tracked if not is_source(path)]
            settings = await _archived(sandbox, workdir, others)
        baseline = dataclasses.replace(
            baseline,
            shell=prepared.shell,
            before_tests=frozenset(changes),
            outside=await _archived(
                sandbox,
                PurePosixPath("/"),
                [
                    path.relative_to("/")
                    for path in outside(changes, workdir, collected.environments)
                ],
            ),
            tree=collected.tree,
            settings=settings,
            guarded=collected.names,
            absent=tuple(path for path in tests if path not in collected.names),
            environments=collected.environments,
            programs=collected.programs,
        )
        tested = await run_tests(
            sandbox,
            script,
            prepared.shell,
            Orders(
                tree=baseline.tree,
                outside=baseline.outside,
                guarded=[workdir / path for path in baseline.guarded],
                programs=dict(baseline.programs),
                first=oracle.fail_to_pass,
                witness=True,
            ),
            workdir=workdir,
            timeout=oracle.time_limit,
        )
        changed = frozenset(await sandbox.changes())
    evidence = read_evidence(tested.told, tested.secret)
    agreed, unseen = await asyncio.to_thread(_agree, task, script, tested, evidence)
    # Where the witness knows of no test that matters, it is of no use.
    agreed = agreed and not unseen.issuperset(oracle.fail_to_pass)
    baseline = dataclasses.replace(
        baseline,
        after_tests=changed,
        witnessed=agreed,
        unseen=unseen,
        ends=evidence.runner == "script" and evidence.exit_status is not None,
        settled=tested.exit_code is not None and evidence.runner in ("", "script"),
        canaries=evidence.canaries if agreed else (),
        intact=tested.intact,
        hindered=frozenset(tested.hindered),
    )
    return baseline, evidence


def _agree(
    task: Task, script: Script, tested: Ran, evidence: Evidence
) -> tuple[bool, frozenset[str]]:
    """Whether the witness saw the runner to its end, and the same as the log says.

    And names that only the log has: parsers take parts of lines for tests, and so do datasets.
    """
    if evidence.exit_status is None or tested.exit_code is None or script.marked:
        return False, frozenset()
    if evidence.canary_failed is not True:
        return False, frozenset()
    if task.oracle.log_parser == EXIT_CODE_PARSER:
        failed = evidence.any_failed or evidence.exit_status != 0
        return failed == (tested.exit_code != 0), frozenset()
    said = _missing(grade_output(task, tested.log, tested.exit_code))
    account = evidence.as_log(task.oracle.log_parser)
    seen = _missing(grade_output(task, account, tested.exit_code))
    known = {name for name, _ in evidence.tests}
    return said <= seen and not (seen - said) & known, frozenset(seen - said)


def _missing(grade: Grade) -> set[str]:
    return {*grade.missing_fail_to_pass, *grade.missing_pass_to_pass}


def named_files(tests: str, shell: Shell, workdir: PurePosixPath) -> list[PurePosixPath]:
    """Return what the commands of the tests may name as a file of the work tree, there or not.

    A program there that runs the tests is one of them, in whatever language it is.
    """
    folder = PurePosixPath((re.findall(r"^cd (/\S*)$", shell.state, re.MULTILINE) or [workdir])[-1])
    found: dict[PurePosixPath, None] = {}
    words = re.findall(r"[^\s;&|<>()'\"`$=]+", tests)
    # unittest is given modules, in their own form.
    for modules in re.findall(r"-m\s+unittest\b([^;&|<>'\"\n]*)", tests):
        words += [f"{name.replace('.', '/')}.py" for name in modules.split()]
    for word in words:
        path = PurePosixPath(posixpath.normpath(folder / word.partition("::")[0]))
        if path != workdir and path.is_relative_to(workdir):
            found[path.relative_to(workdir)] = None
    return list(found)


def oracle_files(oracle: Oracle) -> list[PurePosixPath]:
    """Return the files that the oracle's patch of the tests adds, changes or removes."""
    try:
        files = read_patch(oracle.test_patch)
    except MalformedPatchError:
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Collected:
    tree: bytes
    names: tuple[PurePosixPath, ...]
    environments: tuple[PurePosixPath, ...]
    programs: tuple[tuple[str, PurePosixPath], ...]
    tracked: tuple[PurePosixPath, ...]


async def _collect(sandbox: Sandbox, named: Iterable[PurePosixPath], task: Task) -> _Collected:
    """Return the files that are put back for every candidate, and what else there is to know."""
    workdir, commit = task.issue.workdir, task.issue.base_commit
    needed = commit if commit in task.oracle.eval_script else ""
    result = await sandbox.exec(
        ["sh", "-c", COLLECT, "ksolve-collect", str(workdir), needed, *_READ_ANYWHERE],
        stdin=b"".join(f"./{path}".encode() + b"\0" for path in named),
        timeout=300.0,
    )
    why = result.killed_for or " ".join(result.stderr.decode(errors="replace").split())[:200]
    if result.exit_code == _UNFIT:
        raise ImageUnfitError(f"The image {task.issue.image} does not fit {task.id}: {why}.")
    if result.exit_code != 0 or result.truncated:
        raise SandboxError(
            f"The test files cannot be read from the image: {why or 'there are too many'}."
        )
    programs, rest = _nul_list(result.stdout)
    folders, rest = _nul_list(rest)
    tracked, tree = _nul_list(rest)
    return _Collected(
        tree=tree,
        names=archived(tree),
        environments=tuple(
            workdir / (path.parent if path.name in ("pyvenv.cfg", "conda-meta") else path)
            for path in map(PurePosixPath, folders)
        ),
        programs=tuple(
            (name, PurePosixPath(path))
            for name, _, path in (program.partition(" ") for program in programs)
            if path.startswith("/")
        ),
        tracked=tuple(map(PurePosixPath, tracked)),
    )


def _nul_list(data: bytes) -> tuple[list[str], bytes]:
    """Return texts that each end with NUL, up to one that is empty, and what follows."""
    found = []
    while data and not data.startswith(b"\0"):
        text, _, data = data.partition(b"\0")
        found.append(text.decode("utf-8", "surrogateescape"))
    return found, data[1:]


async def _archived(sandbox: Sandbox, root: PurePosixPath, paths: Iterable[PurePosixPath]) -> bytes:
    """Return an archive of files below a folder; an empty one where they are too many."""
    result = await sandbox.exec(
        ["sh", "-c", ARCHIVE, "ksolve-collect", str(root)],
        stdin=b"".join(f"./{path}".encode("utf-8", "surrogateescape") + b"\0" for path in paths),
        timeout=300.0,
    )
    return b"" if result.exit_code != 0 or result.truncated else result.stdout
