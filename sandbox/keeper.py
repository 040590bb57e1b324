"""Process 1 of a container, which keeps it and only sleeps, as this machine's kernel sees it.

No signal from inside reaches it. But a command of root can put a program of its own into it
(ptrace), which then nothing inside ends. To do that it has to wake it, and the kernel counts how
often a process lay down to sleep.
"""

from __future__ import annotations

import time
from pathlib import Path

# Seconds that it may take to lie down, after the engine has said that it runs.
_PATIENCE = 2.0


def sleeps_begun(pid: int, container_id: str) -> int | None:
    """Return how often process 1 of a container lay down, once it sleeps. Blocks.

    None where it cannot be seen from here, as on an engine of another machine.
    """
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        try:
            if container_id not in Path(f"/proc/{pid}/cgroup").read_text():
                return None
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return None
        found = dict(line.split(":", 1) for line in status.splitlines())
        count = found.get("voluntary_ctxt_switches", "").strip()
        if found["Name"].strip() == "sleep" and found["State"].strip().startswith("S"):
            return int(count) if count else None
        time.sleep(0.005)
    return None


def was_woken(pid: int, container_id: str, begun: int | None) -> bool:
    """Whether process 1 did anything since `begun` was counted. Blocks.

    One that has become something else, or is at work, was woken, too; one that is gone was not.
    """
    if begun is None:
        return False
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        if container_id not in Path(f"/proc/{pid}/cgroup").read_text():
            return False
    except OSError:
        return False
    return f"voluntary_ctxt_switches:\t{begun}\n" not in status
