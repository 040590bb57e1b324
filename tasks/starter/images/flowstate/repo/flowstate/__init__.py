"""Small state machines."""

from flowstate.errors import (
    FlowError,
    GuardRefused,
    InvalidEvent,
    NothingToUndo,
    SnapshotError,
)
from flowstate.flow import Flow, Transition
from flowstate.history import Entry, History
from flowstate.machine import Machine
from flowstate.snapshot import dump, load

__all__ = [
    "Entry",
    "Flow",
    "FlowError",
    "GuardRefused",
    "History",
    "InvalidEvent",
    "Machine",
    "NothingToUndo",
    "SnapshotError",
    "Transition",
    "dump",
    "load",
]
