"""A task out of a local git repository, an issue text and a test command, for `ksolve fix`.

The verdict of such a task rests on one exit status, that of the test command. The tests are the
repository's own, which a candidate can see and edit, so the evaluation puts the test files of the
base state back first; files that do not look like tests are the candidate's to change.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shlex
import shutil
import ssl
import tarfile
import tempfile
import time
import tomllib
from pathlib import Path

import platformdirs

from tasks.task import (
    END_MARKER,
    EXIT_CODE_PARSER,
    START_MARKER,
    ImageBuild,
    Issue,
    Oracle,
    Task,
)
from tasks.worktree import Copy, LocalRepoError, copied

BASE_IMAGE = "ksolve/base:1"
LONGEST_STATEMENT = 100_000
# Characters. Longer texts are pasted logs, which no model's context holds beside the code.

_SOLVER = 1000
# User and group id of `solver` in the base image.
_DAY = 86_400.0
_MTIME = 1_577_836_800
# Of every file in an image: 2020-01-01, so that it depends on the repository alone.
_VENV = "/opt/venv"
_TRUSTED = "/opt/trusted.pem"
_TRUST = (
    "/usr/bin/env",
    *(f"{name}={_TRUSTED}" for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")),
)
# Understood by Python's re and by grep -E alike.
_TEST_FILE = (
    r"(^|/)((tests?|__tests__|spec)/|conftest\.py$|test_[^/]*\.py$|[^/]*[._-](test|spec)\.[a-z]+$)"
)


def local_task(
    repo: Path,
    statement: str,
    test_command: str,
    *,
    image: str | None = None,
    setup: str | None = None,
    base: str = "HEAD",
    include_dirty: bool = False,
    time_limit: float = 1800.0,
    cache: Path | None = None,
) -> Task:
    """Return a task whose image holds one state of the repository at /testbed.

    The state is commit `base`, or with `include_dirty` the work tree as it is. The image is built
    from ksolve's base image, or from `image`, which needs bash and git. `setup` is a shell
    command run at build time, with network; on ksolve's base image it runs in a virtual
    environment, and is `pip install -e .` for an installable package unless "" is given.
    `time_limit` is in seconds, `cache` the folder for what the build reads. Blocks on git and the
    disk. Raises LocalRepoError.
    """
    _check(statement, test_command, base, include_dirty=include_dirty)
    name = re.sub(r"[^a-z0-9]+", "-", repo.resolve().name.lower()).strip("-")[:60] or "repository"
    cache = cache or platformdirs.user_cache_path("ksolve")
    contexts = cache / "local" / f"{name}-{_hash(str(repo.resolve()))}"
    try:
        contexts.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=contexts, prefix=".new-") as scratch,
            copied(repo, Path(scratch, "testbed"), base=base, include_dirty=include_dirty) as copy,
        ):
            if setup is None:
                setup = _default_setup(copy) if image is None else ""
            build = _build(name, copy, contexts, image=image, setup=setup)
            has_tests = any(re.search(_TEST_FILE, path) for path in copy.names())
    except OSError as error:
        raise LocalRepoError(
            f"The copy of {repo} could not be written to {contexts}: {error.strerror or error}."
        ) from error
    issue = Issue(
        id=f"local__{name}-{_hash(build.tag, statement, test_command)}",
        statement=statement,
        repo=name,
        base_commit=copy.commit,
        image=build.tag,
        test_command=test_command,
    )
    oracle = Oracle(
        eval_script=_eval_script(test_command, has_tests=has_tests),
        fail_to_pass=(test_command,),
        pass_to_pass=(),
        log_parser=EXIT_CODE_PARSER,
        time_limit=time_limit,
    )
    return Task(issue=issue, oracle=oracle, build=build)


def without_undone(patch: str) -> str:
    """Leave out of a unified diff, in git's form, what the evaluation of a local task undoes.

    That is every change of a test file that the base state has.
    """
    files = re.split(r"^(?=diff --git )", patch, flags=re.MULTILINE)
    return "".join(file for file in files if not _changes_a_test(file))


def _changes_a_test(file: str) -> bool:
    old = re.search(r'^--- "?a/(.+?)"?\t?$', file, flags=re.MULTILINE)
    return old is not None and re.search(_TEST_FILE, old[1]) is not None


def _check(statement: str, test_command: str, base: str, *, include_dirty: bool) -> None:
    if not statement.strip():
        raise LocalRepoError("The issue text is empty: say what goes wrong.")
    if len(statement) > LONGEST_STATEMENT:
        raise LocalRepoError(
            f"The issue text has {len(statement):,} characters: shorten it to"
            f" {LONGEST_STATEMENT:,}, keeping the symptom and the end of the stack trace."
        )
    if not test_command.strip():
        raise LocalRepoError("The test command is empty: give one that fails now, such as pytest.")
    if START_MARKER in test_command or END_MARKER in test_command:
        raise LocalRepoError(
            f"The test command may hold neither {START_MARKER!r} nor {END_MARKER!r}."
        )
    if "\0" in statement + test_command:
        raise LocalRepoError("The issue text or the test command holds a NUL character.")
    if include_dirty and base != "HEAD":
        raise LocalRepoError(
            f"Uncommitted changes belong to HEAD, not to {base}: leave out one of the two."
        )


def _default_setup(copy: Copy) -> str:
    names = copy.names()
    installable = "setup.py" in names
    if "pyproject.toml" in names:
        # One that cannot be read may be the very issue.
        with contextlib.suppress(tomllib.TOMLDecodeError):
            project = tomllib.loads(copy.read("pyproject.toml"))
            installable |= not project.keys().isdisjoint({"project", "build-system"})
    return "pip install -e ." if installable else ""


def _build(name: str, copy: Copy, contexts: Path, *, image: str | None, setup: str) -> ImageBuild:
    """Make the folder that the image is built from, unless an earlier run has."""
    trusted = _authorities()
    dockerfile = _dockerfile(image, setup, trusted=bool(trusted))
    digest = _hash(dockerfile, copy.commit)
    context = contexts / digest
    if not context.is_dir():
        made = copy.folder.parent / digest
        made.mkdir()
        _write_tar(copy, made / "testbed.tar", own_image=image is not None)
        (made / "trusted.pem").write_text(trusted)
        _forget_old(contexts)
        try:
            made.rename(context)
        except OSError:
            if not context.is_dir():  # else another run was faster
                raise
    return ImageBuild(tag=f"ksolve-local/{name}:{digest}", dockerfile=dockerfile, context=context)


def _dockerfile(image: str | None, setup: str, *, trusted: bool) -> str:
    lines = [f"FROM {image or BASE_IMAGE}"]
    if image is not None:
        # Who owns the files need not be who the image runs as.
        lines.append(
            "ENV GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=/testbed"
        )
    elif setup:
        # The system's pytest, but in the environment that the setup installs into.
        own = f"{_VENV}/bin/pytest"
        pytest = f"sed '1s|.*|#!{_VENV}/bin/python3|' /usr/bin/pytest > {own} && chmod +x {own}"
        lines += [
            "USER root",
            f"RUN install -d -o {_SOLVER} -g {_SOLVER} {_VENV}",
            f"USER {_SOLVER}",
            f"RUN python3 -m venv --system-site-packages {_VENV} && {pytest}",
            f"ENV VIRTUAL_ENV={_VENV} PATH={_VENV}/bin:$PATH",
        ]
    lines += ["ADD testbed.tar /", "WORKDIR /testbed"]
    if setup:
        # What the setup leaves behind must not look like a candidate's work.
        leftovers = "git ls-files -o --exclude-standard --directory | sed 's|^|/|'"
        lines += [
            *([f"COPY trusted.pem {_TRUSTED}"] if trusted else []),
            f"RUN {json.dumps([*(_TRUST if trusted else []), '/bin/bash', '-ec', setup])}",
            f"RUN {leftovers} > /tmp/exclude && cat /tmp/exclude >> .git/info/exclude",
        ]
    return "\n".join([*lines, ""])


def _authorities() -> str:
    """Return this machine's certificate authorities as PEM.

    Behind a proxy that signs anew, only this machine knows whom a download may trust.
    """
    known = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, known))


def _write_tar(copy: Copy, path: Path, *, own_image: bool) -> None:
    """Write the repository in the form that `ADD` unpacks, with owners and modes."""
    copy.check_out()

    def told(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0 if own_image else _SOLVER
        entry.uname = entry.gname = ""
        entry.mtime = _MTIME
        if not entry.issym():
            writable = 0o666 if own_image else 0o644
            entry.mode = writable | (0o111 if entry.mode & 0o100 else 0)
        return entry

    with tarfile.open(path, "w") as tar:
        tar.add(copy.folder, "testbed", filter=told)


def _forget_old(contexts: Path) -> None:
    """Remove what was made for earlier states; their images are built."""
    for old in contexts.glob("[!.]*"):
        if time.time() - old.stat().st_mtime > _DAY:
            shutil.rmtree(old, ignore_errors=True)


def _eval_script(test_command: str, *, has_tests: bool) -> str:
    """In the form of SWE-bench, whose harness has the exit status printed after the end marker.

    The command runs in a bash of its own, so that neither `exit` nor an unset variable in it ends
    the script; a failure anywhere in its pipes counts.
    """
    restore = (
        f"git ls-tree -r -z --name-only HEAD | grep -zE {shlex.quote(_TEST_FILE)}"
        " | xargs -0 git --literal-pathspecs checkout -q HEAD -- || exit 1"
    )
    lines = [
        "#!/bin/bash",
        "set -uxo pipefail",
        "cd /testbed",
        *([restore] if has_tests else []),
        f": '{START_MARKER}'",
        f"bash -o pipefail -c {shlex.quote(test_command)}",
        f": '{END_MARKER}'",
    ]
    return "\n".join([*lines, ""])


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:16]
