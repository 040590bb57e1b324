"""A task out of a local git repository, an issue text and a test command, for `ksolve fix`.

The verdict of such a task rests on one exit status, that of the test command. The tests are the
repository's own, which a candidate can see and edit, so the evaluation puts the test files of the
base state back first; files that do not look like tests are the candidate's to change.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import ssl
import tarfile
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tasks.base import BASE_IMAGE, RECIPE
from tasks.making import Tell, say_nothing
from tasks.project import Project
from tasks.pythons import Python, python_of
from tasks.setups import TOOLS, Setup, setup_of
from tasks.snapshot import Copy, copied
from tasks.task import (
    END_MARKER,
    EXIT_CODE_PARSER,
    START_MARKER,
    ImageBuild,
    Issue,
    Oracle,
    Task,
)
from tasks.worktree import LocalRepoError

TOOLCHAIN_IMAGE = "ksolve/toolchain:1"
"""The base image with what builds software, for repositories of which nothing is known."""

LONGEST_STATEMENT = 100_000
"""Characters. Longer texts are pasted logs, which no model's context holds beside the code."""

NO_PYTHON = "ksolve found no Python that will do"
"""What the build of an image says when no Python that the project asks for can be had."""

# User and group id of `solver` in the base image, and where it lives.
_SOLVER = 1000
_HOME = "/home/solver"
_DAY = 86_400.0
# Of every file in an image: 2020-01-01, so that it depends on the repository alone.
_MTIME = 1_577_836_800
_VENV = "/opt/venv"
_TRUSTED = "/opt/trusted.pem"
_TRUST = tuple(
    f"{name}={_TRUSTED}"
    for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
)

_TOOLCHAIN = f"""\
FROM {BASE_IMAGE}
USER root
ENV DEBIAN_FRONTEND=noninteractive
RUN echo 'APT::Get::Assume-Yes "true"; APT::Install-Recommends "false";' \
        > /etc/apt/apt.conf.d/90ksolve \
 && apt-get update \
 && apt-get install build-essential pkg-config python3-dev python3-pip python-is-python3 sudo \
 && rm -rf /var/lib/apt/lists/* \
 && python3 -m venv {TOOLS}
USER solver
"""

# Whatever root has made, the tests run as another user.
_OWNED = f"""\
for folder in /testbed {_VENV} {_HOME}; do
    [ -d $folder ] || continue
    find $folder -xdev ! -user solver -exec chown -h solver:solver {{}} + || exit
done
"""

# Makes the virtual environment, with the system's own Python where that will do: then its pytest
# is there without a download.
_ENVIRONMENT = (
    f"""\
will_do() {{
    [ -z "$1" ] || python3 - "$1" <<'END'
import platform, sys
from packaging.specifiers import SpecifierSet
sys.exit(not any(platform.python_version() in SpecifierSet(one) for one in sys.argv[1].split("|")))
END
}}
if will_do "$1"; then
    python3 -m venv --system-site-packages {_VENV} \
        && sed '1s|.*|#!{_VENV}/bin/python3|' /usr/bin/pytest > {_VENV}/bin/pytest \
        && chmod +x {_VENV}/bin/pytest
else
    {TOOLS}/bin/pip install -q uv \
        && UV_HTTP_RETRIES=1 {TOOLS}/bin/uv venv --seed --python "$2" {_VENV} \
        && {_VENV}/bin/pip install -q pytest \
        || {{ echo "{NO_PYTHON}, but $(python3 --version)"; exit 1; }}
fi
"""
    + _OWNED
)

# Packages of Debian are looked up in a list that an image does not keep.
_SETUP = (
    r"""
umask 022
if [[ $1 =~ (^|[^a-z])apt(-get)?[[:space:]] && ! $1 =~ apt(-get)?[[:space:]]+update ]]; then
    apt-get update -q || exit
fi
/bin/bash -ec "$1" || exit
rm -rf /var/lib/apt/lists/*
"""
    + _OWNED
)
# Understood by Python's re and by grep -E alike.
_TEST_FILE = (
    r"(^|/)((tests?|__tests__|spec)/|conftest\.py$|test_[^/]*\.py$|[^/]*[._-](test|spec)\.[a-z]+$)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a repository is like, before anything is built for it."""

    setup: Setup
    """How to install what its tests need, as far as it says."""
    python: Python | None
    """The Python that it asks for, None where it does not say."""
    missing: tuple[str, ...] = ()
    """What belongs to it and is not on this machine, a sentence each."""
    names: frozenset[str] = frozenset()
    """The paths of its files."""


def local_task(
    repo: Path,
    statement: str,
    test_command: str,
    *,
    image: str | None = None,
    setup: str | None = None,
    python: Python | None = None,
    base: str = "HEAD",
    include_dirty: bool = False,
    time_limit: float = 1800.0,
    cache: Path | None = None,
    tell: Tell = say_nothing,
    consider: Callable[[Found], None] = lambda _: None,
) -> Task:
    """Return a task whose image holds one state of the repository at /testbed.

    The state is commit `base`, or with `include_dirty` the work tree as it is. The image is built
    from ksolve's toolchain image, or from `image`, which needs bash and git. `setup` is a shell
    command run at build time, with network; on ksolve's own image it runs as root in a virtual
    environment, whose Python is the one that is asked for, and is what the repository's files say
    unless "" is given. `time_limit` is in seconds, `cache` the folder for what the build reads.
    `consider` is told what was found, and may raise, before anything is copied. Blocks on git and
    the disk. Raises LocalRepoError.
    """
    _check(statement, test_command, base, include_dirty=include_dirty)
    name = re.sub(r"[^a-z0-9]+", "-", repo.resolve().name.lower()).strip("-")[:60] or "repository"
    cache = cache or platformdirs.user_cache_path("ksolve")
    contexts = cache / "local" / f"{name}-{_hash(str(repo.resolve()))}"
    try:
        contexts.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=contexts, prefix=".new-") as scratch,
            copied(
                repo, Path(scratch, "testbed"), base=base, include_dirty=include_dirty, tell=tell
            ) as copy,
        ):
            project = Project(copy)
            found = Found(
                setup=setup_of(project, test_command),
                python=python or python_of(project),
                missing=tuple(copy.missing),
                names=frozenset(project.names),
            )
            consider(found)
            if setup is None:
                setup = found.setup.command if image is None else ""
            build = _build(name, copy, contexts, image=image, setup=setup, python=found.python)
            has_tests = any(re.search(_TEST_FILE, path) for path in project.names)
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


