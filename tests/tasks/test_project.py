"""What a repository says of itself becomes one command, in every form that repositories say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tasks.project import Project
from tasks.pythons import exactly, python_of
from tasks.setups import setup_of

POETRY = "/opt/tools/bin/pip install poetry"
PIPENV = "/opt/tools/bin/pip install pipenv"
BUILD = "[build-system]\nrequires = ['setuptools']\n"
NAMED = "[project]\nname = 'anvil'\nversion = '1'\n"


class Texts:
    """Files that are known by their text."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def names(self) -> list[str]:
        return sorted(self.texts)

    def read(self, name: str) -> str:
        return self.texts[name]


def project(texts: Mapping[str, str]) -> Project:
    return Project(Texts(texts))


CASES: dict[str, tuple[dict[str, str], str]] = {
    "nothing": ({"a.py": ""}, ""),
    "a package": ({"pyproject.toml": NAMED}, "pip install -e ."),
    "a build system alone": ({"pyproject.toml": BUILD}, "pip install -e ."),
    "settings of a linter": ({"pyproject.toml": "[tool.ruff]\n"}, ""),
    "what cannot be read": ({"pyproject.toml": "not toml ["}, ""),
    "somebody else's package": ({"docs/setup.py": ""}, ""),
    "extras": (
        {
            "pyproject.toml": NAMED + "[project.optional-dependencies]\n"
            "docs = ['sphinx']\ndev = ['ruff']\nTesting = ['pytest']\n"
        },
        "pip install -e '.[Testing]'",
    ),
    "extras of developers, where tests have none": (
        {"pyproject.toml": NAMED + "[project.optional-dependencies]\ndocs = []\ndev = ['x']\n"},
        "pip install -e '.[dev]'",
    ),
    "extras by a longer name": (
        {"pyproject.toml": NAMED + "[project.optional-dependencies]\nunit_test = []\ndocs = []\n"},
        "pip install -e '.[unit_test]'",
    ),
    "dependency groups": (
        {"pyproject.toml": NAMED + "[dependency-groups]\ntests = ['pytest']\nlint = ['ruff']\n"},
        "pip install -U pip && pip install -e . --group tests",
    ),
    "dependency groups without a package": (
        {"pyproject.toml": "[dependency-groups]\ndev = ['pytest']\n"},
        "pip install -U pip && pip install --group dev",
    ),
    "lists of requirements": (
        {
            "requirements.txt": "",
            "requirements-dev.txt": "",
            "requirements-docs.txt": "",
            "requirements/base.txt": "",
        },
        "pip install -r requirements.txt -r requirements/base.txt -r requirements-dev.txt",
    ),
    "lists of requirements of tests": (
        dict.fromkeys(("dev-requirements.txt", "tests/requirements.txt", "setup.py"), ""),
        "pip install -r tests/requirements.txt -e .",
    ),
    "lists of requirements by other names": (
        dict.fromkeys(("test_requirements.txt", "requirements/dev.txt"), ""),
        "pip install -r test_requirements.txt",
    ),
    "a compiled list of requirements": (
        dict.fromkeys(("requirements-dev.in", "requirements-dev.txt"), ""),
        "pip install -r requirements-dev.txt",
    ),
    "setup.py": (
        {
            "setup.py": "from setuptools import setup\nT = ['pytest']\n"
            "setup(name='a', extras_require={'test': T, 'docs': []}, tests_require=['mock>2'])\n"
        },
        "pip install -e '.[test]' 'mock>2'",
    ),
    "setup.cfg": (
        {
            "setup.py": "import setuptools; setuptools.setup()",
            "setup.cfg": "[options.extras_require]\ntests =\n  pytest\n",
        },
        "pip install -e '.[tests]'",
    ),
    "tox": (
        {
            "setup.py": "",
            "tox.ini": "[testenv]\ndeps =\n  pytest>=7  # new\n  py38: old\n  {[base]deps}\n"
            "  # none\n  -rmore.txt\n  -r gone.txt\n",
            "more.txt": "",
        },
        "pip install -e . 'pytest>=7' -r more.txt",
    ),
    "hatch": (
        {
            "pyproject.toml": NAMED + "[tool.hatch.envs.default]\ndependencies = ['pytest-mock']\n"
            "[tool.hatch.envs.docs]\ndependencies = ['sphinx']\n"
            "[tool.hatch.envs.hatch-test]\nextra-dependencies = ['{root:uri}', 'trustme']\n"
        },
        "pip install -e . pytest-mock trustme",
    ),
    "uv": (
        {
            "pyproject.toml": NAMED + "[project.optional-dependencies]\ntest = ['x']\n"
            "[dependency-groups]\ndev = ['y']\n",
            "uv.lock": "",
        },
        "/opt/tools/bin/pip install uv && uv sync --inexact --frozen --extra test --group dev",
    ),
    "uv without a lock": (
        {"pyproject.toml": NAMED + "[tool.uv]\ndev-dependencies = ['pytest']\n"},
        "/opt/tools/bin/pip install uv && uv sync --inexact",
    ),
    "poetry": (
        {
            "pyproject.toml": "[tool.poetry.dependencies]\npython = '^3.9'\n"
            "[tool.poetry.extras]\ntest = ['x']\n"
            "[tool.poetry.group.test]\noptional = true\n",
            "poetry.lock": "",
        },
        f"{POETRY} && poetry install --no-interaction --extras test --with test",
    ),
    "poetry without a lock": (
        {
            "pyproject.toml": BUILD + "[tool.poetry.group.docs.dependencies]\nsphinx = '*'\n"
            "[tool.poetry.group.dev.dependencies]\npytest = '^8.1'\nmock = '^0.5'\n"
            "httpx = { version = '>=0.27', extras = ['http2'] }\nlocal = { path = 'libs/a' }\n"
        },
        "pip install -e . 'pytest<9,>=8.1' 'mock<0.6,>=0.5' 'httpx[http2]>=0.27' libs/a",
    ),
    "poetry without a package": (
        {
            "pyproject.toml": BUILD + "[tool.poetry]\npackage-mode = false\n"
            "[tool.poetry.dependencies]\npython = '^3.9'\nflask = '~3.0'\n"
            "[tool.poetry.dev-dependencies]\npytest = '8.*'\n"
        },
        "pip install 'flask<3.1,>=3.0' 'pytest==8.*'",
    ),
    "pdm": (
        {"pyproject.toml": NAMED + "[tool.pdm.dev-dependencies]\ntest = ['mock']\nx = ['y']\n"},
        "pip install -e . mock",
    ),
    "pipenv": (
        {"Pipfile": "", "Pipfile.lock": "", "setup.py": ""},
        f"{PIPENV} && pipenv requirements --dev | pip install -r /dev/stdin && pip install -e .",
    ),
    "pipenv without a lock": (
        {
            "Pipfile": "[packages]\nflask = '>=3'\nown = { path = '.', editable = true }\n"
            "[dev-packages]\npytest = '*'\nmine = { git = 'https://host/mine' }\n"
        },
        "pip install 'flask>=3' -e . pytest 'mine @ git+https://host/mine'",
    ),
    "conda": (
        {
            "environment.yml": "dependencies: [python=3.11, pip, gdal, "
            "{pip: [sortedcontainers>2, -r more.txt]}]\n"
        },
        "pip install 'sortedcontainers>2' -r more.txt",
    ),
    "node": (
        {"package.json": "{}", "package-lock.json": "{}"},
        "apt-get update && apt-get install -y nodejs npm && npm ci",
    ),
}


