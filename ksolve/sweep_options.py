"""How the options of a sweep and its TOML file are put together, and what of them is refused.

Whether there are tasks, models and variants of such names is not looked up here.
"""

from __future__ import annotations

import difflib
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ksolve.errors import InputError
from ksolve.sweep_config import SETTINGS, USED_BY, SolverConfig, SweepConfig

OF_A_SESSION = ("out", "config", "workers", "fresh", "exact", "flaky_runs", "strict", "json")
"""Options that say how one session is carried out, so that no file holds them."""

# How the names of models begin that ksolve serves itself.
_SERVED = "vllm:"

Read = TypeVar("Read", bound=BaseModel)


def resolve_config(file: Path | None, options: Mapping[str, Any]) -> SweepConfig:
    """Return what a file and the options say together, every solver named.

    Options that are None were not given. What is given wins over the file, and over its solvers.
    Raises InputError naming what is wrong and where it stands.
    """
    given = {name: value for name, value in options.items() if value is not None}
    written = _read(file)
    rows = _rows(written.pop("solvers", []), f"{file}")
    _refuse_unknown(written, SweepConfig.model_fields.keys() | SETTINGS, f"{file}: ")
    _refuse_both(written, given, rows, f"{file}")
    # Where each of them was said.
    places = {name: f"{file}: `{name}`" for name in written} | {
        name: f"--{name.replace('_', '-')}" for name in given
    }
    said = written | given
    if "tasks" not in said:
        raise InputError("Name the tasks with --tasks, or in the file of --config.")
    config = _valid(SweepConfig, {n: v for n, v in said.items() if n not in SETTINGS}, places)
    shared = {name: value for name, value in written.items() if name in SETTINGS}
    over = {name: value for name, value in given.items() if name in SETTINGS}
    solvers = []
    for number, row in enumerate(rows, start=1):
        name = f" ({row['name']})" if row.get("name") else ""
        place = f"{file}: [[solvers]] {number}{name}: "
        solvers.append(_solver(shared, row, over, places, place))
    for strategy in () if rows else config.strategy:
        for model in config.model:
            row = {"model": model, "strategy": strategy}
            solvers.append(_solver(shared, row, over, places, ""))
    if not solvers:
        raise InputError("Name a model with --model, or in the file of --config.")
    # Who chooses other strategies than the file does need not take its settings out of it.
    asked = over if "strategy" in given else shared | over
    _refuse_unused(asked, solvers, places)
    if "serve" in asked and not any(one.model.startswith(_SERVED) for one in solvers):
        raise InputError(
            f"{places['serve']} is for models that ksolve serves itself (vllm:MODEL), and there is "
            "none: leave it out."
        )
    _refuse_doubled(solvers, f"{file}: " if rows else "")
    return config.model_copy(update={"solvers": tuple(solvers), "model": (), "strategy": ()})


def _solver(
    shared: Mapping[str, Any],
    row: Mapping[str, Any],
    over: Mapping[str, Any],
    places: Mapping[str, str],
    place: str,
) -> SolverConfig:
    """Read one solver: what stands above all, then its own, then what is given besides."""
    _refuse_unknown(row, SolverConfig.model_fields.keys(), place)
    if "model" not in row:
        raise InputError(f"{place}it names no `model`.")
    strategy = str(row.get("strategy", "oneshot"))
    unused = _unused(strategy)
    for name in row:
        if name in unused:
            users = _users(name)
            raise InputError(
                f"{place}`{name}` is a setting of {users}, not of {strategy}: leave it out."
            )
    own = {name: f"{place}`{name}`" for name in row if name not in over}
    said = {name: value for name, value in {**shared, **row, **over}.items() if name not in unused}
    if "serve" not in row and not str(row["model"]).startswith(_SERVED):
        # Said of all, it is meant for those that are served here.
        said.pop("serve", None)
    return _valid(SolverConfig, said, {**places, **own})


def _unused(strategy: str) -> set[str]:
    """Return the settings that a strategy does not have; none of one that there is not."""
    return set().union(*USED_BY.values()) - USED_BY[strategy] if strategy in USED_BY else set()


def _users(setting: str) -> str:
    return " and ".join(name for name, names in USED_BY.items() if setting in names)


def _valid(of: type[Read], said: Mapping[str, Any], places: Mapping[str, str]) -> Read:
    try:
        return of.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        takes = of.model_fields[name].description
        raise InputError(f"{places[name]} takes {takes}, not {first['input']!r}.") from None


def _rows(solvers: object, where: str) -> list[dict[str, Any]]:
    if not isinstance(solvers, list) or not all(isinstance(row, dict) for row in solvers):
        raise InputError(f"{where}: solvers: write each of them as a table [[solvers]].")
    return [
        _underscored(row, f"{where}: [[solvers]] {number}: ")
        for number, row in enumerate(solvers, start=1)
    ]


def _refuse_unknown(names: Iterable[str], known: Collection[str], place: str) -> None:
    for name in names:
        if name in known:
            continue
        if name in OF_A_SESSION:
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{place}`{name}` stands in no file: give {option} besides.")
        if name in SweepConfig.model_fields:
            raise InputError(
                f"{place}`{name}` is of the whole sweep: write it above the first [[solvers]]."
            )
        if name in SolverConfig.model_fields:
            raise InputError(f"{place}`{name}` is of one solver: write it below its [[solvers]].")
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean `{nearest[0]}`?" if nearest else "."
        raise InputError(f"{place}there is no option `{name}`{hint}")


def _refuse_both(
    written: Mapping[str, Any], given: Mapping[str, Any], rows: Collection[object], where: str
) -> None:
    """Models and strategies are sampled each with each, or named in pairs."""
    for name in ("model", "strategy"):
        if rows and name in given:
            raise InputError(
                f"--{name} does not go with the [[solvers]] of {where}, which name theirs: leave "
                "it out, or change the file."
            )
        if rows and name in written:
            raise InputError(f"{where}: write `{name}` above or in [[solvers]], not in both.")


def _refuse_unused(
    asked: Iterable[str], solvers: Iterable[SolverConfig], places: Mapping[str, str]
) -> None:
    for name in asked:
        if all(name in _unused(solver.strategy) for solver in solvers):
            raise InputError(
                f"{places[name]} is a setting of {_users(name)}, which no solver here uses: leave "
                "it out."
            )


def _refuse_doubled(solvers: Iterable[SolverConfig], place: str) -> None:
    for (model, label), count in Counter((one.model, one.label) for one in solvers).items():
        if count > 1:
            mend = "give one of them another `name`" if place else "name it once"
            raise InputError(f"{place}{label} by {model} is given twice: {mend}.")


def _read(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        written = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not TOML: {error}.") from None
    return _underscored(written, f"{file}: ")


def _underscored(table: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return a table under the names that options have here: `max-tokens` is `max_tokens`."""
    named = {name.replace("-", "_"): value for name, value in table.items()}
    for name in table:
        if "-" in name and name.replace("-", "_") in table:
            raise InputError(f"{place}`{name}` is given twice, with a dash and without.")
    return named
