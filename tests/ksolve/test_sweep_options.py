"""What of the options of a sweep and its TOML file is taken, and what is refused and how."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ksolve.errors import InputError
from ksolve.sweep_config import as_toml
from ksolve.sweep_options import OF_A_SESSION, resolve_config
from tests.ksolve.test_sweep_config import MIXTURE, OPTIONS, read

HEAD = 'tasks = "t"\nmodel = ["m"]\n'
ONE = '[[solvers]]\nmodel = "m"\n'
PAIR = f'tasks = "t"\n{ONE}[[solvers]]\nmodel = "m"\nname = "deep"\n'


def refused(text: str, folder: Path, **options: Any) -> str:
    """Return what is said of a file, without the folder that it is in."""
    with pytest.raises(InputError) as error:
        read(text, folder, **options)
    return str(error.value).replace(f"{folder}/", "")


def test_an_option_given_besides_wins_over_the_solvers_of_a_file(tmp_path: Path) -> None:
    wide, deep = read(MIXTURE, tmp_path, samples=2, temperature=0.1, max_tokens=9).solvers
    assert {(one.samples, one.temperature, one.max_tokens) for one in (wide, deep)} == {(2, 0.1, 9)}
    assert (deep.name, deep.depth) == ("deep", 6)


def test_an_option_given_besides_reaches_the_solvers_that_have_it(tmp_path: Path) -> None:
    wide, deep = read(MIXTURE, tmp_path, depth=9).solvers
    assert (wide.depth, deep.depth) == (4, 9)


def test_the_file_of_a_run_extends_it(tmp_path: Path) -> None:
    kept = as_toml(resolve_config(None, OPTIONS))
    more = resolve_config(None, {**OPTIONS, "samples": 5})
    assert read(kept, tmp_path, samples=5) == more


def test_models_given_besides_replace_those_of_a_file(tmp_path: Path) -> None:
    (solver,) = read(HEAD, tmp_path, model=["other"]).solvers
    assert solver.model == "other"


@pytest.mark.parametrize("name", ["model", "strategy"])
def test_what_solvers_name_is_not_given_besides(tmp_path: Path, name: str) -> None:
    said = refused(MIXTURE, tmp_path, **{name: ["loop"]})
    assert said.startswith(f"--{name} does not go with the [[solvers]] of sweep.toml")


def test_a_name_is_written_with_dashes_or_underscores(tmp_path: Path) -> None:
    dashes = 'tasks = "t"\nin-flight = 3\nmax-tokens = 5\n[[solvers]]\nmodel = "m"\ntop-p = 0.5\n'
    config = read(dashes, tmp_path)
    assert config == read(dashes.replace("-", "_"), tmp_path)
    assert (config.in_flight, config.solvers[0].top_p, config.solvers[0].max_tokens) == (3, 0.5, 5)
    assert "given twice" in refused(f"{HEAD}max-tokens = 5\nmax_tokens = 5\n", tmp_path)


def test_a_lone_text_is_a_list_of_one(tmp_path: Path) -> None:
    lone = 'tasks = "t"\nmodel = "m"\nid = "x"\nprice = "hour=1"\nstrategy = "loop"\n'
    assert read(lone, tmp_path) == read(re.sub(r'= ("[^t].*")', r"= [\1]", lone), tmp_path)


@pytest.mark.parametrize("name", OF_A_SESSION)
def test_what_no_file_holds_is_said_so(tmp_path: Path, name: str) -> None:
    said = refused(f"{HEAD}{name} = 1\n", tmp_path)
    assert said == (
        f"sweep.toml: `{name}` stands in no file: give --{name.replace('_', '-')} besides."
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tasks = [", "sweep.toml is not TOML"),
        (f"{HEAD}sampels = 1", "sweep.toml: there is no option `sampels`; did you mean `samples`?"),
        (f"{HEAD}xyz = 1", "sweep.toml: there is no option `xyz`."),
        (f"{PAIR}dept = 1", "sweep.toml: [[solvers]] 2 (deep): there is no option `dept`; did you"),
        (f"{PAIR}budget = 1", "[[solvers]] 2 (deep): `budget` is of the whole sweep: write it"),
        (f'{HEAD}name = "x"', "sweep.toml: `name` is of one solver: write it below its [[solvers]"),
        (f"{HEAD}samples = 0", "sweep.toml: `samples` takes a whole number of at least 1, not 0."),
        (f'{HEAD}samples = "many"', "takes a whole number of at least 1, not 'many'."),
        (f"{HEAD}samples = true", "takes a whole number of at least 1, not True."),
        (f"{HEAD}top_p = nan", "`top_p` takes a number from 0 to 1, not nan."),
        (f"{HEAD}id = [1]", "`id` takes a list of texts, not 1."),
        (f'{PAIR}samples = "x"', "[[solvers]] 2 (deep): `samples` takes a whole number"),
        (f'{PAIR}strategy = "guess"', "(deep): `strategy` takes oneshot, loop or monkeys, not 'gu"),
        (f"{PAIR}strategy = [1]", "(deep): `strategy` takes oneshot, loop or monkeys, not [1]."),
        ('tasks = "t"\nsolvers = 3', "solvers: write each of them as a table [[solvers]]."),
        ('tasks = "t"\n[[solvers]]', "[[solvers]] 1: it names no `model`."),
        ('tasks = "t"', "Name a model with --model, or in the file of --config."),
        ('model = ["m"]', "Name the tasks with --tasks, or in the file of --config."),
        (f"{HEAD}{ONE}", "write `model` above or in [[solvers]], not in both."),
        (f'tasks = "t"\nstrategy = "loop"\n{ONE}', "write `strategy` above or in [[solvers]]"),
        (f'tasks = "t"\n{ONE}{ONE}', "oneshot by m is given twice: give one of them another `name"),
        (
            f'{PAIR}variant = "reproduce-first"',
            "[[solvers]] 2 (deep): `variant` is a setting of loop, not of oneshot: leave it out.",
        ),
        (f"{HEAD}depth = 4", "sweep.toml: `depth` is a setting of monkeys, which no solver here"),
    ],
)
def test_a_file_that_means_nothing_is_refused_in_one_sentence(
    tmp_path: Path, text: str, says: str
) -> None:
    assert says in refused(text, tmp_path)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tasks": None}, "Name the tasks with --tasks"),
        ({"model": None}, "Name a model with --model"),
        ({"strategy": ["nope"]}, "--strategy takes oneshot, loop or monkeys, not 'nope'."),
        ({"allocate": "greedy"}, "--allocate takes uniform or adaptive, not 'greedy'."),
        (
            {"strategy": ["loop"], "seconds": float("inf")},
            "--seconds takes a number of seconds above 0, not inf.",
        ),
        ({"variant": "plain"}, "--variant is a setting of loop, which no solver here uses"),
        ({"strategy": ["loop"], "depth": 9}, "--depth is a setting of monkeys, which no solver"),
        ({"steps": 9}, "--steps is a setting of loop and monkeys, which no solver here uses"),
        ({"strategy": ["loop"], "context": "rank"}, "--context is a setting of oneshot and monkey"),
        ({"model": ["m", "m"]}, "oneshot by m is given twice: name it once."),
    ],
)
def test_options_that_mean_nothing_are_refused_in_one_sentence(
    options: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError) as error:
        resolve_config(None, {"tasks": "t", "model": ["m"], **options})
    assert says in str(error.value)


def test_another_strategy_needs_no_other_file(tmp_path: Path) -> None:
    text = f'{HEAD}strategy = "monkeys"\ndepth = 2\n'
    (solver,) = read(text, tmp_path, strategy=["loop"]).solvers
    assert solver.strategy == "loop"


def test_the_files_in_the_documentation_can_be_run(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    texts = [file.read_text() for file in (root / "README.md", *(root / "docs").glob("*.md"))]
    files = [one for text in texts for one in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    sweeps = [one for one in files if "ksolve run --config" in one]
    assert len(sweeps) > 2
    assert all(len(read(one, tmp_path).solvers) > 1 for one in sweeps)
