"""The Python that a project asks for, in any of the places where projects do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet

from tasks.project import CONDA, Project, at, conda_dependencies, specifier, strings

# Python's minor versions are tried up to this one.
_NEWEST = 30
# The minor version of Debian 12.
_USUAL = 11


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


def python_of(project: Project) -> Python | None:
    """Return the Python that a project asks for, None where it does not say."""
    pinned = re.match(r"\s*(?:cpython-?|python-?)?(3\.\d+)", project.text(".python-version"))
    for said_in, specifiers in _asked(project):
        valid = [one for one in map(specifier, specifiers) if one]
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
        for asked in strings(table.get(key)):
            yield "pyproject.toml", re.split(r"\s*\|\|?\s*", asked)
    yield "setup.cfg", [project.ini.get("options", "python_requires", fallback="")]
    yield "setup.py", strings(project.setup_py.get("python_requires"))
    required = at(project.pipfile, "requires")
    yield "Pipfile", strings(required.get("python_full_version", required.get("python_version")))
    for name in CONDA:
        for one in strings(conda_dependencies(project, name)):
            if found := re.match(r"python\s*([=<>!~].*)$", one):
                yield name, [re.sub(r"^=+(?=\d)", "", found[1].strip())]
    listed = project.ini.get("tox", "envlist", fallback="")
    listed += project.ini.get("tox", "env_list", fallback="")
    lowest = min(map(int, re.findall(r"\bpy3\.?(\d+)\b", listed)), default=_USUAL)
    if lowest > _USUAL:
        # Of those that it leaves out, the newer ones may well do.
        yield "tox.ini", [f">=3.{lowest}"]
