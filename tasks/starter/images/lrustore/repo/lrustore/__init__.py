"""An in-memory cache with limits, expiry, statistics and snapshots."""

from lrustore.cache import Cache
from lrustore.errors import CacheError, SnapshotError
from lrustore.memo import memoize
from lrustore.policy import FifoPolicy, LfuPolicy, LruPolicy
from lrustore.snapshot import load, save
from lrustore.stats import Stats

__all__ = [
    "Cache",
    "CacheError",
    "FifoPolicy",
    "LfuPolicy",
    "LruPolicy",
    "SnapshotError",
    "Stats",
    "load",
    "memoize",
    "save",
]
