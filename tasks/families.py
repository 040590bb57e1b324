"""The published datasets whose rows are not those of SWE-bench 5.x, each by its own name.

A family is recognised by its columns. Where its rows carry an image, a test command and a parser
that reads logs as swebench's does, or a documented convention of the family gives them, a row is
completed to one of SWE-bench 5.x. Otherwise it is refused, with what it lacks. Nothing is guessed:
by another parser than the family's own, a verdict would be another verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from tasks.completion import (
    IncompleteRowError,
    Row,
    of_swe_bench_live,
    of_swe_rebench,
    of_swe_rebench_v2,
)
from tasks.evalscript import PatchFormError
from tasks.task import TESTBED
from tasks.testnames import test_names

TASK_REPO = "KSOLVE_TASK_REPO"
"""Environment variable: the folder of a task repo that completes rows of the older form."""

SWEBENCH4 = "KSOLVE_SWEBENCH4"
"""Environment variable: a Python that has swebench 4.x, or the folder that it is installed in."""

ALIASES: Mapping[str, tuple[str, ...]] = {
    "FAIL_TO_PASS": ("fail_to_pass", "F2P"),
    "PASS_TO_PASS": ("pass_to_pass", "P2P"),
    "image": ("docker_image", "image_name"),
    "workdir": ("repo_dir", "repo_path", "working_dir"),
}
"""Columns of SWE-bench 5.x and of ksolve, and what others call them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """A dataset, or several of one form."""

    name: str
    columns: frozenset[str] = frozenset()
    """Columns that every row has, and no row of a family further down."""

    repos: frozenset[str] = frozenset()
    """Repositories, lower-case, that tell it from a family with the same columns."""

    owner: str = ""
    """Who owns its repositories, where that tells it from others."""

    without: frozenset[str] = frozenset()
    """Columns that none of its rows fills."""

    workdir: str = str(TESTBED)
    """Where its images hold the repository; `{repo}` is its name without the owner."""

    complete: Callable[[Row, str], Row] | None = None
    """Returns what a row lacks, of a row and its work directory. Raises IncompleteRowError."""

    lacks: str = ""
    """What none of its rows says, as the rest of a sentence: "names no image"."""

    mend: str = ""
    """What to do about that, as an imperative."""

    def has(self, row: Row) -> bool:
        """Whether a row is one of these."""
        repo = str(row.get("repo") or "").lower()
        return (
            self.columns <= row.keys()
            and (not self.repos or repo in self.repos)
            and (not self.owner or repo.startswith(f"{self.owner}/"))
            and all(row.get(name) is None for name in self.without)
        )

    def workdir_of(self, row: Row) -> object:
        """Return where the image of a row holds its repository: what it says, or the usual."""
        if (named := row.get("workdir")) is not None:
            return named
        return self.workdir.format(repo=PurePosixPath(str(row.get("repo") or "")).name)


class RefusedRowError(IncompleteRowError):
    """A row of a family whose rows are all refused."""

    def __init__(self, family: Family) -> None:
        super().__init__(f"this is a row of {family.name}: it {family.lacks}; {family.mend}")
        self.family = family


def family_of(row: Row) -> Family | None:
    """Return the family whose columns a row has; None for SWE-bench 5.x and for unknown ones."""
    found = next((family for family in FAMILIES if family.has(row)), None)
    if found is not None:
        return found
    says_how = any(row.get(name) is not None for name in ("image", "eval_script"))
    return OLDER if "instance_id" in row and not says_how else None


def completed(row: Row) -> Row:
    """Return a row of any family as one of SWE-bench 5.x, whose columns are not looked at.

    Raises IncompleteRowError.
    """
    family = family_of(row)
    named = _renamed(row)
    if family is None:
        return named
    workdir = family.workdir_of(named)
    if named.get("eval_script") is not None:
        # It says itself how it is evaluated.
        return {**named, "workdir": workdir}
    if family.complete is None:
        raise RefusedRowError(family)
    try:
        return {**named, "workdir": workdir, **family.complete(named, str(workdir))}
    except IncompleteRowError as error:
        message = f"this is a row of {family.name}: {error}"
        raise IncompleteRowError(message, field=error.field) from None
    except PatchFormError as error:
        message = f"expected a patch in unified form, but {error}"
        raise IncompleteRowError(message, field="test_patch") from None


def _renamed(row: Row) -> dict[str, object]:
    """Return a row under the names of SWE-bench 5.x. Raises IncompleteRowError."""
    found = dict(row)
    for name, others in ALIASES.items():
        names = [one for one in (name, *others) if one in row]
        given = [one for one in names if row[one] is not None] or names
        if len(given) > 1 and name.isupper() and not _agree(row[one] for one in given):
            message = f"expected one list of tests, but {' and '.join(given)} differ"
            raise IncompleteRowError(message, field=name)
        if given:
            found[name] = row[given[0]]
    return found


