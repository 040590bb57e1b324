"""Errors raised by pathrouter."""

from __future__ import annotations

from collections.abc import Iterable


class RouterError(Exception):
    """Base class of everything that pathrouter raises."""


class PatternError(RouterError):
    """A pattern cannot be understood."""


class BuildError(RouterError):
    """An address cannot be built: unknown name, or a parameter is missing or unfit."""


class NotFound(RouterError):
    """No route matches the path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"no route matches {path!r}")
        self.path = path


class MethodNotAllowed(RouterError):
    """Routes match the path, but none of them takes the method."""

    def __init__(self, method: str, allowed: Iterable[str]) -> None:
        self.method = method
        self.allowed = sorted(allowed)
        super().__init__(f"{method} is not allowed here, only {', '.join(self.allowed)}")


class RedirectLoop(RouterError):
    """Following redirects does not come to an end."""
