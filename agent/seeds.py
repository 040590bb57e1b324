"""Seeds: every request of a run has one of its own, and the same one when the run is drawn again.

A seed is a whole number from 0 to 2^31 - 1, which every endpoint that takes seeds accepts. Two
samples of one issue and solver never share a seed. Any other two share one with a chance of 2^-31.
"""

from __future__ import annotations

import hashlib
import json

SEEDS = 2**31
"""How many there are."""


def sample_seed(seed: int, *of: str, index: int) -> int:
    """Seed of sample `index` (from 0) of what `of` names, such as an issue and a solver."""
    return (_hashed(seed, *of) + index) % SEEDS


def request_seed(seed: int, number: int) -> int:
    """Seed of request `number` (from 0) of an agent's sample, whose own seed is `seed`."""
    return _hashed(seed, number)


def _hashed(*parts: int | str) -> int:
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") % SEEDS
