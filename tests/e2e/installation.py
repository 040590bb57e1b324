"""ksolve as users have it: a wheel, in an environment of some Python, run by an ordinary user."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import ROOT

# Of nobody: no name, no home, not even a line in /etc/passwd, as in many a container.
USER = 54321
VERSION = "import sys; print('.'.join(map(str, sys.version_info[:3])))"


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """One environment that holds ksolve, and the user who runs it."""

    environment: Path
    user: OrdinaryUser
    variables: Mapping[str, str | None] = field(default_factory=dict)
    """Of the environment that ksolve runs in; None for one that is not set."""

    def run(self, *words: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run ksolve to its end, which must be with this exit status."""
        done = self.user.run(self.environment / "bin" / "ksolve", *words, variables=self.variables)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def python(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a Python script; a warning in it is an error."""
        python = self.environment / "bin" / "python"
        return self.user.run(python, "-W", "error", "-c", script, variables=self.variables)


@dataclass(frozen=True, kw_only=True, slots=True)
class OrdinaryUser:
    """Somebody who is not root, with a home elsewhere, a folder, and access to the engine."""

    home: Path
    folder: Path
    umask: int = 0o077

    def run(
        self, program: Path, *words: str | Path, variables: Mapping[str, str | None]
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the user's folder."""
        engine = {name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}
        env: dict[str, str | None] = {
            "HOME": str(self.home),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            # Else every start compiles all anew, where the user may not write.
            "PYTHONPYCACHEPREFIX": str(self.home / "compiled"),
            **engine,
            **variables,
        }
        is_root = os.getuid() == 0
        return subprocess.run(
            [program, *words],
            cwd=self.folder,
            env={name: text for name, text in env.items() if text is not None},
            capture_output=True,
            text=True,
            check=False,
            umask=self.umask,
            user=USER if is_root else None,
            group=USER if is_root else None,
            extra_groups=[_socket().stat().st_gid] if is_root else None,
        )

    @classmethod
    def made(cls, folder: Path) -> OrdinaryUser:
        """Make one, whose files are all below a folder."""
        user = cls(home=folder / "a home", folder=folder / "a folder")
        for path in (user.home, user.folder):
            path.mkdir()
            if os.getuid() == 0:
                os.chown(path, USER, USER)
        return user


def _socket() -> Path:
    return Path(os.environ.get("DOCKER_HOST", "/var/run/docker.sock").removeprefix("unix://"))


def uv() -> str | None:
    """Return where uv is, which the dependency group `dev` brings along."""
    return shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def make_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("ksolve-*.whl")
    return wheel


def supported_pythons() -> list[tuple[tuple[int, ...], Path]]:
    """Return the Pythons of this machine that ksolve supports, the oldest first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    minors = [
        found[1]
        for line in project["classifiers"]
        if (found := re.fullmatch(r"Programming Language :: Python :: 3\.(\d+)", line))
    ]
    pythons: dict[tuple[int, ...], Path] = {}
    for path in _candidates(minors):
        done = subprocess.run([path, "-c", VERSION], capture_output=True, text=True, check=False)
        version = tuple(map(int, done.stdout.split("."))) if done.returncode == 0 else ()
        if version[:1] == (3,) and str(version[1]) in minors:
            pythons[version] = path
    return sorted(pythons.items())


def _candidates(minors: list[str]) -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield Path(sys.executable)
    for minor in minors:
        yield from sorted(pyenv.glob(f"versions/3.{minor}.*/bin/python3.{minor}"))
        for folder in (*os.environ["PATH"].split(os.pathsep), "/usr/bin"):
            if (path := Path(folder, f"python3.{minor}")).is_file():
                yield path


def reachable(python: Path, folder: Path, user: OrdinaryUser) -> tuple[Path, dict[str, str]]:
    """Return a Python that the user can run, and the variables that it needs.

    That is a copy where only root can enter the folder of the Python.
    """
    code = "import sys; print(sys.base_prefix)"
    told = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    prefix = Path(told.stdout.strip())
    own = prefix / "bin" / f"python{'.'.join(version_of(python).split('.')[:2])}"
    with contextlib.suppress(PermissionError):
        if user.run(own, "-c", "", variables={}).returncode == 0:
            return own, {}
    unneeded = shutil.ignore_patterns("test", "config-*", "__pycache__", "site-packages", "*.a")
    copy = folder / own.name
    for part in ("bin", "lib"):
        shutil.copytree(prefix / part, copy / part, ignore=unneeded, symlinks=True)
    return copy / "bin" / own.name, {"LD_LIBRARY_PATH": str(copy / "lib")}


def version_of(python: Path) -> str:
    """Return the version of a Python."""
    done = subprocess.run([python, "-c", VERSION], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def install(wheel: Path, python: Path, environment: Path, *, compiled: bool) -> None:
    """Install a wheel with the locked versions of what it needs; pip compiles it, uv does not."""
    program = uv()
    assert program is not None

    def run(*words: str | Path) -> None:
        subprocess.run(list(map(str, words)), check=True, cwd=environment.parent)

    run(program, "venv", "--quiet", "--no-project", "--python", python, environment)
    own = environment / "bin" / "python"
    into = (program, "pip", "install", "--quiet", "--python", own)
    run(*into, "--constraint", ROOT / "requirements.lock", wheel)
    if compiled:
        run(*into, "pip")
        run(own, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", wheel)
