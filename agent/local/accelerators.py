"""The GPUs of this machine, lent to model servers for as long as each of them runs.

A server gets all the GPUs it needs at once, or waits for them; the first that asked is the first
that is served, so none waits for ever. Without a GPU the processor is lent, to one server at a
time. What other processes do with the GPUs is not known here.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import takewhile

_LISTED = re.compile(r"^GPU (\d+):", re.MULTILINE)
_PROCESSOR = "processor"


class Accelerators:
    """What model servers compute on. Belongs to one event loop."""

    def __init__(self, gpus: Sequence[str] = ()) -> None:
        """`gpus` as CUDA_VISIBLE_DEVICES names them; with none, the processor is lent instead."""
        self.gpus = tuple(gpus)
        self._all = self.gpus or (_PROCESSOR,)
        self._free = list(self._all)
        self._waiting: deque[tuple[int, asyncio.Future[list[str]]]] = deque()

    @asynccontextmanager
    async def lend(self, count: int) -> AsyncIterator[tuple[str, ...]]:
        """Wait for `count` GPUs and yield their names, which are none on a processor.

        `count` is at most what there is in all.
        """
        assert 0 < count <= len(self._all), f"{count} of {self._all}"
        turn: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._waiting.append((count, turn))
        self._hand_out()
        try:
            held = await turn
            yield tuple(name for name in held if name != _PROCESSOR)
        finally:
            # The wait for a turn can be cancelled in the moment in which it comes.
            if turn.done() and not turn.cancelled():
                self._free += turn.result()
            self._hand_out()

    def _hand_out(self) -> None:
        """Give to those in front what they need, until the next one has to wait."""
        while self._waiting:
            count, turn = self._waiting[0]
            if not turn.cancelled():
                if count > len(self._free):
                    return
                # Neighbours first, which more often have a fast link between them.
                self._free.sort(key=self._all.index)
                turn.set_result(self._free[:count])
                del self._free[:count]
            self._waiting.popleft()


def visible_gpus() -> tuple[str, ...]:
    """The NVIDIA GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them.

    Without that variable they have the numbers of nvidia-smi, which are CUDA's own under
    CUDA_DEVICE_ORDER=PCI_BUS_ID.
    """
    try:
        answer = subprocess.run(
            ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    here = tuple(_LISTED.findall(answer.stdout)) if answer.returncode == 0 else ()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None or not here:
        return here
    # CUDA, too, takes the names up to the first that is none.
    return tuple(
        takewhile(
            lambda name: name in here or name.startswith(("GPU-", "MIG-")),
            (name.strip() for name in named.split(",")),
        )
    )
