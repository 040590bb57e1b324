"""How what the tests of a repository need is installed: one shell command, by a table of forms."""

from __future__ import annotations

import configparser
import contextlib
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.project import (
    CONDA,
    HATCH,
    Project,
    at,
    conda_dependencies,
    for_tests,
    specifier,
    strings,
)
from tasks.worktree import some

TOOLS = "/opt/tools"
"""Where the image keeps programs that install others, so that they do not meet the project's."""

_REQUIREMENTS = re.compile(
    r"(?:(?:requirements|tests?)/)?"
    r"(?:requirements?(?:[-_.](?P<behind>[a-z]+))?|(?P<before>[a-z]+)[-_.]requirements)\.(?:txt|in)"
    r"|requirements/(?P<inside>[a-z]+)\.(?:txt|in)"
)
_PIPFILE = ("packages", "dev-packages")


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """How the dependencies of a repository are installed."""

    command: str = ""
    """For a shell, in the repository's top folder; "" where there is nothing to install."""
    sources: tuple[str, ...] = ()
    """The files that it was read from."""
    notes: tuple[str, ...] = ()
    """What is not installed, a sentence each."""


@dataclass(kw_only=True, slots=True)
class _Pip:
    """One `pip install`, put together from all the files that say what tests need."""

    arguments: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)

    def add(self, source: str, *arguments: str) -> None:
        """Install this too."""
        self.arguments += arguments
        self.sources.append(source)


def _pip(project: Project) -> Setup | None:
    """Install what pip understands: packages, extras, groups, lists of requirements."""
    pip = _Pip()
    groups = for_tests(at(project.toml, "dependency-groups"))
    for name in _requirements(project.names):
        pip.add(name, "-r", name)
    if project.is_installable:
        source = "pyproject.toml" if project.has("pyproject.toml") else "setup.py"
        extras = f"[{','.join(project.extras)}]" if project.extras else ""
        pip.add(source, "-e", f".{extras}")
    elif groups:
        pip.add("pyproject.toml")
    for group in groups:
        pip.arguments += ["--group", group]
    for source, found in (
        ("Pipfile", [w for t in _PIPFILE for w in _tabled(at(project.pipfile, t))]),
        ("setup.py", strings(project.setup_py.get("tests_require"))),
        ("pyproject.toml", _legacy(project)),
        ("tox.ini", _tox(project) if not (project.extras or groups) else []),
    ):
        if found:
            pip.add(source, *found)
    if not pip.sources:
        return None
    commands = [f"pip install {shlex.join(pip.arguments)}"]
    if groups:
        # Debian's own is too old for `--group`.
        commands.insert(0, "pip install -U pip")
    return Setup(command=" && ".join(commands), sources=tuple(dict.fromkeys(pip.sources)))


def _legacy(project: Project) -> list[str]:
    """Return the requirements of tests that stand in a tool's own table."""
    found = _poetry_groups(project)
    pdm = at(project.toml, "tool", "pdm", "dev-dependencies")
    found += [word for group in for_tests(pdm) for word in strings(pdm[group])]
    for env in HATCH:
        for key in ("dependencies", "extra-dependencies"):
            found += strings(at(project.hatch, env).get(key))
    return [one for one in found if "{" not in one]


def _tox(project: Project) -> list[str]:
    """Return what tox installs for every environment."""
    text = project.ini.get("testenv", "deps", fallback="")
    legacy = at(project.toml, "tool", "tox").get("legacy_tox_ini")
    if not text and isinstance(legacy, str):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        with contextlib.suppress(configparser.Error):
            parser.read_string(legacy)
            text = parser.get("testenv", "deps", fallback="")
    found = []
    for line in text.splitlines():
        one = line.partition(" #")[0].strip()
        file = re.match(r"(?:-r|--requirement)\s*=?\s*(\S+)$", one)
        if file and project.has(file[1]):
            found += ["-r", file[1]]
        elif one and not re.search(r"[{}]|^[#-]|^[\w,!-]+:", one):
            found.append(one)
    return found