def without_undone(patch: str, put_back: Collection[str] = ()) -> str:
    """Leave out of a unified diff, in git's form, what the evaluation of a local task undoes.

    That is every change of a test file that the base state has, and of the files `put_back`.
    """
    files = re.split(r"^(?=diff --git )", patch, flags=re.MULTILINE)
    return "".join(file for file in files if not _is_undone(file, put_back))


def _is_undone(file: str, put_back: Collection[str]) -> bool:
    old, new = (
        re.search(rf'^{sign} "?{side}/(.+?)"?\t?$', file, flags=re.MULTILINE)
        for sign, side in (("---", "a"), (r"\+\+\+", "b"))
    )
    if old is not None and re.search(_TEST_FILE, old[1]) is not None:
        return True
    return any(name is not None and name[1] in put_back for name in (old, new))


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


def _build(
    name: str,
    copy: Copy,
    contexts: Path,
    *,
    image: str | None,
    setup: str,
    python: Python | None,
) -> ImageBuild:
    """Make the folder that the image is built from, unless an earlier run has."""
    trusted = _authorities()
    dockerfile = _dockerfile(image, setup, python, _TRUST if trusted else ())
    digest = _hash(dockerfile, RECIPE.decode(), copy.commit, copy.release or "")
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
            # Else another run was faster.
            if not context.is_dir():
                raise
    below = None
    if image is None:
        nothing = contexts.parent.parent / "toolchain"
        nothing.mkdir(exist_ok=True)
        below = ImageBuild(tag=TOOLCHAIN_IMAGE, dockerfile=_TOOLCHAIN, context=nothing)
    return ImageBuild(
        tag=f"ksolve-local/{name}:{digest}", dockerfile=dockerfile, context=context, parent=below
    )


def _dockerfile(image: str | None, setup: str, python: Python | None, trust: Sequence[str]) -> str:
    if image is not None:
        lines = [
            f"FROM {image}",
            # Who owns the files need not be who the image runs as.
            "ENV GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=/testbed",
            "ADD testbed.tar /",
            "WORKDIR /testbed",
        ]
        return _lines(*lines, *(_installed(_run(trust, setup), trust) if setup else ()))
    lines = [f"FROM {TOOLCHAIN_IMAGE}", f"ENV PATH=$PATH:{TOOLS}/bin:{_HOME}/.local/bin"]
    trust = (*trust, f"HOME={_HOME}", "PIP_NO_CACHE_DIR=1")
    if setup or python:
        wanted = ("|".join(python.specifiers), python.choice) if python else ("", "")
        lines += [
            "USER root",
            *_trusted(trust),
            _run(trust, _ENVIRONMENT, *wanted),
            f"ENV VIRTUAL_ENV={_VENV} UV_PROJECT_ENVIRONMENT={_VENV} PATH={_VENV}/bin:$PATH",
        ]
    lines += ["ADD testbed.tar /", "WORKDIR /testbed"]
    if setup:
        lines += _installed(_run(trust, _SETUP, setup), trust)
        # What the setup has installed is what there is: tests have no network.
        lines += ["ENV UV_OFFLINE=1 UV_NO_SYNC=1"]
    return _lines(*lines, "USER solver")


def _lines(*lines: str) -> str:
    return "\n".join([*lines, ""])


def _trusted(trust: Sequence[str]) -> list[str]:
    return [f"COPY trusted.pem {_TRUSTED}"] if any(_TRUSTED in one for one in trust) else []


def _installed(run: str, trust: Sequence[str]) -> list[str]:
    """Return instructions that install, as whoever is in charge by then."""
    # What the setup leaves behind must not look like a candidate's work.
    leftovers = "git ls-files -o --exclude-standard --directory | sed 's|^|/|'"
    return [
        *_trusted(trust),
        run,
        f"RUN {leftovers} > /tmp/exclude && cat /tmp/exclude >> .git/info/exclude",
    ]


def _run(settings: Sequence[str], script: str, *arguments: str) -> str:
    """Return an instruction that runs a script of bash."""
    command = ["/usr/bin/env", *settings, "/bin/bash", "-ec", script, "setup", *arguments]
    return f"RUN {json.dumps(command)}"


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
