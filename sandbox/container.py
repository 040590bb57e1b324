"""How one container is made and started: what it may use, and what keeps it alive.

Its process 1 ends by itself after a while and takes the container with it. No signal from inside
can end it sooner.
"""

from __future__ import annotations

import math
import re
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from docker.errors import APIError
from docker.models.containers import Container
from docker.types import LogConfig, Ulimit

from sandbox.connection import Engine
from sandbox.keeper import sleeps_begun
from sandbox.orphans import remove_container
from sandbox.sandbox import Limits

Rlimits = Literal["usual", "not raised", "none"]
"""How processes are limited by themselves (setrlimit), beside the limits on all of a container: on
the size of a file and of a core; likewise, and others are told, since Podman else raises them,
which not every machine lets it do; not at all."""

# Process 1 ignores the end of its children, so the kernel itself clears away orphans: nothing has
# to run for that, and nothing can be killed. dash does not pass this on, bash does.
_KEEP = 'exec "$(command -v bash || command -v sh)" -c \'trap "" CHLD; exec sleep "$0"\' "$0"'
# Nobody's, so that a command cannot trace it either. For root, see `_ROOT_CAPABILITIES`.
_KEEPER = "65533:65533"

# What root in an image needs to handle files of any owner (pip, git, tar). Under
# no-new-privileges a command only has them if process 1 has: that is then root, too.
_ROOT_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")
# With more of them a command may become another user, whose processes have to be ended, too.
_TO_END_ALL = "KILL"

# Where a container's own name leads while it has no network, as in Debian. Docker itself gives it
# an address of the network else. It is not 127.0.0.1, whose name stays localhost.
_OWN_ADDRESS = "127.0.1.1"
_OWN_NAME = 12

# What Podman raises unless it is told, and what it has itself at most (it lowers the second).
_NOT_RAISED = {"nofile": 1 << 20, "nproc": 1 << 15}
# What an engine says where it may not limit what a process may do by itself (setrlimit).
_NO_RLIMITS = re.compile("(?i)rlimit")


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """A container that runs; the user and the working directory are its image's."""

    user: str
    workdir: PurePosixPath
    pid: int
    """Of process 1, on the engine's machine."""
    container_id: str
    sleeps: int | None
    """How often process 1 lay down to sleep; None where that is not seen from here."""


class Containers:
    """Starts containers on an engine, all of which bear `labels`."""

    def __init__(self, engine: Engine, labels: Mapping[str, str]) -> None:
        self.engine = engine
        self._labels = labels
        # What is still to be tried, the best first: the first works once a container was started.
        self._rlimits: tuple[Rlimits, ...] = ("usual", "not raised", "none")

    @property
    def rlimits(self) -> Rlimits:
        """How processes are limited by themselves, once a container was started."""
        return self._rlimits[0]

    def start(self, name: str, image: str, limits: Limits) -> Started:
        """Start one. Blocks. Raises what the docker package does."""
        config = self.engine.client.images.get(image).attrs["Config"]
        user = config.get("User") or "0"
        container = self._started(user, name, image, limits)
        container.reload()
        pid, container_id = int(container.attrs["State"]["Pid"]), str(container.id)
        return Started(
            user=user,
            workdir=PurePosixPath(config.get("WorkingDir") or "/"),
            pid=pid,
            container_id=container_id,
            sleeps=sleeps_begun(pid, container_id),
        )

    def _started(self, user: str, name: str, image: str, limits: Limits) -> Container:
        """Start a container with the best limits on processes that the engine can set."""
        kind = self._rlimits[0]
        try:
            return self._start_with(kind, user, name, image, limits)
        except APIError as error:
            if kind == "none" or not _NO_RLIMITS.search(str(error)):
                raise
        remove_container(self.engine.client, name)
        # Another thread may have found it out meanwhile.
        if self._rlimits[0] == kind:
            self._rlimits = self._rlimits[1:]
        return self._started(user, name, image, limits)

    def _start_with(
        self, rlimits: Rlimits, user: str, name: str, image: str, limits: Limits
    ) -> Container:
        is_root = user.partition(":")[0] in ("0", "root")
        own_name = name[-_OWN_NAME:]
        more = (_TO_END_ALL, *limits.capabilities) if limits.capabilities else ()
        container = self.engine.client.containers.create(
            image,
            name=name,
            labels=dict(self._labels),
            # Ends by itself and is then removed, even if ksolve was killed.
            entrypoint=["sh", "-c", _KEEP, str(math.ceil(limits.lifetime))],
            auto_remove=True,
            user="0" if is_root else _KEEPER,
            working_dir="/",
            hostname=own_name,
            extra_hosts={} if limits.network else {own_name: _OWN_ADDRESS},
            network_mode="bridge" if limits.network else "none",
            mem_limit=limits.memory_bytes,
            memswap_limit=limits.memory_bytes,
            nano_cpus=round(min(limits.cpus, self.engine.cpus) * 1e9),
            pids_limit=limits.pids,
            cap_drop=["ALL"],
            cap_add=sorted({*_ROOT_CAPABILITIES, *more}) if is_root else [],
            security_opt=["no-new-privileges"],
            ulimits=_ulimits(rlimits, limits),
            # Else what is written to the keeper's output would fill the host's disk.
            log_config=LogConfig(type="none"),
            healthcheck={"test": ["NONE"]},
        )
        container.start()
        return container


def _ulimits(kind: Rlimits, limits: Limits) -> list[Ulimit] | None:
    if kind == "none":
        # With a list, even an empty one, Podman sets limits of its own.
        return None
    said = {"fsize": limits.disk_bytes, "core": 0}
    if kind == "not raised":
        for name, most in _NOT_RAISED.items():
            _, own = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))
            said[name] = most if own == resource.RLIM_INFINITY else min(own, most)
    return [Ulimit(name=name, soft=value, hard=value) for name, value in said.items()]
