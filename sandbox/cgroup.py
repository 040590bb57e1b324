"""How often a container met its limits, as the kernel counts it: control groups of both versions.

The counters only grow. They are read on this machine where the container is on it, which nothing
inside can prevent; else by a command in the container (`COUNTERS`), whose word has to be taken.
Source: the kernel's documentation, "Control Group v2" and "Process Number Controller".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

Counters = Mapping[str, int]
"""By the name of the limit, "memory" or "processes": how often it was met."""

_ROOT = Path("/sys/fs/cgroup")
# The file, and the word before its number. In version 2 a `max` of memory says nothing yet.
_COUNTED = {
    "pids.events": ("processes", "max"),
    "memory.events": ("memory", "oom_kill"),
    "memory.oom_control": ("memory", "oom_kill"),
}

COUNTERS = (
    "cd /sys/fs/cgroup || exit 0; "
    "for f in pids.events memory.events pids/pids.events memory/memory.oom_control; do "
    '[ ! -r "$f" ] || while read -r k v; do echo "${f##*/} $k $v"; done < "$f"; done'
)
"""A shell program that says in a container what `told` reads."""


def told(lines: Iterable[str]) -> Counters:
    """Return the counters of lines of a file's name, a word and a number."""
    found: dict[str, int] = {}
    for line in lines:
        name, word, number = (*line.split(), "", "", "")[:3]
        limit, counted = _COUNTED.get(name, ("", ""))
        if limit and word == counted and number.isdecimal():
            found[limit] = max(int(number), found.get(limit, 0))
    return found


def counters_here(pid: int, container_id: str) -> Counters | None:
    """Return the counters of a container of this machine by its first process. Blocks.

    None where that process, or its control group, cannot be seen from here.
    """
    lines: list[str] = []
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text()
        for folder in _folders(groups, container_id):
            for name in _COUNTED:
                file = folder / name
                if file.is_file():
                    lines += [f"{name} {line}" for line in file.read_text().splitlines()]
    except OSError:
        return None
    return told(lines) if lines else None


def _folders(groups: str, container_id: str) -> Iterator[Path]:
    """Return the folders of a container's control groups, as /proc/PID/cgroup names them.

    A process of that number which is none of the container's has none: its groups do not bear
    the container's id.
    """
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        place = PurePosixPath(path)
        for group in (place, *place.parents):
            if container_id in str(group):
                for controller in controllers.split(",") if controllers else [""]:
                    yield _ROOT / controller / str(group).lstrip("/")
