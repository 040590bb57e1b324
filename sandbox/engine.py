"""Whether a Docker Engine answers, and setting one up where this user may.

Setting up means Debian's or Ubuntu's own packages, by apt, as root or by sudo without a
password. Everything else is said in one sentence and left to the user.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from sandbox.connection import connect
from sandbox.endpoint import DEFAULT_SOCKET, EngineError, Fault, endpoint
from sandbox.sandbox import SandboxError

Progress = Callable[[str], None]

_START_SECONDS = 60.0
_SYSTEM_PROGRAMS = ":/usr/sbin:/sbin"
# Not on the PATH of everybody.


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineStatus:
    """What is known of the engine."""

    version: str | None = None
    """None when it does not answer."""
    api: str | None = None
    is_podman: bool = False
    why_not: str = ""
    """One sentence with what mends it, "" when it answers."""
    fault: Fault | None = None


def engine_status() -> EngineStatus:
    """Ask the engine who it is. Blocks; raises nothing."""
    try:
        engine = connect()
    except EngineError as error:
        return EngineStatus(why_not=str(error), fault=error.fault)
    except SandboxError as error:
        return EngineStatus(why_not=str(error))
    engine.close()
    return EngineStatus(version=engine.version, api=engine.api, is_podman=engine.is_podman)


def install_and_start(progress: Progress) -> None:
    """Make an engine answer; does nothing where one does. Blocks, up to minutes.

    Raises SandboxError with one sentence on what is missing.
    """
    status = engine_status()
    if status.version:
        return
    # What somebody chose is theirs to mend, and what answers is not to be replaced.
    if endpoint().source or status.fault not in ("absent", "refused", "not permitted"):
        raise SandboxError(status.why_not)
    root = as_root("Setting up a Docker Engine")
    if status.fault != "not permitted":
        if program("dockerd") is None:
            install_packages(["docker.io", "iptables"], progress)
        _start(root, progress)
    if _is_shut_out():
        _let_in(root, progress)
    status = engine_status()
    if not status.version:
        raise SandboxError(status.why_not)


def as_root(purpose: str) -> list[str]:
    """Return what goes before a command that needs root. Raises SandboxError without a way."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    if program("sudo") is not None and _run([*sudo, "true"]).returncode == 0:
        return sudo
    raise SandboxError(
        f"{purpose} needs root, and this user has neither root nor sudo without a password: "
        "run it as root once."
    )


def install_packages(names: Sequence[str], progress: Progress) -> None:
    """Install Debian packages. Blocks. Raises SandboxError where that cannot be done."""
    what = " and ".join(names)
    if program("apt-get") is None:
        raise SandboxError(f"This machine has no apt to install {what} with: install it by hand.")
    apt = [*as_root(f"Installing {what}"), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    progress(f"installing {what}")
    # One source that does not answer fails an update, and is seldom the one that is needed.
    _run([*apt, "update"])
    done = _run([*apt, "install", "-y", *names])
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise SandboxError(f"apt could not install {what}: {' '.join(words)}")


def _start(root: list[str], progress: Progress) -> None:
    progress("starting the Docker Engine")
    if Path("/run/systemd/system").is_dir():
        _run([*root, "systemctl", "start", "docker"])
        log, daemon = "`journalctl -u docker`", None
    else:
        path = platformdirs.user_cache_path("ksolve", ensure_exists=True) / "dockerd.log"
        with path.open("wb") as output:
            daemon = subprocess.Popen(
                [*root, program("dockerd") or "dockerd"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # It outlives ksolve, and is no target of its Ctrl-C.
                start_new_session=True,
            )
        log = str(path)
    give_up = time.monotonic() + _START_SECONDS
    while not engine_status().version and not _is_shut_out():
        if time.monotonic() > give_up or (daemon is not None and daemon.poll() is not None):
            raise SandboxError(f"The Docker Engine was started and does not answer: see {log}.")
        time.sleep(0.5)


def _is_shut_out() -> bool:
    """Whether an engine is there that this user may not talk to."""
    return engine_status().fault == "not permitted"


def _let_in(root: list[str], progress: Progress) -> None:
    """Let this user talk to the engine: now by the socket's group, later by the user's."""
    user = getpass.getuser()
    progress(f"letting {user} use the Docker Engine")
    _run([*root, "usermod", "-aG", "docker", user])
    _run([*root, "chgrp", str(os.getgid()), DEFAULT_SOCKET.removeprefix("unix://")])


def program(name: str) -> str | None:
    """Return the path of a program, the administrator's included."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + _SYSTEM_PROGRAMS)


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
