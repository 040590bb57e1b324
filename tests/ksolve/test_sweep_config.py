"""The command line of `ksolve run` and its TOML file mean the same thing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ksolve.errors import InputError
from ksolve.options import kept_resources, resources_in
from ksolve.sweep_config import Strategies, SweepConfig, as_toml
from ksolve.sweep_options import resolve_config
from tasks.task import Resources

OPTIONS: dict[str, Any] = {
    "tasks": "starter",
    "model": ["scripted:a", "scripted:b"],
    "strategy": ["oneshot", "monkeys"],
    "samples": 3,
    "temperature": 0.5,
    "depth": 2,
    "budget": 1.5,
}
MIXTURE = """
tasks = "starter"
samples = 16
temperature = 0.4

[[solvers]]
model = "scripted:a"
context = "files"

[[solvers]]
model = "scripted:a"
strategy = "monkeys"
name = "deep"
depth = 6
samples = 4
temperature = 1.0
"""


def read(text: str, folder: Path, **options: Any) -> SweepConfig:
    file = folder / "sweep.toml"
    file.write_text(text)
    return resolve_config(file, options)


def test_models_and_strategies_are_sampled_each_with_each() -> None:
    config = resolve_config(None, OPTIONS)
    assert [(one.label, one.model) for one in config.solvers] == [
        ("oneshot", "scripted:a"),
        ("oneshot", "scripted:b"),
        ("monkeys", "scripted:a"),
        ("monkeys", "scripted:b"),
    ]
    assert {(one.samples, one.sampling.temperature) for one in config.solvers} == {(3, 0.5)}


def test_a_file_of_the_same_options_asks_for_the_same(tmp_path: Path) -> None:
    text = "\n".join(f"{name} = {value!r}" for name, value in OPTIONS.items())
    assert read(text, tmp_path) == resolve_config(None, OPTIONS)


@pytest.mark.parametrize("text", [MIXTURE, 'tasks = "t"\nmodel = ["scripted:a"]\nid = ["x"]\n'])
def test_what_the_run_folder_keeps_asks_for_the_same(tmp_path: Path, text: str) -> None:
    config = read(text, tmp_path)
    assert read(as_toml(config), tmp_path) == config


def test_a_solver_departs_from_what_stands_above_it(tmp_path: Path) -> None:
    wide, deep = read(MIXTURE, tmp_path).solvers
    assert (wide.label, wide.samples, wide.temperature, wide.context) == (
        "oneshot",
        16,
        0.4,
        "files",
    )
    assert (deep.label, deep.samples, deep.temperature, deep.depth) == ("deep", 4, 1.0, 6)


def test_settings_that_a_strategy_does_not_use_are_no_part_of_its_samples() -> None:
    one, *_ = resolve_config(None, {**OPTIONS, "depth": 2}).solvers
    other, *_ = resolve_config(None, {**OPTIONS, "depth": 9}).solvers
    assert one == other


def test_settings_that_a_strategy_refuses_are_bad_input() -> None:
    options = {"tasks": "starter", "model": ["m"], "strategy": ["loop"], "variant": "foo"}
    (solver,) = resolve_config(None, options).solvers
    with pytest.raises(InputError, match="loop by m: There is no variant 'foo'"):
        Strategies().of(solver)


def test_solvers_of_one_strategy_and_its_settings_share_it() -> None:
    made = Strategies()
    first, second, *_ = resolve_config(None, OPTIONS).solvers
    assert made.of(first) is made.of(second)


def test_what_containers_may_use_is_said_alike_in_both(tmp_path: Path) -> None:
    text = """
    tasks = "starter"
    model = "scripted:a"
    memory = "8g"
    cpus = 2
    processes = 999
    disk = "9g"
    network = false
    cap-add = ["cap_sys_ptrace"]
    exclude = ["*-1"]
    """
    options: dict[str, Any] = {
        "tasks": "starter",
        "model": ["scripted:a"],
        "memory": "8g",
        "cpus": 2.0,
        "processes": 999,
        "disk": "9g",
        "network": False,
        "cap_add": ["SYS_PTRACE"],
        "exclude": ["*-1"],
    }
    config = read(text, tmp_path)
    assert config == resolve_config(None, options)
    assert config == read(as_toml(config), tmp_path)
    assert config.resources == Resources(
        memory_bytes=8 << 30,
        cpus=2.0,
        pids=999,
        disk_bytes=9 << 30,
        network=False,
        capabilities=("SYS_PTRACE",),
    )
    kept = json.loads(json.dumps(kept_resources(config.resources)))
    assert resources_in(kept) == config.resources
    assert resources_in({}) == Resources()
    assert kept_resources(Resources()) == {}


@pytest.mark.parametrize(
    ("said", "takes"),
    [
        ("memory = 'lots'", "a size such as 512m"),
        ("disk = 1", "a size such as 512m"),
        ("cpus = 0", "a number above 0"),
        ("processes = 0", "a whole number"),
        ("network = 'no'", "true or false"),
        ("cap_add = ['no such']", "a list of Linux capabilities"),
    ],
)
def test_what_containers_cannot_be_given_is_refused(tmp_path: Path, said: str, takes: str) -> None:
    with pytest.raises(InputError, match=takes):
        read(f"tasks = 'starter'\nmodel = 'scripted:a'\n{said}\n", tmp_path)
