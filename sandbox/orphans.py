"""Whose container is whose: the labels every container carries, and removal by them.

A container ends by itself when its lifetime is over; this only makes it sooner.
"""

from __future__ import annotations

import asyncio
import hashlib
import platform
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
from docker import DockerClient
from docker.errors import APIError, NotFound

from sandbox.connection import connect, engine_errors

MARK = "ksolve"
OWNER = "ksolve.owner"
RUN = "ksolve.run"

_CONFLICT = 409


def labels(run_id: str) -> dict[str, str]:
    """Return the labels of a container that this process makes for a run."""
    me = psutil.Process()
    return {MARK: "1", OWNER: f"{_host_id()}:{me.pid}:{_started(me)}", RUN: run_id}


async def sweep_orphans() -> list[str]:
    """Remove the containers whose owner, a process of this host, is gone; return their names.

    Raises SandboxError.
    """
    return await asyncio.to_thread(_remove_where, f"{MARK}=1", _orphaned)


async def remove_run(run_id: str) -> list[str]:
    """Remove every container of a run, whoever owns it; return their names. Raises SandboxError."""
    return await asyncio.to_thread(_remove_where, f"{RUN}={run_id}", lambda _: True)


def remove_container(client: DockerClient, name: str) -> None:
    """Remove a container with its processes at once. Blocks. One that is gone already is fine."""
    try:
        client.api.remove_container(name, v=True, force=True)
    except NotFound:
        return
    except APIError as error:
        # "removal is already in progress": the engine removes it by itself.
        if error.status_code != _CONFLICT:
            raise


def _remove_where(label: str, chosen: Callable[[Mapping[str, str]], bool]) -> list[str]:
    engine = connect()
    client = engine.client
    try:
        with engine_errors():
            # Not `client.containers.list`, which then asks for each: one that hangs hangs it.
            found = client.api.containers(all=True, filters={"label": label})
            doomed = [one["Names"][0].removeprefix("/") for one in found if chosen(one["Labels"])]
            for name in doomed:
                remove_container(client, name)
            return doomed
    finally:
        engine.close()


def _orphaned(container_labels: Mapping[str, str]) -> bool:
    host, pid, started = (container_labels.get(OWNER, "") + "::").split(":")[:3]
    if host != _host_id() or not pid.isdecimal() or not started.isdecimal():
        return False  # of another machine that shares this engine
    try:
        # One second of doubt: the kernel's word on when it booted is rounded.
        return abs(_started(psutil.Process(int(pid))) - int(started)) > 1
    except psutil.NoSuchProcess:
        return True


def _started(process: psutil.Process) -> int:
    """Return when a process started, in seconds since boot: the clock may change meanwhile."""
    booted = psutil.boot_time()
    return round(process.create_time() - booted)


def _host_id() -> str:
    """Return what tells apart the places where the same process id means another process."""
    machine = Path("/etc/machine-id")
    processes = Path("/proc/self/ns/pid")
    parts = (
        platform.node(),
        machine.read_text().strip() if machine.is_file() else "",
        str(processes.readlink()) if processes.is_symlink() else "",
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
