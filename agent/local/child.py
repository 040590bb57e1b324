"""Programs that are run to their end and watched on the way: pip, downloads, conversions.

They end with their caller: whatever interrupts the wait kills them. Long-running servers are
`agent.local.vllm`'s business.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_TICK = 1.0
# Seconds.


def run_together(
    commands: Sequence[Sequence[str]],
    *,
    scratch: Path,
    tick: Callable[[str], None],
) -> tuple[bool, str]:
    """Run commands at once; return whether all succeeded, and the output of the failed, or all.

    `tick` is handed every second what all have written so far. Temporary files of the commands
    go into a folder within `scratch` and away at the end. Raises OSError when one failed because
    the disk is full.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as folder, contextlib.ExitStack() as stack:
        logs = [Path(folder, f"{number}.log") for number in range(len(commands))]
        children = [
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stack.enter_context(log.open("w")),
                stderr=subprocess.STDOUT,
                # Byte code is kept, because environments are installed without it.
                env={**os.environ, "TMPDIR": folder, "PYTHONDONTWRITEBYTECODE": ""},
            )
            for command, log in zip(commands, logs, strict=True)
        ]
        try:
            while any(child.poll() is None for child in children):
                tick("".join(_text(log) for log in logs))
                _wait(children)
        finally:
            for child in children:
                child.kill()
                child.wait()
        failed = [log for log, child in zip(logs, children, strict=True) if child.returncode]
        output = "".join(_text(log) for log in failed or logs)
        if failed and os.strerror(errno.ENOSPC) in output:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return not failed, output


def last_line(output: str) -> str:
    """Return the last line that says something."""
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")


def _text(log: Path) -> str:
    return log.read_text(errors="replace")


def _wait(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Wait until all have ended, a tick at most."""
    deadline = time.monotonic() + _TICK
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(max(0.0, deadline - time.monotonic()))
