"""URL routing without a web framework."""

from pathrouter.errors import (
    BuildError,
    MethodNotAllowed,
    NotFound,
    PatternError,
    RedirectLoop,
    RouterError,
)
from pathrouter.pattern import Pattern
from pathrouter.query import build_query, merge_query, parse_query
from pathrouter.redirects import RedirectMap
from pathrouter.router import Match, Route, Router

__all__ = [
    "BuildError",
    "Match",
    "MethodNotAllowed",
    "NotFound",
    "Pattern",
    "PatternError",
    "RedirectLoop",
    "RedirectMap",
    "Route",
    "Router",
    "RouterError",
    "build_query",
    "merge_query",
    "parse_query",
]