@pytest.mark.parametrize(("texts", "command"), CASES.values(), ids=CASES.keys())
def test_each_form_becomes_its_command(texts: dict[str, str], command: str) -> None:
    assert setup_of(project(texts), "pytest -q").command == command


def test_the_program_that_a_test_command_calls_decides_between_languages() -> None:
    both = project({"package.json": "{}", "pyproject.toml": NAMED})
    assert setup_of(both, "pytest -q").sources == ("pyproject.toml",)
    assert setup_of(both, "cd web && npx jest").sources == ("package.json",)


def test_what_cannot_be_installed_is_told() -> None:
    conda = setup_of(project({"environment.yml": "dependencies: [gdal, proj]"}), "pytest")
    assert "conda packages of environment.yml are not installed (gdal, proj)" in conda.notes[0]
    assert "golang-go" in setup_of(project({"go.mod": ""}), "go test ./...").notes[0]
    assert "`tox` makes environments" in setup_of(project({"setup.py": ""}), "tox -e py").notes[0]
    assert setup_of(project({"setup.py": "", "go.mod": ""}), "pytest").notes == ()


@pytest.mark.parametrize("broken", ["dependencies: [", "- a\n", "dependencies: 3\n", ""])
def test_an_environment_that_cannot_be_read_counts_as_not_there(broken: str) -> None:
    assert setup_of(project({"environment.yml": broken}), "pytest").command == ""


