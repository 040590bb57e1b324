"""The way to an engine on another machine, by the `ssh` program: a Unix socket that leads to it.

It goes as the docker command goes: `ssh HOST docker system dial-stdio`, once for each connection,
with the user's own ssh settings and keys. Nobody is asked for a password. The connections share
one login while they follow each other closely.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from sandbox.sandbox import HostDownError

# Seconds that a login is kept for the next connection.
_KEPT = 60
# Podman has the same command, for a machine without `docker`. Options come as arguments.
_DIAL = 'p=docker; command -v docker > /dev/null || p=podman; exec $p "$@" system dial-stdio'


class SshTunnel:
    """A socket at `path`, each connection to which ends at the engine of an `ssh://` address."""

    def __init__(self, url: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ksolve-ssh-")
        self.path = Path(self._folder.name, "engine.sock")
        self._url = url
        self._listening: socket.socket | None = None
        # Each serves one connection.
        self.processes: set[subprocess.Popen[bytes]] = set()
        self._serving: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Listen, once a login has worked. Blocks. Raises HostDownError with what ssh says."""
        if shutil.which("ssh") is None:
            self._folder.cleanup()
            raise HostDownError(
                f"The engine at {self._url} is reached by the `ssh` program, which is not here: "
                "install openssh-client."
            )
        tried = subprocess.run(
            self._command("true"), stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if tried.returncode != 0:
            words = tried.stderr.decode(errors="replace").strip().splitlines()[-1:]
            self._folder.cleanup()
            raise HostDownError(
                f"ssh does not reach {self._url} ({' '.join(words) or tried.returncode}): "
                f"`{shlex.join(['ssh', *self._target(), 'true'])}` has to work without a question."
            )
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.path))
        self._listening.listen(128)
        self._serving = threading.Thread(
            target=self._serve, args=(self._listening,), name="ssh tunnel", daemon=True
        )
        self._serving.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close every connection and the login."""
        if self._listening is not None and self._serving is not None:
            # Wakes who waits in `accept`, which closing alone does not.
            with contextlib.suppress(OSError):
                self._listening.shutdown(socket.SHUT_RDWR)
            self._serving.join()
            self._listening.close()
        for process in self.processes:
            process.kill()
            process.wait()
        subprocess.run(
            ["ssh", *self._shared(), "-O", "exit", *self._target()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        self._folder.cleanup()

    def _serve(self, listening: socket.socket) -> None:
        path = unquote(urlsplit(self._url).path)
        host = ["--host", f"unix://{path}"] if path.strip("/") else []
        command = self._command(shlex.join(["sh", "-c", _DIAL, "sh", *host]))
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            # ssh itself reads and writes the connection, so that closing one side is closing it.
            with connection:
                ends = connection.fileno()
                self.processes.add(
                    subprocess.Popen(command, stdin=ends, stdout=ends, stderr=subprocess.DEVNULL)
                )
            self.processes = {one for one in self.processes if one.poll() is None}

    def _command(self, remote: str) -> list[str]:
        return ["ssh", "-o", "BatchMode=yes", *self._shared(), *self._target(), remote]

    def _shared(self) -> list[str]:
        own = {
            "ControlMaster": "auto",
            "ControlPath": f"{self._folder.name}/%C",
            "ControlPersist": str(_KEPT),
        }
        return [word for name, value in own.items() for word in ("-o", f"{name}={value}")]

    def _target(self) -> list[str]:
        parts = urlsplit(self._url)
        user = ["-l", unquote(parts.username)] if parts.username else []
        port = ["-p", str(parts.port)] if parts.port else []
        return [*user, *port, "--", parts.hostname or ""]
