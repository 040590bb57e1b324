"""The files of a repository in which projects say how they are installed.

They are read, and nothing of them is run; what cannot be read may be the very issue, and counts as
not there.
"""

from __future__ import annotations

import ast
import configparser
import contextlib
import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import yaml
from packaging.specifiers import InvalidSpecifier, SpecifierSet

TESTS = ("test", "tests", "testing")
"""What projects call the dependencies of their tests."""

DEVELOPERS = ("dev", "develop", "development", "devel")
"""What they call those of their developers."""

HATCH = ("default", "hatch-test", *TESTS, *DEVELOPERS)
"""The environments of Hatch whose dependencies tests may need."""

CONDA = ("environment.yml", "environment.yaml")
"""The files that describe an environment of conda."""


class Files(Protocol):
    """The files of a repository."""

    def names(self) -> list[str]:
        """Return the paths of all files."""
        ...

    def read(self, name: str) -> str:
        """Return the text of one file."""
        ...


class Project:
    """The files of a repository that say how to install it."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.names = files.names()
        self._known = set(self.names)

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return name in self._known

    def text(self, name: str) -> str:
        """Return the text of a file, "" where there is none."""
        return self._files.read(name) if name in self._known else ""

    @functools.cached_property
    def toml(self) -> Mapping[str, Any]:
        """pyproject.toml; {} where it cannot be read."""
        return self._toml("pyproject.toml")

    @functools.cached_property
    def pipfile(self) -> Mapping[str, Any]:
        """The Pipfile; {} where it cannot be read."""
        return self._toml("Pipfile")

    @functools.cached_property
    def ini(self) -> configparser.ConfigParser:
        """setup.cfg and tox.ini, whose sections have different names."""
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        for name in ("setup.cfg", "tox.ini"):
            with contextlib.suppress(configparser.Error):
                parser.read_string(self.text(name))
        return parser

    @functools.cached_property
    def setup_py(self) -> Mapping[str, Any]:
        """The arguments of `setup` in setup.py, as far as they are written out."""
        try:
            tree = ast.parse(self.text("setup.py"))
        except (SyntaxError, ValueError):
            return {}
        found: dict[str, Any] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "setup":
                for keyword in node.keywords:
                    if keyword.arg:
                        with contextlib.suppress(ValueError):
                            found[keyword.arg] = ast.literal_eval(keyword.value)
                        if keyword.arg not in found and isinstance(keyword.value, ast.Dict):
                            # The names of extras are known where their content is not.
                            keys = keyword.value.keys
                            names = [k.value for k in keys if isinstance(k, ast.Constant)]
                            found[keyword.arg] = dict.fromkeys(names, ())
        return found

    @functools.cached_property
    def hatch(self) -> Mapping[str, Any]:
        """The environments of Hatch by name."""
        found = self._toml("hatch.toml") or at(self.toml, "tool", "hatch")
        return at(found, "envs")

    @property
    def is_installable(self) -> bool:
        """Whether `pip install .` would find a package."""
        if at(self.toml, "tool", "poetry").get("package-mode") is False:
            return False
        return self.has("setup.py") or not self.toml.keys().isdisjoint({"project", "build-system"})

    @functools.cached_property
    def extras(self) -> list[str]:
        """The extras of the package that tests may need."""
        names: list[str] = [*at(self.toml, "project", "optional-dependencies")]
        names += at(self.toml, "tool", "poetry", "extras")
        if self.ini.has_section("options.extras_require"):
            names += self.ini.options("options.extras_require")
        names += _mapping(self.setup_py.get("extras_require"))
        for env in HATCH:
            names += [f for f in strings(at(self.hatch, env).get("features")) if f not in names]
        return for_tests(names)

    def _toml(self, name: str) -> Mapping[str, Any]:
        try:
            return tomllib.loads(self.text(name))
        except tomllib.TOMLDecodeError:
            return {}


def at(table: Any, *path: str) -> Mapping[str, Any]:
    """Return the table at a path of tables, {} where there is none."""
    for name in path:
        table = table.get(name) if isinstance(table, Mapping) else None
    return table if isinstance(table, Mapping) else {}


def for_tests(names: Iterable[str]) -> list[str]:
    """Return the names that tests go by; where there are none, those that developers do."""
    plain = {name: re.sub(r"[-_.]+", "-", name.lower()) for name in names}
    words = {name: set(one.split("-")) for name, one in plain.items()}
    for found in (
        [name for name, one in plain.items() if one in TESTS],
        [name for name, one in plain.items() if one in DEVELOPERS],
        [name for name, one in words.items() if not one.isdisjoint(TESTS)],
    ):
        if found:
            return found
    return []


def conda_dependencies(project: Project, name: str) -> list[Any]:
    """Return the dependencies of an environment of conda."""
    try:
        read = yaml.safe_load(project.text(name))
    except yaml.YAMLError:
        return []
    listed = read.get("dependencies") if isinstance(read, Mapping) else None
    return listed if isinstance(listed, list) else []


def specifier(text: str) -> str | None:
    """Return a specifier of versions in the form of Python packages; Poetry has another."""
    parts = []
    for one in filter(None, re.split(r"\s*,\s*|\s+(?=[<>=!~^])", text.strip())):
        found = re.fullmatch(r"([~^]?)\s*(\d+)(?:\.(\d+))?(\.[\w*]+)?(\.\*)?", one)
        if found is None:
            parts.append(re.sub(r"^=(?=\d)", "==", one))
            continue
        sign, major, minor = found[1], int(found[2]), found[3]
        if sign == "^":
            below = f"0.{int(minor) + 1}" if not major and minor else f"{major + 1}"
            parts.append(f">={one[1:].strip()},<{below}")
        elif sign == "~" and minor:
            parts.append(f">={one[1:].strip()},<{major}.{int(minor) + 1}")
        elif found[4]:
            parts.append(f"=={one.lstrip('~').strip()}")
        else:
            parts.append(f"=={one.lstrip('~').strip()}.*")
    try:
        return str(SpecifierSet(",".join(part for part in parts if part != "*")))
    except InvalidSpecifier:
        return None


def strings(value: Any) -> list[str]:
    """Return the strings in a value that may be anything."""
    if isinstance(value, str):
        return [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []


def _mapping(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, Mapping) else []
