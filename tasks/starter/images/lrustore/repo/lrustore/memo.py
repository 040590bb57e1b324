"""Keeps the results of a function in a cache."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from lrustore.cache import Cache

Result = TypeVar("Result")
_MISSING = object()


def make_key(arguments: tuple[Any, ...], named: dict[str, Any]) -> Hashable:
    """Return one key for the arguments of a call; the order of named ones is no matter."""
    return arguments, tuple(sorted(named.items()))


def memoize(cache: Cache) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Decorate a function so that each call with the same arguments is computed once."""

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        @functools.wraps(function)
        def wrapper(*arguments: Any, **named: Any) -> Result:
            key = make_key(arguments, named)
            result = cache.get(key, _MISSING)
            if result is _MISSING:
                result = function(*arguments, **named)
                cache.set(key, result)
            return result

        return wrapper

    return decorate
