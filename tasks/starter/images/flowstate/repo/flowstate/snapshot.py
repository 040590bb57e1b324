"""Machines as plain data, ready for JSON. The flow itself is code and is not saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowstate.errors import SnapshotError
from flowstate.flow import Flow
from flowstate.history import Entry
from flowstate.machine import Machine

VERSION = 1


def dump(machine: Machine) -> dict[str, Any]:
    """The state, the data and the history of a machine."""
    return {
        "version": VERSION,
        "state": machine.state,
        "data": dict(machine.data),
        "limit": machine.history.limit,
        "history": [[e.event, e.source, e.target] for e in machine.history],
    }


def load(flow: Flow, saved: Mapping[str, Any]) -> Machine:
    """A machine as it was when it was dumped. Raises SnapshotError."""
    if saved.get("version") != VERSION:
        raise SnapshotError(f"version {saved.get('version')!r} is not {VERSION}")
    if saved["state"] not in flow.states:
        raise SnapshotError(f"the flow has no state {saved['state']!r}")
    machine = Machine(flow, data=saved["data"], history_limit=saved.get("limit"))
    machine.state = saved["state"]
    for event, source, target in saved.get("history", []):
        machine.history.record(Entry(event, source, target))
    return machine
