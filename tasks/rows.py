"""One row of a dataset -> one `Task`, and what to say about rows that are not one.

Rows are those of SWE-bench 5.x; `tasks.families` completes others to such. They come from files
and folders that anyone may have written, so every field is checked here, once. Whether an image
exists, or whether the gold patch resolves, is not looked at.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import json
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Annotated, Any

import pydantic

from tasks.completion import IncompleteRowError
from tasks.families import OLDER, SWEBENCH4, TASK_REPO, Family, RefusedRowError, completed
from tasks.resources import EXPECTED, resources_of_task
from tasks.task import (
    END_MARKER,
    START_MARKER,
    TESTBED,
    EvalType,
    Issue,
    Oracle,
    Resources,
    Task,
)
from tasks.testnames import test_names

SHOWN = 50
"""Problems listed in full by a DatasetError; the rest are counted."""

SKIP_INVALID = "--skip-invalid"
"""The option that leaves out rows which cannot be used."""

_MARKERS = (START_MARKER, END_MARKER)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing wrong with one row."""

    place: str
    """Where in the source: "line 3", "row 3", a task's folder."""

    message: str
    """What was expected and what was found."""

    field: str = ""
    instance_id: str = ""
    family: Family | None = None
    """The dataset that the row is of, where none of its rows can be used as it is."""

    def __str__(self) -> str:
        row = f"{self.place} ({self.instance_id})" if self.instance_id else self.place
        return f"{row}: {self.field}: {self.message}" if self.field else f"{row}: {self.message}"


class DatasetError(Exception):
    """A source of tasks cannot be used.

    The first line of its text is one sentence for a person; a line for each of `problems` follows.
    """

    def __init__(self, sentence: str, problems: Iterable[Problem] = ()) -> None:
        self.problems = tuple(problems)
        lines = [sentence, *(f"  {problem}" for problem in self.problems[:SHOWN])]
        if len(self.problems) > SHOWN:
            lines.append(f"  and {len(self.problems) - SHOWN} more")
        super().__init__("\n".join(lines))


Placed = tuple[str, object]
"""A row as it was read and where it stood; a `Problem` in place of a row that cannot be read, and
a `Task` in place of one that is known from elsewhere."""

OnInvalid = Callable[[Problem], None]
"""Is told of each row that is left out."""


def tasks_from_rows(
    source: str, rows: Iterable[Placed], on_invalid: OnInvalid | None = None
) -> list[Task]:
    """Return the tasks in the order of their rows.

    Rows that are none are left out where `on_invalid` is given. Raises DatasetError with every
    problem of every row where it is not, and when there is no task at all.
    """
    placed = list(rows)
    if not placed:
        raise DatasetError(f"{source} holds no tasks.")
    tasks: list[Task] = []
    problems: list[Problem] = []
    first_place: dict[str, str] = {}
    for place, row in placed:
        task, found = _task(place, row)
        name = task.id if task is not None else _instance_id(row)
        if name and first_place.setdefault(name, place) != place:
            message = f"expected an id of its own, but {first_place[name]} has it too"
            doubled = Problem(place=place, instance_id=name, field="instance_id", message=message)
            task, found = None, [*found, doubled]
        problems += found
        if task is not None:
            tasks.append(task)
    if problems and (on_invalid is None or not tasks):
        raise _error(source, len(placed), problems, some_are_tasks=bool(tasks))
    for problem in problems:
        assert on_invalid is not None
        on_invalid(problem)
    return tasks


def _error(
    source: str, rows: int, problems: Sequence[Problem], *, some_are_tasks: bool
) -> DatasetError:
    bad = f"{len({problem.place for problem in problems})} of {rows}"
    others = f" ({SKIP_INVALID} leaves them out)" if some_are_tasks else ""
    families = {problem.family for problem in problems}
    family = families.pop() if len(families) == 1 else None
    if family is OLDER:
        return DatasetError(
            f"{source} is of the older SWE-bench form (no image and no eval_script in {bad} rows);"
            f" give its 5.x form by its name on the hub, {_newer(source)}, or set {TASK_REPO} to a"
            f" SWE-bench task repo with the same instances, or {SWEBENCH4} to a Python that has"
            f" swebench 4.x, from which the rows are completed{others}."
        )
    if family is not None:
        return DatasetError(
            f"{source} holds rows of {family.name} ({bad}). Such a row {family.lacks};"
            f" {family.mend}{others}."
        )
    return DatasetError(
        f"{source} cannot be used, since rows are malformed ({bad}){others}:", problems
    )


