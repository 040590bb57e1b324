"""What sandboxes may use, as people write it: in rows, task.yaml, sweep.toml and options.

Whether the machine has as much is not looked at here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated

import pydantic

from tasks.task import Resources

SIZE = "a size such as 512m or 4g, of at least 16m"
EXPECTED = (
    "an object, or one as JSON text, of memory and disk (sizes such as 4g), cpus, processes, "
    "network (true or false) and capabilities (a list of those that Docker gives by default)"
)

DOCKER_GIVES = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
        *("NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)
"""The capabilities that Docker gives to every container. A task may come from anybody, so that it
may not ask for more; a run may."""

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", re.IGNORECASE)
_UNITS = ("", "k", "m", "g", "t")
_SMALLEST = 16 * 1024 * 1024


def size(value: object) -> int:
    """Return a number of bytes: `4g`, `4GB` and `4GiB` are all four times 1024^3.

    Raises ValueError.
    """
    found = _SIZE.fullmatch(str(value))
    if isinstance(value, bool) or not isinstance(value, int | float | str) or found is None:
        raise ValueError("no size")
    number = round(float(found[1]) * float(1024 ** _UNITS.index(found[2].lower())))
    if number < _SMALLEST:
        raise ValueError("too small")
    return number


def capability_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of capabilities in one form. Raises ValueError for what is no name."""
    found = {name.upper().removeprefix("CAP_") for name in names}
    if not all(re.fullmatch("[A-Z][A-Z_]+", name) for name in found):
        raise ValueError("no capability")
    return tuple(sorted(found))


_Size = Annotated[int, pydantic.BeforeValidator(size)]


class _Written(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    memory: _Size | None = None
    cpus: Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)] | None = None
    processes: Annotated[int, pydantic.Field(ge=1)] | None = None
    disk: _Size | None = None
    network: pydantic.StrictBool | None = None
    capabilities: Annotated[tuple[str, ...], pydantic.AfterValidator(capability_names)] = ()


def resources_of_task(value: object) -> Resources:
    """Read the `resources` of a row or of task.yaml; nothing is none. Raises ValueError."""
    if isinstance(value, Resources):
        return value
    said = json.loads(value) if isinstance(value, str) and value else value or {}
    written = _Written.model_validate(said)
    if not DOCKER_GIVES.issuperset(written.capabilities):
        raise ValueError("a capability that only a run may give")
    return Resources(
        memory_bytes=written.memory,
        cpus=written.cpus,
        pids=written.processes,
        disk_bytes=written.disk,
        network=written.network,
        capabilities=written.capabilities,
    )