def _requirements(names: Iterable[str]) -> list[str]:
    """Return the lists of requirements that tests may need."""
    kinds: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda one: (one.count("/"), one)):
        if found := _REQUIREMENTS.fullmatch(name.lower()):
            kind = found["behind"] or found["before"] or found["inside"] or ""
            inside_tests = name.lower().startswith("test")
            kinds.setdefault("tests" if inside_tests else kind, []).append(name)
    wanted = ["", "base", "main", "common", *for_tests(kinds)]
    chosen = [name for kind in wanted for name in kinds.get(kind, ())]
    # What a list was compiled from is left out beside it.
    return [name for name in chosen if f"{name.removesuffix('.in')}.txt" not in {*chosen} - {name}]


def _uv(project: Project) -> Setup | None:
    """Install what uv has locked, or would."""
    is_locked = project.has("uv.lock")
    if not is_locked and not at(project.toml, "tool", "uv"):
        return None
    options = ["--inexact", *(["--frozen"] if is_locked else [])]
    for extra in project.extras:
        options += ["--extra", extra]
    for group in for_tests(at(project.toml, "dependency-groups")):
        options += ["--group", group]
    sources = ("uv.lock",) if is_locked else ("pyproject.toml",)
    return Setup(command=f"{_tool('uv')} && uv sync {shlex.join(options)}", sources=sources)


def _poetry(project: Project) -> Setup | None:
    """Install what Poetry has locked; what it would lock is left to pip, which is there."""
    if not project.has("poetry.lock"):
        return None
    optional = [
        name
        for name, one in at(project.toml, "tool", "poetry", "group").items()
        if at(one).get("optional")
    ]
    options = [word for extra in project.extras for word in ("--extras", extra)]
    options += [word for group in for_tests(optional) for word in ("--with", group)]
    command = shlex.join(["poetry", "install", "--no-interaction", *options])
    return Setup(command=f"{_tool('poetry')} && {command}", sources=("poetry.lock",))


def _poetry_groups(project: Project) -> list[str]:
    """Return the requirements of the groups of Poetry that tests may need."""
    poetry = at(project.toml, "tool", "poetry")
    groups = {"dev": at(poetry, "dev-dependencies")}
    groups |= {name: at(one, "dependencies") for name, one in at(poetry, "group").items()}
    # What makes no package has its dependencies installed like a group.
    wanted = [] if project.is_installable else [at(poetry, "dependencies")]
    wanted += [groups[name] for name in for_tests(name for name, one in groups.items() if one)]
    return [word for group in wanted for word in _tabled(group)]


def _tabled(group: Mapping[str, Any]) -> list[str]:
    """Return requirements that are written as a table, by Poetry or Pipenv, in the form of pip."""
    found = []
    for name, said in group.items():
        table = at(said)
        version = said if isinstance(said, str) else table.get("version", "*")
        extras = ",".join(strings(table.get("extras")))
        if isinstance(table.get("path"), str):
            found += [*(["-e"] if table.get("editable") else []), table["path"]]
        elif isinstance(table.get("git"), str):
            found.append(f"{name} @ git+{table['git']}")
        elif isinstance(version, str) and name != "python":
            found.append(f"{name}{f'[{extras}]' if extras else ''}{specifier(version) or ''}")
    return found


def _pipenv(project: Project) -> Setup | None:
    """Install what Pipenv has locked; what it would lock is left to pip, which is there."""
    if not project.has("Pipfile.lock"):
        return None
    also = _pip(project) if project.is_installable else None
    commands = [
        _tool("pipenv"),
        "pipenv requirements --dev | pip install -r /dev/stdin",
        *([also.command] if also else []),
    ]
    sources = ("Pipfile.lock", *(also.sources if also else ()))
    return Setup(command=" && ".join(commands), sources=sources)


