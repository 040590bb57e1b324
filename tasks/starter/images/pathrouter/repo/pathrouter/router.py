"""The router: from a path to a route, and from a route's name to a path."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pathrouter.errors import BuildError, MethodNotAllowed, NotFound, RouterError
from pathrouter.pattern import Pattern
from pathrouter.query import build_query


@dataclass(frozen=True)
class Route:
    """A pattern, the name of what serves it, and the methods it takes."""

    pattern: Pattern
    name: str
    methods: frozenset[str]


@dataclass(frozen=True)
class Match:
    """What a path led to."""

    name: str
    params: dict[str, object]


class Router:
    """A collection of routes."""

    def __init__(self) -> None:
        self._routes: list[Route] = []

    def add(self, pattern: str, name: str, methods: Iterable[str] = ("GET",)) -> Route:
        """Register a pattern under a name. Each name can be used once."""
        if any(route.name == name for route in self._routes):
            raise RouterError(f"there is a route named {name!r} already")
        route = Route(Pattern(pattern), name, frozenset(m.upper() for m in methods))
        self._routes.append(route)
        self._routes.sort(key=lambda route: route.pattern.specificity, reverse=True)
        return route

    def match(self, path: str, method: str = "GET") -> Match:
        """The most specific route of a path. Raises NotFound or MethodNotAllowed."""
        allowed: set[str] = set()
        for route in self._routes:
            params = route.pattern.match(path)
            if params is None:
                continue
            if method.upper() in route.methods:
                return Match(route.name, params)
            allowed |= route.methods
        if allowed:
            raise MethodNotAllowed(method, allowed)
        raise NotFound(path)

    def url_for(
        self, name: str, /, query: dict[str, object] | None = None, **params: object
    ) -> str:
        """The address of a named route. Raises BuildError."""
        for route in self._routes:
            if route.name == name:
                path = route.pattern.build(**params)
                return path + "?" + build_query(query) if query else path
        raise BuildError(f"there is no route named {name!r}")