def _newer(source: str) -> str:
    """Return the short name of the dataset that a source seems to be, else all of them."""
    names = ("multilingual", "verified", "lite")
    return next((name for name in names if name in source.lower()), f"{', '.join(names)} or full")


def _task(place: str, row: object) -> tuple[Task | None, list[Problem]]:
    if isinstance(row, Task):
        return row, []
    if isinstance(row, Problem):
        return None, [row]
    if not isinstance(row, Mapping):
        message = f"expected a row (an object with named fields), got {_shown(row)}"
        return None, [Problem(place=place, message=message)]
    try:
        return _Row.model_validate(completed(row)).task(), []
    except IncompleteRowError as error:
        problem = Problem(
            place=place,
            instance_id=_instance_id(row),
            field=error.field,
            message=str(error),
            family=error.family if isinstance(error, RefusedRowError) else None,
        )
        return None, [problem]
    except pydantic.ValidationError as error:
        return None, [_problem(place, row, detail) for detail in _one_each(error)]


def _one_each(error: pydantic.ValidationError) -> Iterable[Any]:
    """One finding a field: a list of 1,000 numbers is one mistake."""
    first: dict[Any, Any] = {}
    for detail in error.errors():
        first.setdefault(detail["loc"][0], detail)
    return first.values()


def _problem(place: str, row: Mapping[str, object], detail: Any) -> Problem:
    field = str(detail["loc"][0])
    got = "nothing" if detail["type"] == "missing" else _shown(detail["input"])
    return Problem(
        place=place,
        instance_id=_instance_id(row),
        field=field,
        message=f"expected {_EXPECTED[field]}, got {got}",
    )


def _instance_id(row: object) -> str:
    value = row.get("instance_id") if isinstance(row, Mapping) else None
    return value if isinstance(value, str) else ""


