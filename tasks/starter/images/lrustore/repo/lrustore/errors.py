"""Everything that lrustore raises on purpose."""


class CacheError(Exception):
    """Base of all errors of this package."""


class SnapshotError(CacheError):
    """A snapshot file cannot be read."""
