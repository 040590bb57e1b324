"""Actions by name. A module of actions is in here once it has been imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepline.errors import UnknownAction

Action = Callable[..., Any]
_actions: dict[str, Action] = {}


def action(name: str) -> Callable[[Action], Action]:
    """Enter the decorated function under a name. Raises ValueError when it is taken."""

    def enter(function: Action) -> Action:
        if name in _actions:
            raise ValueError(f"there is an action {name!r} already")
        _actions[name] = function
        return function

    return enter


def action_named(name: str) -> Action:
    """The function that was entered under a name. Raises UnknownAction."""
    if name not in _actions:
        raise UnknownAction(name)
    return _actions[name]