def _shown(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return ascii(textwrap.shorten(value, 60, placeholder=" ..."))
        case Mapping():
            return "an object"
        case list() | tuple():
            return f"a list of {len(value)}"
        case _:
            return f"{value!r:.60}"


def _text(value: str) -> str:
    value.encode()  # a lone surrogate cannot be written to any file
    if "\0" in value:
        raise ValueError("NUL")
    return value


def _filled(value: str) -> str:
    if not value.strip():
        raise ValueError("blank")
    return value


def _one_path(value: PurePosixPath) -> PurePosixPath:
    if not value.is_absolute() or ".." in value.parts or not str(value).isprintable():
        raise ValueError("no absolute path")
    return value


def _unpacked(text: str) -> object:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _some(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("empty")
    return value


def _known_parser(value: str) -> str:
    if value not in log_parsers():
        raise ValueError("unknown")
    return value


@functools.cache
def log_parsers() -> frozenset[str]:
    """Return the names of swebench's log parsers.

    They are read in its source: to import it takes a second, which only grading needs to spend.
    """
    source = files("swebench") / "harness" / "log_parsers" / "__init__.py"
    registry = next(
        node.value
        for node in ast.parse(source.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PARSER_REGISTRY"
    )
    assert isinstance(registry, ast.Dict)
    return frozenset(ast.literal_eval(key) for key in registry.keys if key is not None)


def _marked(value: str) -> str:
    if not all(marker in value for marker in _MARKERS):
        raise ValueError("unmarked")
    return value


def _no_assets(value: object) -> object:
    """Binary test files (SWE-bench Multimodal) are not put into a sandbox yet."""
    assets = _unpacked(value) if isinstance(value, str) and value else value
    if any(assets.values()) if isinstance(assets, Mapping) else assets:
        raise ValueError("assets")
    return None


_After = pydantic.AfterValidator
_Text = Annotated[str, _After(_text)]
_Optional = Annotated[_Text, pydantic.BeforeValidator(lambda value: "" if value is None else value)]
_Filled = Annotated[_Text, _After(_filled)]
_Workdir = Annotated[
    PurePosixPath,
    _After(_one_path),
    pydantic.BeforeValidator(lambda value: TESTBED if value is None else value),
]
_Tests = Annotated[tuple[_Filled, ...], pydantic.BeforeValidator(test_names)]


class _Row(pydantic.BaseModel):
    """The columns that ksolve reads; others are ignored. A description says what is expected."""

    instance_id: _Text = pydantic.Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+@:=-]{0,199}$",
        description="an id of up to 200 letters, digits and any of _.+@:=- without blanks",
    )
    repo: _Filled = pydantic.Field(description="the repository as owner/name")
    base_commit: _Filled = pydantic.Field(description="a commit as text")
    problem_statement: _Filled = pydantic.Field(description="the text of the issue")
    image: _Filled = pydantic.Field(
        pattern=r"^\S+$", description="the reference of a container image"
    )
    eval_script: Annotated[_Text, _After(_marked)] = pydantic.Field(
        description=f"a bash script that prints {_MARKERS[0]!r} and {_MARKERS[1]!r}"
    )
    fail_to_pass: Annotated[_Tests, _After(_some)] = pydantic.Field(
        alias="FAIL_TO_PASS",
        description="a list of at least one test name, or the text of such a list",
    )
    pass_to_pass: _Tests = pydantic.Field(
        alias="PASS_TO_PASS", description="a list of test names, or the text of such a list"
    )
    log_parser: Annotated[_Text, _After(_known_parser)] = pydantic.Field(
        description="a log parser that swebench 5.0.2 knows, such as 'parse_log_pytest'"
    )
    eval_type: EvalType = pydantic.Field(description="'pass_and_fail' or 'fail_only'")
    version: _Text = pydantic.Field(description="a version as text")
    test_patch: _Text = pydantic.Field(description="the patch to the tests as text")
    patch: _Optional = pydantic.Field("", description="the gold patch as text")
    workdir: _Workdir = pydantic.Field(
        TESTBED, description="the absolute path of the repository in the image"
    )
    network: bool | None = pydantic.Field(
        None, description="true where its tests need network, or false"
    )
    hints_text: _Optional = pydantic.Field("", description="text")
    test_command: _Optional = pydantic.Field("", description="a shell command as text")
    time_limit: Annotated[float, pydantic.Field(gt=0)] | None = pydantic.Field(
        None, description="seconds for one evaluation, as a number above 0"
    )
    resources: Annotated[Resources, pydantic.BeforeValidator(resources_of_task)] = pydantic.Field(
        Resources(), description=EXPECTED
    )
    image_assets: Annotated[None, pydantic.BeforeValidator(_no_assets)] = pydantic.Field(
        None, description="no binary test files, which ksolve does not support"
    )

    def task(self) -> Task:
        resources = self.resources
        if self.network is not None:
            resources = dataclasses.replace(resources, network=self.network)
        issue = Issue(
            id=self.instance_id,
            statement=self.problem_statement,
            repo=self.repo,
            base_commit=self.base_commit,
            image=self.image,
            workdir=self.workdir,
            test_command=self.test_command,
            hints=self.hints_text,
            resources=resources,
        )
        oracle = Oracle(
            eval_script=self.eval_script,
            fail_to_pass=self.fail_to_pass,
            pass_to_pass=self.pass_to_pass,
            log_parser=self.log_parser,
            eval_type=self.eval_type,
            version=self.version,
            test_patch=self.test_patch,
            gold_patch=self.patch or None,
            time_limit=self.time_limit or Oracle.time_limit,
        )
        return Task(issue=issue, oracle=oracle)


_EXPECTED = {
    field.alias or name: field.description or "" for name, field in _Row.model_fields.items()
}
