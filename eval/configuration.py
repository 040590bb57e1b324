"""What the configuration of a run says of its solvers, and how two configurations differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from eval.cost import count

Arm = tuple[str, str]
"""A solver: its model, and what its samples are kept under as their strategy."""

NAMED = 3
"""Of many that differ; the rest is counted."""

_LISTS = {"task_ids": "issue", "arms": "solver"}
# Whose members are told, and what one of them is called.
_DIGESTS = {"tasks_digest": "issues", "predictions_digest": "predictions"}
# What they are of. Themselves they say nothing to a person, and of other issues they are others.


def without(config: Mapping[str, Any], free: Sequence[str]) -> dict[str, Any]:
    """Return all fields but the free ones, which may change while a run goes on."""
    return {name: value for name, value in config.items() if name not in free}


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], above: str = ""
) -> Iterator[str]:
    """Say what differs, in tables field by field."""
    for name in sorted({*before, *now}):
        was, is_now = before.get(name), now.get(name)
        if was == is_now:
            continue
        if isinstance(was, dict) and isinstance(is_now, dict):
            yield from differences(was, is_now, f"{above}{name}: ")
        elif name in _LISTS and isinstance(was, list) and isinstance(is_now, list):
            yield _of_lists(_LISTS[name], [*map(_named, was)], [*map(_named, is_now)])
        elif name not in _DIGESTS:
            yield f"{above}{name} was {was!r} and is now {is_now!r}"
        elif before.get("task_ids") == now.get("task_ids"):
            yield f"the {_DIGESTS[name]} are not what they were"


def _of_lists(word: str, was: Sequence[str], is_now: Sequence[str]) -> str:
    """Say which members are gone and which are new, or that all are there in another order."""
    parts = [
        f"{len(names):,} {'is' if len(names) == 1 else 'are'} {fate} ({_listed(names)})"
        for names, fate in (
            (_without(was, is_now), "left out"),
            (_without(is_now, was), "new"),
        )
        if names
    ]
    told = " and ".join(parts) or "all are there in another order"
    return f"of its {count(len(was), word)} {told}"


def _without(names: Sequence[str], others: Iterable[str]) -> list[str]:
    known = set(others)
    return [name for name in names if name not in known]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _named(member: str | Sequence[str]) -> str:
    """Return what a member is called; a solver is kept as its model and its name."""
    return member if isinstance(member, str) else " by ".join(reversed(member))


def strategies(config: Mapping[str, Any]) -> dict[Arm, str]:
    """Return the strategy of every solver: `loop`, also of one that is called otherwise."""
    settings = config.get("settings", {})
    return {
        (model, name): settings.get(f"{name} by {model}", {}).get("strategy", name)
        for model, name in config.get("arms", ())
    }


def prediction_names(config: Mapping[str, Any]) -> dict[Arm, str]:
    """Return what tells the solvers apart where there is only one field: the model, if it can.

    Of several solvers of a model each is MODEL__NAME, which SWE-bench takes for a file's name.
    """
    arms: list[Arm] = [(model, name) for model, name in config.get("arms", ())]
    solvers = Counter(model for model, _ in arms)
    return {
        (model, name): f"{model}__{name}" if solvers[model] > 1 else model for model, name in arms
    }