def _conda(project: Project) -> Setup | None:
    """Install the part of an environment of conda that pip has, and tell of the rest."""
    name = next(filter(project.has, CONDA), None)
    if name is None:
        return None
    listed = conda_dependencies(project, name)
    packages = [one for one in listed if isinstance(one, str)]
    packages = [one for one in packages if not re.match(r"(python|pip)\b", one)]
    pip = [word for one in listed if isinstance(one, Mapping) for word in strings(one.get("pip"))]
    words = [word for one in pip for word in (one.split(maxsplit=1) if one[:1] == "-" else [one])]
    notes = []
    if packages:
        notes.append(
            f"The conda packages of {name} are not installed ({some(packages)}): name what the"
            " tests need of them in --setup, or give --image."
        )
    return Setup(
        command=f"pip install {shlex.join(words)}" if words else "",
        sources=(name,),
        notes=tuple(notes),
    )


def _node(project: Project) -> Setup | None:
    """Install what a package.json asks for, with Debian's Node."""
    if not project.has("package.json"):
        return None
    install = "apt-get update && apt-get install -y nodejs npm"
    for lock, command in (
        ("pnpm-lock.yaml", "npm install -g pnpm@9 && pnpm install --frozen-lockfile"),
        ("yarn.lock", "npm install -g yarn && yarn install --frozen-lockfile"),
        ("package-lock.json", "npm ci"),
        ("npm-shrinkwrap.json", "npm ci"),
    ):
        if project.has(lock):
            return Setup(command=f"{install} && {command}", sources=("package.json", lock))
    return Setup(command=f"{install} && npm install", sources=("package.json",))


@dataclass(frozen=True, kw_only=True, slots=True)
class Detector:
    """One form that repositories say their dependencies in."""

    find: Callable[[Project], Setup | None]
    programs: tuple[str, ...] = ()
    """Of a test command: where it calls one of them this form counts, and none before it."""


DETECTORS: tuple[Detector, ...] = (
    Detector(find=_uv, programs=("uv",)),
    Detector(find=_poetry, programs=("poetry",)),
    Detector(find=_pipenv, programs=("pipenv",)),
    Detector(find=_pip),
    Detector(find=_conda),
    Detector(
        find=_node,
        programs=("npm", "npx", "node", "yarn", "pnpm", "jest", "vitest", "mocha"),
    ),
)
"""In the order in which they are asked: the first that finds anything decides."""

# They make environments of their own, which they cannot when the tests run, without network.
_RUNNERS = ("tox", "nox", "hatch")


def setup_of(project: Project, test_command: str) -> Setup:
    """Return how to install what the tests of a repository need; a command of "" for nothing."""
    called = {*re.findall(r"[\w.-]+", test_command)}
    first = [one for one in DETECTORS if not called.isdisjoint(one.programs)]
    found = next(filter(None, (one.find(project) for one in (*first, *DETECTORS))), Setup())
    unlike = [name for name, said in _OTHERS.items() if project.has(name)]
    if not found.command and unlike:
        found = Setup(
            sources=found.sources,
            notes=(*found.notes, *(_OTHERS[name].format(name=name) for name in unlike)),
        )
    for runner in _RUNNERS:
        if runner in called:
            note = (
                f"`{runner}` makes environments of its own, which needs the network that tests do "
                "not have: give the command that it runs, such as pytest, or make them in --setup."
            )
            return Setup(command=found.command, sources=found.sources, notes=(*found.notes, note))
    return found


_OTHERS = {
    name: "What {name} asks for is not installed: say how in --setup, such as "
    f"'apt-get update && apt-get install -y {packages}', or give --image."
    for name, packages in (
        ("go.mod", "golang-go && go mod download"),
        ("Cargo.toml", "cargo && cargo fetch"),
        ("Gemfile", "ruby-dev ruby-bundler && bundle install"),
        ("pom.xml", "maven && mvn dependency:go-offline"),
        ("composer.json", "composer && composer install"),
    )
}


def _tool(name: str) -> str:
    return f"{TOOLS}/bin/pip install {name}"