@pytest.mark.parametrize(
    ("texts", "specifiers", "choice"),
    [
        ({"pyproject.toml": "[project]\nrequires-python = '>=3.12'\n"}, (">=3.12",), "3.12"),
        ({"pyproject.toml": "[project]\nrequires-python='<3.10,>=3.7'"}, ("<3.10,>=3.7",), "3.9"),
        ({"setup.cfg": "[options]\npython_requires = >=3.8\n"}, (">=3.8",), "3.11"),
        ({"setup.py": "setup(python_requires='>=3.13')"}, (">=3.13",), "3.13"),
        ({"Pipfile": "[requires]\npython_version = '3.9'\n"}, ("==3.9.*",), "3.9"),
        ({"environment.yml": "dependencies: [python=3.10]"}, ("==3.10.*",), "3.10"),
        ({"environment.yml": "dependencies: ['python>=3.12']"}, (">=3.12",), "3.12"),
        ({"tox.ini": "[tox]\nenvlist = py312, py{313,314}-x\n"}, (">=3.12",), "3.12"),
        ({".python-version": "3.12.4\n"}, ("==3.12.*",), "3.12"),
        (
            {"setup.py": "setup(python_requires='>=3.8')", ".python-version": "3.12"},
            (">=3.8",),
            "3.12",
        ),
    ],
)
def test_the_python_that_is_asked_for(
    texts: dict[str, str], specifiers: tuple[str, ...], choice: str
) -> None:
    python = python_of(project(texts))
    assert python is not None
    assert (python.specifiers, python.choice) == (specifiers, choice)


@pytest.mark.parametrize(
    ("poetry", "taken", "refused"),
    [
        ("^3.9", "3.11", "3.8"),
        ("~3.9", "3.9", "3.10"),
        ("~2.7 || ^3.12", "3.12", "3.11"),
        ("3.10.*", "3.10", "3.11"),
        (">=3.8, <3.12", "3.11", "3.12"),
        ("^3.8,!=3.9.7", "3.11", "4.0"),
    ],
)
def test_poetry_writes_versions_in_its_own_way(poetry: str, taken: str, refused: str) -> None:
    text = f"[tool.poetry.dependencies]\npython = '{poetry}'\n"
    python = python_of(project({"pyproject.toml": text}))
    assert python is not None
    assert python.takes(taken)
    assert not python.takes(refused)


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"pyproject.toml": "[project]\nrequires-python = 'a snake'\n"},
        {"pyproject.toml": "[tool.poetry.dependencies]\npython = '*'\n"},
        {"tox.ini": "[tox]\nenvlist = py27, py39\n"},
        {".python-version": "my-own-environment\n"},
    ],
)
def test_where_no_python_is_asked_for_any_will_do(texts: dict[str, Any]) -> None:
    assert python_of(project(texts)) is None


def test_a_version_that_is_none_is_refused() -> None:
    assert exactly("3.12").choice == "3.12"
    assert not exactly("3.12").takes("3.11")
    with pytest.raises(ValueError, match=r"'py312' is no version of Python"):
        exactly("py312")
