"""What `ksolve run` is asked for, in one form for the command line and for a TOML file.

A file holds options of the command line by their names; one that is given besides wins over it.
`ksolve/sweep_options.py` puts both together, and refuses what means nothing. Models and strategies
are sampled each with each, unless `[[solvers]]` names the pairs, where every solver may depart from
what stands above it:

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

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import tomlkit
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from agent.backend import Sampling
from agent.limits import AgentLimits
from agent.prompts import ContextKind
from agent.strategy import Strategy
from ksolve.errors import InputError
from tasks.resources import SIZE, capability_names, size
from tasks.task import Resources

StrategyName = Literal["oneshot", "loop", "monkeys"]
_STRATEGIES = "oneshot, loop or monkeys"
Allocate = Literal["uniform", "adaptive"]

_Positive = Annotated[int, Field(ge=1, description="a whole number of at least 1")]
_Limit = Annotated[int | None, Field(ge=1, description="a whole number of at least 1")]
_Seconds = Annotated[
    float, Field(gt=0.0, allow_inf_nan=False, description="a number of seconds above 0")
]
_Money = Annotated[
    float | None,
    Field(ge=0.0, allow_inf_nan=False, description="an amount of US dollars, 0 or more"),
]
_Text = Annotated[str, Field(description="a text")]


def _listed(value: object) -> object:
    """Take a lone text for a list of one, and a list for what is not changed any more."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


_Texts = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(description="a list of texts")]
_LIMITS = AgentLimits()


class _Settings(BaseModel):
    """What can be set for all solvers and for one of them; a description says what one takes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    samples: _Positive = 8
    temperature: Annotated[float, Field(ge=0.0, le=2.0, description="a number from 0 to 2")] = 0.8
    top_p: Annotated[float, Field(ge=0.0, le=1.0, description="a number from 0 to 1")] = 0.95
    max_tokens: _Limit = None
    seed: Annotated[int, Field(description="a whole number")] = 0
    reasoning_effort: Annotated[str | None, Field(min_length=1, description="a word")] = None
    extra_body: Annotated[dict[str, Any], Field(description="a table of fields")] = {}
    context_window: _Limit = None
    header: _Texts = ()
    serve: Annotated[dict[str, Any], Field(description="a table of vLLM's options")] = {}
    context: Annotated[ContextKind, Field(description="bm25, rank or files")] = "bm25"
    variant: _Text = ""
    depth: _Positive = 4
    steps: _Positive = _LIMITS.steps
    tokens: _Positive = _LIMITS.tokens
    seconds: _Seconds = _LIMITS.seconds
    command_seconds: _Seconds = _LIMITS.command_seconds


_Size = Annotated[int | None, BeforeValidator(size), Field(description=SIZE)]


class SolverConfig(_Settings):
    """One model under one strategy."""

    model: _Text
    strategy: Annotated[StrategyName, Field(description=_STRATEGIES)] = "oneshot"
    name: _Text = ""
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
            reasoning_effort=self.reasoning_effort,
            extra_body=json.dumps(self.extra_body, sort_keys=True) if self.extra_body else "",
            # What is in the extra body is required by being there.
            required=tuple(sorted(self.model_fields_set & _SAMPLING - {"extra_body"})),
        )

    @property
    def used(self) -> dict[str, Any]:
        """The settings that change what this solver's samples are, as JSON-able values."""
        return self.model_dump(include=_SAMPLING | _SERVING | USED_BY[self.strategy])


class SweepConfig(BaseModel):
    """A whole sweep."""

    model_config = _Settings.model_config

    tasks: _Text
    id: _Texts = ()
    exclude: _Texts = ()
    limit: _Limit = None
    skip_invalid: Annotated[bool, Field(description="true or false")] = False
    model: _Texts = ()
    strategy: Annotated[
        tuple[StrategyName, ...], BeforeValidator(_listed), Field(description=_STRATEGIES)
    ] = ("oneshot",)
    price: _Texts = ()
    parameters: _Texts = ()
    in_flight: _Limit = None
    allocate: Annotated[Allocate, Field(description="uniform or adaptive")] = "uniform"
    prior_from: _Texts = ()
    budget: _Money = None
    budget_per_issue: _Money = None
    budget_per_sample: _Money = None
    memory: _Size = None
    cpus: Annotated[
        float | None, Field(gt=0.0, allow_inf_nan=False, description="a number above 0")
    ] = None
    processes: _Limit = None
    disk: _Size = None
    network: Annotated[bool | None, Field(description="true or false")] = None
    cap_add: Annotated[
        tuple[str, ...],
        BeforeValidator(_listed),
        AfterValidator(capability_names),
        Field(description="a list of Linux capabilities, such as SYS_PTRACE"),
    ] = ()
    solvers: tuple[SolverConfig, ...] = ()

    @property
    def seed(self) -> int:
        """Of the random order of the tasks: that of the first solver."""
        return next((solver.seed for solver in self.solvers), 0)

    @property
    def resources(self) -> Resources:
        """What its containers may use, where that is said."""
        return Resources(
            memory_bytes=self.memory,
            cpus=self.cpus,
            pids=self.processes,
            disk_bytes=self.disk,
            network=self.network,
            capabilities=self.cap_add,
        )


_AGENT = {"steps", "tokens", "seconds", "command_seconds"}
_SAMPLING = {"temperature", "top_p", "max_tokens", "seed", "reasoning_effort", "extra_body"}
_SERVING = {"context_window", "serve"}
SETTINGS = frozenset(_Settings.model_fields)
"""What may be said of all solvers and of one."""
USED_BY: Mapping[str, set[str]] = {
    "oneshot": {"context"},
    "loop": {"variant", *_AGENT},
    "monkeys": {"depth", "context", *_AGENT},
}
"""The settings that not every strategy has, by the strategies that have them."""


def as_toml(config: SweepConfig) -> str:
    """Return a file that asks for the same, of every solver with what its strategy uses."""
    said = config.model_dump(
        mode="json", exclude_none=True, exclude={"strategy", "model", "solvers"}
    )
    solvers = [_as_table(solver) for solver in config.solvers]
    if not config.skip_invalid:
        del said["skip_invalid"]
    said = {name: value for name, value in said.items() if value != []}
    return tomlkit.dumps(said | {"solvers": solvers})


def _as_table(solver: SolverConfig) -> dict[str, Any]:
    """Return a solver as a file says it.

    Settings of the sampling that nobody asked for are not in it: read again, they would be asked
    for. Neither are headers that are not of the environment, since they may hold keys.
    """
    table = solver.model_dump(include={"model", "strategy", "name", "samples"}) | solver.used
    headers = [text for text in solver.header if text.partition(":")[2].strip().startswith("$")]
    table |= {"header": headers} if headers else {}
    unasked = _SAMPLING - solver.model_fields_set
    return {
        name: value
        for name, value in table.items()
        if name not in unasked and value is not None and value != {}
    }


class Strategies:
    """Makes each strategy once, so that solvers of the same settings share what it has read."""

    def __init__(self) -> None:
        self._made: dict[str, Strategy] = {}

    def of(self, solver: SolverConfig) -> Strategy:
        """Return the strategy of a solver. Raises InputError for settings that it does not take."""
        chosen = {name: solver.used[name] for name in sorted(USED_BY[solver.strategy])}
        key = f"{solver.strategy} {chosen}"
        if key not in self._made:
            try:
                self._made[key] = _strategy(solver)
            except ValueError as error:
                raise InputError(f"{solver.label} by {solver.model}: {error}") from None
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
