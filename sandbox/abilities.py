"""What an engine that answers cannot do of what ksolve asks, as a sentence for each.

It is tried in a sandbox of the base image: what an engine says of itself is not always so. Nothing
here is needed to run anything; verdicts are right without, in the ways that the sentences name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from sandbox.docker import DockerHost, DockerSandbox
from sandbox.layers import layers_of
from sandbox.sandbox import MIB, Limits

# Unusual ones, so that they are not met by chance.
_LIMITS = Limits(memory_bytes=133 * MIB, pids=113, cpus=0.5)
_ASKING = 30.0
# Name and number, from control groups of either version; the share of a processor in percent.
_READ = """
cd /sys/fs/cgroup || exit
for f in memory.max memory/memory.limit_in_bytes; do
    [ ! -r $f ] || echo "memory $(cat $f)"
done
for f in pids.max pids/pids.max; do [ ! -r $f ] || echo "processes $(cat $f)"; done
if [ -r cpu.max ]; then
    read -r quota period < cpu.max
    echo "processors $quota $period"
elif [ -r cpu/cpu.cfs_quota_us ]; then
    echo "processors $(cat cpu/cpu.cfs_quota_us) $(cat cpu/cpu.cfs_period_us)"
fi
"""


async def shortcomings(image: str) -> list[str]:
    """Return what the engine cannot do, tried with an image that is here. Raises SandboxError."""
    async with DockerHost(run_id="doctor") as host, host.open(image, _LIMITS) as sandbox:
        told = await sandbox.exec(["sh", "-c", _READ], timeout=_ASKING)
        found = list(_unlimited(told.stdout.decode(errors="replace").splitlines()))
        if host.rlimits == "not raised":
            found.append(
                "It may not raise the limits of single processes (rlimits), so these have its own."
            )
        elif host.rlimits == "none":
            found.append(
                "It can set no limits of single processes (rlimits), so what a command writes is "
                "only looked at once a second."
            )
        assert isinstance(sandbox, DockerSandbox)
        container = await host.call(host.client.api.inspect_container, sandbox.name)
        if not await asyncio.to_thread(layers_of, container):
            found.append(
                "ksolve may not read its storage, so it is asked for what a candidate changed: "
                "that takes longer, and tells of no file that was given back its size and time. "
                "As root on the engine's machine, with overlay storage, ksolve reads it."
            )
    return found


def _unlimited(lines: list[str]) -> Iterator[str]:
    """Say which limits are not in force; nothing where none can be read."""
    wanted = {"memory": _LIMITS.memory_bytes, "processes": _LIMITS.pids, "processors": 50}
    missing = []
    for name, most in wanted.items():
        found = [words[1:] for line in lines if (words := line.split()) and words[0] == name]
        # Where one can be read and another is not there, that one is not in force either.
        if lines and not any(_number(numbers) <= most for numbers in found):
            missing.append(name)
    if missing:
        listed = " and ".join(part for part in (", ".join(missing[:-1]), missing[-1]) if part)
        yield (
            f"It does not limit {listed}, as without root and control groups of version 2: use an "
            "engine that runs as root, or delegate these to its user in systemd."
        )


def _number(words: list[str]) -> float:
    """Return a limit, in percent where it is a share; infinity for none."""
    if not words or not words[0].isdecimal():
        return float("inf")
    return float(words[0]) if len(words) == 1 else 100 * float(words[0]) / float(words[1])
