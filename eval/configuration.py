"""How two configurations of a run differ. What a field means is not known here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def without(config: Mapping[str, Any], free: Sequence[str]) -> dict[str, Any]:
    """Return all fields but the free ones, which may change while a run goes on."""
    return {name: value for name, value in config.items() if name not in free}


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], above: str = ""
) -> Iterator[str]:
    """Say what differs, in tables field by field."""
    for name in sorted({*before, *now}):
        was, is_now = before.get(name), now.get(name)
        if isinstance(was, dict) and isinstance(is_now, dict):
            yield from differences(was, is_now, f"{above}{name}: ")
        elif was != is_now:
            yield f"{above}{name} was {was!r} and is now {is_now!r}"
