"""ksolve: sample patches for repository issues, verify them, and count what they are worth."""

__version__ = "0.1.0"
