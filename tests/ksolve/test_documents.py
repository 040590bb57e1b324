"""What README and docs tell a reader to type exists: commands, options, targets, extras, models."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from agent.presets import PRESETS
from agent.price import price_of
from ksolve.cli import app
from ksolve.sweep_options import resolve_config
from sandbox.build import BUILD_LABEL
from tests.conftest import ROOT

README = ROOT / "README.md"
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("agent", "eval", "ksolve", "sandbox", "tasks")
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def shown(document: Path) -> Iterator[str]:
    """What a document shows as code for a shell: lines of blocks, and spans of text."""
    text = document.read_text()
    for kind, block in _BLOCK.findall(text):
        # Where a block is no language's, it may be a drawing.
        if kind == "sh" or (not kind and "ksolve run" in block):
            yield from block.replace("\\\n", " ").splitlines()
    for span in _SPAN.findall(_BLOCK.sub("", text)):
        yield " ".join(span.split())


def commands(document: Path, program: str) -> list[list[str]]:
    """The words after a program's name, wherever a document shows a command of it."""
    found = (re.match(rf"\s*(?:\S*/)?{program}\s+(\w.*)", line) for line in shown(document))
    return [shlex.split(match[1], comments=True) for match in found if match]


def test_the_readme_is_read() -> None:
    """Else every test below would pass on a document in another form."""
    assert len(commands(README, "ksolve")) > 15
    assert ["demo"] in commands(README, "make")
    assert any(words[:2] == ["run", "--tasks"] for words in commands(README, "ksolve"))


@each_document
def test_commands_and_their_options_exist(document: Path) -> None:
    unknown = []
    for words in commands(document, "ksolve"):
        command: Any = get_command(app)
        rest = list(words)
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        if hasattr(command, "commands") and rest and not rest[0].startswith("-"):
            unknown.append(f"ksolve {' '.join(words)}")
        options = (name for one in command.params for name in (*one.opts, *one.secondary_opts))
        known = {*options, "--help", "-h"}
        unknown += [
            f"{word} of ksolve {' '.join(words)}"
            for word in rest
            if word.startswith("-") and word.partition("=")[0] not in known
        ]
    assert unknown == []


@each_document
def test_targets_of_make_exist(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text().replace("$(VENV)", ".venv")
    targets = set(re.findall(r"^([\w./-]+):", makefile, re.MULTILINE))
    asked = {words[0] for words in commands(document, "make") if words and "=" not in words[0]}
    assert asked <= targets


def test_extras_exist() -> None:
    sources = (path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
    for path in (*DOCUMENTS, *sources):
        asked = set(re.findall(r"\bksolve\[(\w+)\]", path.read_text()))
        assert asked <= PROJECT["optional-dependencies"].keys(), path


def test_nothing_says_that_ksolve_is_fetched_by_its_name() -> None:
    """It is in no index: only an extra of what is installed can be asked for by name."""
    for document in DOCUMENTS:
        for words in commands(document, "pip"):
            assert "ksolve" not in words, document


def models(text: str) -> list[tuple[str, str]]:
    """Provider and model of every model's name in a text, placeholders left out."""
    found = re.findall(rf"\b({'|'.join(PRESETS)}):([\w./-]*\w)", text)
    return [(provider, model) for provider, model in found if not model.isupper()]


@each_document
def test_models_have_a_price(document: Path) -> None:
    for provider, model in models(document.read_text()):
        price_list = PRESETS[provider].price_list or provider
        assert price_of(price_list, model).known, f"{provider}:{model}"


def helps(command: Any) -> Iterator[str]:
    yield command.help or ""
    for inner in getattr(command, "commands", {}).values():
        yield from helps(inner)


def test_models_of_first_examples_are_those_of_the_presets() -> None:
    """Which `ksolve models` lists: a price is listed for long after its model is gone."""
    examples = {preset.example for preset in PRESETS.values()}
    texts = [README.read_text(), *helps(get_command(app))]
    named = {f"{provider}:{model}" for text in texts for provider, model in models(text)}
    assert len(named) > 1
    assert named <= examples


def test_the_sweep_of_the_readme_can_be_run(tmp_path: Path) -> None:
    (block,) = (text for kind, text in _BLOCK.findall(README.read_text()) if kind == "toml")
    path = tmp_path / "sweep.toml"
    path.write_text(block)
    config = resolve_config(path, {})
    assert [solver.samples for solver in config.solvers] == [16, 4]


def test_supported_pythons_are_those_of_the_project() -> None:
    listed = [line.rpartition(" :: ")[2] for line in PROJECT["classifiers"] if " :: 3." in line]
    assert f"Python {listed[0]} to\n{listed[-1]}" in README.read_text()
    assert PROJECT["requires-python"] == f">={listed[0]}"


def test_the_label_that_images_are_pruned_by_is_theirs() -> None:
    assert f"docker image prune --all --filter label={BUILD_LABEL}`" in README.read_text()


@each_document
def test_links_lead_to_files(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target