def _agree(values: Iterable[object]) -> bool:
    try:
        lists = [test_names(value) for value in values]
    except ValueError:
        return False
    return all(one == lists[0] for one in lists)


_BY_COLUMNS = (
    "write it as a row of SWE-bench 5.x, with the columns image, eval_script, log_parser and "
    "eval_type"
)

_SWE_GYM = frozenset(
    {
        "bokeh/bokeh",
        "conan-io/conan",
        "dask/dask",
        "facebookresearch/hydra",
        "getmoto/moto",
        "iterative/dvc",
        "modin-project/modin",
        "pandas-dev/pandas",
        "project-monai/monai",
        "pydantic/pydantic",
        "python/mypy",
    }
)

FAMILIES: tuple[Family, ...] = (
    Family(
        name="Multi-SWE-bench",
        columns=frozenset({"org", "repo", "number", "fix_patch"}),
        workdir="/home/{repo}",
        lacks="names no test command and no log parser (classes of the package multi_swe_bench, "
        "which also has a rule of its own for what counts as fixed)",
        mend=f"judge it with multi_swe_bench, or {_BY_COLUMNS}",
    ),
    Family(
        name="SWE-bench Pro",
        columns=frozenset({"before_repo_set_cmd", "selected_test_files_to_run"}),
        workdir="/app",
        lacks="holds neither the script that runs its tests nor the program that reads their log "
        "(run_scripts/INSTANCE_ID/run_script.sh and parser.py of scaleapi/SWE-bench_Pro-os)",
        mend=f"judge it with swe_bench_pro_eval.py of that repository, or {_BY_COLUMNS}",
    ),
    Family(
        name="R2E-Gym",
        columns=frozenset({"repo_name", "docker_image", "commit_hash"}),
        lacks="names neither base commit nor test command, and compares the outcome of every test, "
        "failures too, with expected_output_json",
        mend=f"judge it with r2egym, or {_BY_COLUMNS}",
    ),
    Family(
        name="SWE-smith",
        columns=frozenset({"image_name"}),
        owner="swesmith",
        lacks="names no test command and no log parser (profiles of the package swesmith), "
        "its patch is the bug, and the code to be repaired is a branch that has to be fetched",
        mend=f"judge it with swesmith, or {_BY_COLUMNS} and the image at that branch",
    ),
    Family(
        name="SWE-PolyBench",
        columns=frozenset({"Dockerfile", "test_command", "F2P", "P2P"}),
        workdir="/testbed",
        lacks="holds a Dockerfile in place of an image, and names no log parser",
        mend=f"judge it by its own harness, or build its image and {_BY_COLUMNS}",
    ),
    Family(
        name="Scale-SWE",
        columns=frozenset({"image_url", "pre_commands"}),
        lacks="names no test command and no log parser, since it is judged by a report that pytest "
        "writes beside its log",
        mend=f"judge it by its own harness, or {_BY_COLUMNS}",
    ),
    Family(
        name="SWE-rebench V2",
        columns=frozenset({"install_config", "image_name", "language"}),
        workdir="/{repo}",
        complete=of_swe_rebench_v2,
    ),
    Family(
        name="SWE-rebench",
        columns=frozenset({"install_config"}),
        complete=of_swe_rebench,
    ),
    Family(
        name="SWE-bench-Live's MultiLang or Windows",
        columns=frozenset({"test_cmds", "print_cmds"}),
        lacks="holds its log parser as a program, which ksolve does not run",
        mend=f"judge it by evaluation.py of microsoft/SWE-bench-Live, or {_BY_COLUMNS}",
    ),
    Family(
        name="SWE-bench-Live",
        columns=frozenset({"test_cmds", "log_parser"}),
        complete=of_swe_bench_live,
    ),
    Family(
        name="SWE-Gym",
        columns=frozenset({"instance_id", "base_commit", "test_patch"}),
        repos=_SWE_GYM,
        without=frozenset({"image", *ALIASES["image"], "eval_script"}),
        lacks="names no image, no test command and no log parser (they are in its fork of "
        "SWE-bench, SWE-Gym/SWE-Bench-Fork)",
        mend=_BY_COLUMNS,
    ),
)
"""Every family but SWE-bench itself; a row is of the first whose columns it has."""

OLDER = Family(
    name="SWE-bench before its 5.x form",
    lacks="has neither image nor eval_script",
    mend=f"give the 5.x form, or set {TASK_REPO} or {SWEBENCH4}, from which it is completed",
)
"""SWE-bench, Lite, Verified and the like, until swebench 4.x."""
