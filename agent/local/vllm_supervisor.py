"""A program that runs a server and never lets it outlive its owner, however that ends.

Run by path as `python vllm_supervisor.py OWNER_PID COMMAND...`, as leader of its process group.
It ends the command, and all that the command started, when it is told to (SIGTERM), when the
command ends by itself, or when its owner is gone, even by SIGKILL. Exits with the command's code.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOOK = 0.2
# Seconds between looks at the owner and at the command.
_GRACE = 5.0
# Seconds that processes have to end by themselves.


def main(owner: int, command: list[str]) -> int:
    """Run `command` for `owner`."""
    libc = ctypes.CDLL(None)
    # Whatever the command's processes leave behind becomes our child, so we can end it too.
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            # Should someone kill us instead of our owner.
            preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509 - one thread
        )
        while (code := server.poll()) is None and os.getppid() == owner:
            time.sleep(_LOOK)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
        _end_children()
    if code is None:
        return 0
    return 128 - code if code < 0 else code


def _end_children() -> None:
    deadline = time.monotonic() + _GRACE
    while _reap():
        if time.monotonic() > deadline:
            for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)
        time.sleep(0.05)


def _reap() -> bool:
    """Bury the dead; tell whether any live on."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    return False


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
