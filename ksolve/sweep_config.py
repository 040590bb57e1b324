"""What `ksolve run` is asked for, in one form for the command line and for a TOML file.

A file holds the options of the command line by their names; an option that is given besides wins.
Models and strategies are sampled each with each, unless `[[solvers]]` names the pairs, where every
solver may depart from what stands above it:

    tasks = "starter"
    samples = 16
    temperature = 0.8

    [[solvers]]
    model = "vllm:qwen2.5-coder-1.5b"
    strategy = "oneshot"

    [[solvers]]
    model = "vllm:qwen2.5-coder-1.5b"
    strategy = "monkeys"
    name = "deep"
    depth = 6
    samples = 4
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.backend import Sampling
from agent.limits import AgentLimits
from agent.prompts import ContextKind
from agent.strategy import Strategy
from ksolve.errors import InputError

StrategyName = Literal["oneshot", "loop", "monkeys"]
Allocate = Literal["uniform", "adaptive"]

_Positive = Annotated[int, Field(ge=1)]
_Seconds = Annotated[float, Field(gt=0.0)]
_Money = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
_LIMITS = AgentLimits()


class _Settings(BaseModel):
    """What can be set for all solvers and for one of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: _Positive = 8
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] = 0.8
    top_p: Annotated[float, Field(ge=0.0, le=1.0)] = 0.95
    max_tokens: _Positive = 1024
    seed: int = 0
    context: ContextKind = "bm25"
    variant: str = ""
    depth: _Positive = 4
    steps: _Positive = _LIMITS.steps
    tokens: _Positive = _LIMITS.tokens
    seconds: _Seconds = _LIMITS.seconds
    command_seconds: _Seconds = _LIMITS.command_seconds


class SolverConfig(_Settings):
    """One model under one strategy."""

    model: str
    strategy: StrategyName = "oneshot"
    name: str = ""
    # What its samples are kept under in place of the strategy's name.

    @property
    def label(self) -> str:
        """The strategy's part of its samples' names."""
        return self.name or self.strategy

    @property
    def sampling(self) -> Sampling:
        """How one completion is drawn."""
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            seed=self.seed,
        )

    @property
    def used(self) -> dict[str, Any]:
        """The settings that change what this solver's samples are, as JSON-able values."""
        names = {"temperature", "top_p", "max_tokens", "seed"} | _USED_BY[self.strategy]
        return self.model_dump(include=names)


class SweepConfig(_Settings):
    """A whole sweep."""

    tasks: str
    id: tuple[str, ...] = ()
    limit: _Positive | None = None
    model: tuple[str, ...] = ()
    strategy: tuple[StrategyName, ...] = ("oneshot",)
    price: tuple[str, ...] = ()
    in_flight: _Positive | None = None
    allocate: Allocate = "uniform"
    budget: _Money | None = None
    budget_per_issue: _Money | None = None
    budget_per_sample: _Money | None = None
    solvers: tuple[SolverConfig, ...] = ()

    @property
    def models(self) -> list[str]:
        """Every model once, in order."""
        return list(dict.fromkeys(solver.model for solver in self.solvers))


_AGENT = {"steps", "tokens", "seconds", "command_seconds"}
_USED_BY: Mapping[StrategyName, set[str]] = {
    "oneshot": {"context"},
    "loop": {"variant", *_AGENT},
    "monkeys": {"depth", "context", *_AGENT},
}


def resolve_config(file: Path | None, options: Mapping[str, Any]) -> SweepConfig:
    """Return what a file and the options say together, every solver named.

    Options that are None were not given. Raises InputError naming the field.
    """
    said = {**_read(file), **{name: value for name, value in options.items() if value is not None}}
    if "model" in options and options["model"] is not None:
        # A file's solvers are its models.
        said.pop("solvers", None)
    where = str(file) if file else "the options"
    rows = said.pop("solvers", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{where}: solvers: write each of them as a table [[solvers]].")
    if rows and said.get("model"):
        raise InputError(f"{where}: name the models in `model` or in [[solvers]], not in both.")
    shared = {name: value for name, value in said.items() if name in _Settings.model_fields}
    try:
        config = SweepConfig.model_validate(said)
        rows = rows or [
            {"model": model, "strategy": strategy}
            for strategy in config.strategy
            for model in config.model
        ]
        solvers = tuple(SolverConfig.model_validate({**shared, **row}) for row in rows)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{where}: {field}: {first['msg']}.") from None
    if not solvers:
        raise InputError("Name a model with --model, or in the file of --config.")
    doubled = [
        f"{label} by {model}"
        for (model, label), count in Counter((one.model, one.label) for one in solvers).items()
        if count > 1
    ]
    if doubled:
        raise InputError(f"{where}: {doubled[0]} is given twice: give one of them another name.")
    return config.model_copy(update={"solvers": solvers, "model": ()})


def as_toml(config: SweepConfig) -> str:
    """Return a file that asks for the same."""
    said = config.model_dump(mode="json", exclude_none=True, exclude={"strategy", "model"})
    return tomlkit.dumps({name: value for name, value in said.items() if value != []})


class Strategies:
    """Makes each strategy once, so that solvers of the same settings share what it has read."""

    def __init__(self) -> None:
        self._made: dict[str, Strategy] = {}

    def of(self, solver: SolverConfig) -> Strategy:
        """Return the strategy of a solver."""
        chosen = {name: solver.used[name] for name in sorted(_USED_BY[solver.strategy])}
        key = f"{solver.strategy} {chosen}"
        if key not in self._made:
            self._made[key] = _strategy(solver)
        return self._made[key]


def _strategy(solver: SolverConfig) -> Strategy:
    limits = AgentLimits(
        steps=solver.steps,
        tokens=solver.tokens,
        seconds=solver.seconds,
        command_seconds=solver.command_seconds,
    )
    match solver.strategy:
        case "oneshot":
            from agent.oneshot import Oneshot

            return Oneshot(context=solver.context)
        case "loop":
            from agent.loop import Loop

            return Loop(limits=limits, variant=solver.variant or "plain")
        case "monkeys":
            from agent.monkeys import Monkeys

            return Monkeys(depth=solver.depth, limits=limits, context=solver.context)


def _read(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not TOML: {error}.") from None
