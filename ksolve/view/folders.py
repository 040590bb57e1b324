"""Which runs there are, and the names that they have in addresses.

A name leads to a folder that was found, never to a path that somebody wrote into an address.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from ksolve.view.rundb import UnreadableError
from ksolve.view.watch import Watch

DEPTH = 3
"""Folders below a given one that are looked into."""

FOLDERS = 5_000
"""Folders that are looked into, at most: what is given may be a home or a disk."""

_UNNAMED = re.compile(r"[^A-Za-z0-9_]+")


class Runs:
    """The runs in some folders; what is new in them is found again and again."""

    def __init__(self, places: Sequence[Path]) -> None:
        self.places = list(places)
        self._lock = threading.Lock()
        self._names: dict[Path, str] = {}
        self._watches: dict[str, Watch] = {}

    def found(self) -> dict[str, Watch]:
        """Return the runs that are there now by their names."""
        folders = list(itertools.chain.from_iterable(map(run_folders, self.places)))
        with self._lock:
            return {name: self._watches[name] for name in map(self._named, folders)}

    def watch(self, name: str) -> Watch:
        """Return the run of that name. Raises UnreadableError."""
        watch = self._watches.get(name) or self.found().get(name)
        if watch is None:
            raise UnreadableError(
                "There is no run of this name; the list has those that there are."
            )
        return watch

    def count(self) -> None:
        """Look at every run once, so that the next look costs little."""
        for watch in self.found().values():
            with contextlib.suppress(UnreadableError):
                watch.now()

    def close(self) -> None:
        """Let go of all files."""
        for watch in self._watches.values():
            watch.close()

    def _named(self, folder: Path) -> str:
        """Return the name of a folder, which stays the same from now on."""
        place = folder.absolute()
        if place not in self._names:
            plain = _UNNAMED.sub("-", folder.name).strip("-")[:60] or "run"
            numbered = (f"{plain}-{number}" for number in itertools.count(2))
            name = next(
                name for name in itertools.chain([plain], numbered) if name not in self._watches
            )
            self._names[place] = name
            self._watches[name] = Watch(folder)
        return self._names[place]


def run_folders(place: Path) -> Iterator[Path]:
    """Yield the folders that hold a run, in the order of their names; links are not followed."""
    for looked_into, (path, below, files) in enumerate(os.walk(place), start=1):
        folder = Path(path)
        is_run = "run.db" in files
        if is_run:
            yield folder
        is_deep = len(folder.relative_to(place).parts) >= DEPTH
        if looked_into >= FOLDERS:
            return
        is_leaf = is_run or is_deep
        below[:] = [] if is_leaf else sorted(name for name in below if not name.startswith("."))
