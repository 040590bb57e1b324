"""What a repository says of itself: which Python it asks for, and how to install what it needs.

`setup_of` turns a repository into one shell command by the table `DETECTORS`. Files are read, and
nothing of them is run; what cannot be read may be the very issue, and counts as not there.
"""

from __future__ import annotations

import ast
import configparser
import contextlib
import functools
import re
import shlex
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import yaml
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from tasks.worktree import some

TOOLS = "/opt/tools"
"""Where the image keeps programs that install others, so that they do not meet the project's."""

_TEST = ("test", "tests", "testing")
_DEV = ("dev", "develop", "development", "devel")
_REQUIREMENTS = re.compile(
    r"(?:(?:requirements|tests?)/)?"
    r"(?:requirements?(?:[-_.](?P<behind>[a-z]+))?|(?P<before>[a-z]+)[-_.]requirements)\.(?:txt|in)"
    r"|requirements/(?P<inside>[a-z]+)\.(?:txt|in)"
)
# The environments of Hatch whose dependencies tests may need.
_HATCH = ("default", "hatch-test", *_TEST, *_DEV)
# Python's minor versions are tried up to this one.
_NEWEST = 30
_PIPFILE = ("packages", "dev-packages")
_ENVIRONMENTS = ("environment.yml", "environment.yaml")
# The minor version of Debian 12.
_USUAL = 11


class Files(Protocol):
    """The files of a repository."""

    def names(self) -> list[str]:
        """Return the paths of all files."""
        ...

    def read(self, name: str) -> str:
        """Return the text of one file."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Python:
    """The versions of Python that a project asks for."""

    specifiers: tuple[str, ...]
    """As in `requires-python`; any of them will do."""
    said_in: str
    """The file that asks for it."""
    preferred: str = ""
    """Such as `3.12`, where a file names one; it is among those that will do."""

    def __str__(self) -> str:
        """Return what is asked for, and where."""
        return f"Python {' or '.join(self.specifiers)} ({self.said_in})"

    def takes(self, version: str) -> bool:
        """Whether this version will do, such as `3.11` for the newest of them."""
        whole = version if version.count(".") > 1 else f"{version}.99"
        return any(SpecifierSet(one).contains(whole) for one in self.specifiers)

    @property
    def choice(self) -> str:
        """What to ask for: the preferred version, else the one nearest to what Debian has."""
        if self.preferred:
            return self.preferred
        versions = [f"3.{minor}" for minor in range(2, _NEWEST) if self.takes(f"3.{minor}")]
        return min(versions, key=lambda one: abs(int(one[2:]) - _USUAL), default=self.specifiers[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """How the dependencies of a repository are installed."""

    command: str = ""
    """For a shell, in the repository's top folder; "" where there is nothing to install."""
    sources: tuple[str, ...] = ()
    """The files that it was read from."""
    notes: tuple[str, ...] = ()
    """What is not installed, a sentence each."""


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
        for env in _HATCH:
            names += [f for f in _strings(at(self.hatch, env).get("features")) if f not in names]
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
        [name for name, one in plain.items() if one in _TEST],
        [name for name, one in plain.items() if one in _DEV],
        [name for name, one in words.items() if not one.isdisjoint(_TEST)],
    ):
        if found:
            return found
    return []


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
        ("setup.py", _strings(project.setup_py.get("tests_require"))),
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
    found += [word for group in for_tests(pdm) for word in _strings(pdm[group])]
    for env in _HATCH:
        for key in ("dependencies", "extra-dependencies"):
            found += _strings(at(project.hatch, env).get(key))
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
        extras = ",".join(_strings(table.get("extras")))
        if isinstance(table.get("path"), str):
            found += [*(["-e"] if table.get("editable") else []), table["path"]]
        elif isinstance(table.get("git"), str):
            found.append(f"{name} @ git+{table['git']}")
        elif isinstance(version, str) and name != "python":
            found.append(f"{name}{f'[{extras}]' if extras else ''}{_specifier(version) or ''}")
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
    name = next(filter(project.has, _ENVIRONMENTS), None)
    if name is None:
        return None
    listed = _environment(project, name)
    packages = [one for one in listed if isinstance(one, str)]
    packages = [one for one in packages if not re.match(r"(python|pip)\b", one)]
    pip = [word for one in listed if isinstance(one, Mapping) for word in _strings(one.get("pip"))]
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


def python_of(project: Project) -> Python | None:
    """Return the Python that a project asks for, None where it does not say."""
    pinned = re.match(r"\s*(?:cpython-?|python-?)?(3\.\d+)", project.text(".python-version"))
    for said_in, specifiers in _asked(project):
        valid = [one for one in map(_specifier, specifiers) if one]
        if valid:
            python = Python(specifiers=tuple(valid), said_in=said_in)
            if pinned and python.takes(pinned[1]):
                return Python(specifiers=tuple(valid), said_in=said_in, preferred=pinned[1])
            return python
    if pinned:
        return Python(
            specifiers=(f"=={pinned[1]}.*",), said_in=".python-version", preferred=pinned[1]
        )
    return None


def exactly(version: str) -> Python:
    """Return the wish for one version, such as `3.12`. Raises ValueError for what is none."""
    if not re.fullmatch(r"3\.\d+(\.\d+)?", version):
        raise ValueError(f"{version!r} is no version of Python: write it such as 3.12.")
    suffix = ".*" if version.count(".") == 1 else ""
    return Python(specifiers=(f"=={version}{suffix}",), said_in="--python", preferred=version)


def _asked(project: Project) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield where a project says which Python it asks for, and what it says there."""
    toml = project.toml
    for table, key in (
        (at(toml, "project"), "requires-python"),
        (at(toml, "tool", "poetry", "dependencies"), "python"),
    ):
        for asked in _strings(table.get(key)):
            yield "pyproject.toml", re.split(r"\s*\|\|?\s*", asked)
    yield "setup.cfg", [project.ini.get("options", "python_requires", fallback="")]
    yield "setup.py", _strings(project.setup_py.get("python_requires"))
    required = at(project.pipfile, "requires")
    yield "Pipfile", _strings(required.get("python_full_version", required.get("python_version")))
    for name in _ENVIRONMENTS:
        for one in _strings(_environment(project, name)):
            if found := re.match(r"python\s*([=<>!~].*)$", one):
                yield name, [re.sub(r"^=+(?=\d)", "", found[1].strip())]
    listed = project.ini.get("tox", "envlist", fallback="")
    listed += project.ini.get("tox", "env_list", fallback="")
    lowest = min(map(int, re.findall(r"\bpy3\.?(\d+)\b", listed)), default=_USUAL)
    if lowest > _USUAL:
        # Of those that it leaves out, the newer ones may well do.
        yield "tox.ini", [f">=3.{lowest}"]


def _specifier(text: str) -> str | None:
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


def _environment(project: Project, name: str) -> list[Any]:
    """Return the dependencies of an environment of conda."""
    try:
        read = yaml.safe_load(project.text(name))
    except yaml.YAMLError:
        return []
    listed = read.get("dependencies") if isinstance(read, Mapping) else None
    return listed if isinstance(listed, list) else []


def _tool(name: str) -> str:
    return f"{TOOLS}/bin/pip install {name}"


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []


def _mapping(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, Mapping) else []
