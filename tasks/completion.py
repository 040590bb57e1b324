"""What rows of other datasets lack beside those of SWE-bench 5.x, as their own harnesses have it.

Each function takes a row and the work directory of its image, and returns its image, evaluation
script, log parser and evaluation type. Whether a row is of the family is known by then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from tasks.evalscript import changed_files, evaluation_script, quoted, test_files
from tasks.testnames import test_names

Row = Mapping[str, object]


class IncompleteRowError(Exception):
    """A row lacks something that it is evaluated by, or says it in a way that is not known."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


_CONDA = ("source /opt/miniconda3/bin/activate", "conda activate testbed")
_SAME_PARSERS = frozenset({"parse_log_pytest", "parse_log_pytest_options"})
"""Parsers of SWE-rebench that swebench 5.0.2 has under the same names and to the same effect.

Its `parse_log_pytest_v2` is not among them: it cuts names at blanks, where swebench's does not.
"""

_SAME_PARSERS_V2 = _SAME_PARSERS | {
    "parse_log_ant",
    "parse_log_cargo",
    "parse_log_cucumber",
    "parse_log_doctest",
    "parse_log_googletest",
    "parse_log_gotest",
    "parse_log_jest_json",
    "parse_log_jq",
    "parse_log_micropython_test",
    "parse_log_minitest",
    "parse_log_redis",
    "parse_log_rspec_transformed_json",
    "parse_log_ruby_unit",
    "parse_log_tap",
    "parse_log_vitest",
}
"""Likewise of SWE-rebench V2, whose parsers are a module of its own (lib/agent/log_parsers.py)."""

_TIME = re.compile(
    r"[\[(]\s*\d+(?:\.\d+)?\s*m?s\s*[\])]\s*$|\sin\s+\d+(?:\.\d+)?\s+m?sec\b", re.IGNORECASE
)
"""A time in the name of a test, which SWE-rebench V2 takes out of what is expected and what ran."""


def of_swe_rebench(row: Row, workdir: str) -> Row:
    """By SWE-rebench's fork of SWE-bench (`harness/test_spec/python.py`)."""
    image = _text(row, "image", expected="the reference of its image", called="docker_image")
    config = ("install_config",)
    command = _text(row, *config, "test_cmd", expected="the command that runs the tests")
    parser = _parser(row, "install_config", "log_parser", known=_SAME_PARSERS)
    patch = _text(row, "test_patch", expected="the patch to the tests")
    install = _texts(row, *config, "install")
    base = quoted([str(row.get("base_commit") or "")])
    files = quoted(changed_files(patch))
    script = evaluation_script(
        workdir=workdir,
        prepare=[*_CONDA, *_texts(row, *config, "eval_commands"), *install],
        reset=f"git checkout {base} {files}".rstrip(),
        apply="git apply -v -",
        test_patch=patch,
        tests=[f"{command} {quoted(test_files(patch))}".rstrip()],
    )
    return _columns(row, image=image, script=script, parser=parser)


def of_swe_rebench_v2(row: Row, workdir: str) -> Row:
    """By SWE-rebench V2's own program (`scripts/eval.py`), which stops at a command that fails."""
    image = _text(row, "image", expected="the reference of its image", called="image_name")
    commands = _texts(row, "install_config", "test_cmd")
    if not commands:
        message = "expected the commands that run the tests, got none"
        raise IncompleteRowError(message, field="install_config.test_cmd")
    parser = _parser(row, "install_config", "log_parser", known=_SAME_PARSERS_V2)
    _refuse_times(row)
    patch = _text(row, "test_patch", expected="the patch to the tests")
    files = changed_files(patch)
    base = quoted([str(row.get("base_commit") or "")])
    script = evaluation_script(
        workdir=workdir,
        prepare=[],
        reset=f"git checkout {base} {quoted(files)}" if files else "",
        apply="git apply -v --3way --recount --ignore-space-change --whitespace=nowarn -",
        test_patch=patch,
        tests=commands if len(commands) == 1 else ["(", "set -e", *commands, ")"],
    )
    return _columns(row, image=image, script=script, parser=parser)


def _refuse_times(row: Row) -> None:
    for field in ("FAIL_TO_PASS", "PASS_TO_PASS"):
        try:
            names = test_names(row.get(field))
        except ValueError:
            # Said where columns are looked at.
            continue
        if timed := next((one for one in names if _TIME.search(str(one))), None):
            message = (
                f"the name {timed[:60]!r} holds a time, which differs in every run: judge it by "
                "the dataset's own harness"
            )
            raise IncompleteRowError(message, field=field)


def of_swe_bench_live(row: Row, workdir: str) -> Row:
    """By SWE-bench-Live's fork of SWE-bench (`python-only`, `harness/test_spec/utils.py`)."""
    parser = _text(row, "log_parser", expected="'pytest'")
    if parser != "pytest":
        shown = "a program" if "\n" in parser else repr(parser)[:60]
        message = f"expected 'pytest', got {shown}, which ksolve does not run"
        raise IncompleteRowError(message, field="log_parser")
    commands = _texts(row, "test_cmds")
    if not commands:
        message = "expected the commands that run the tests, got none"
        raise IncompleteRowError(message, field="test_cmds")
    patch = _text(row, "test_patch", expected="the patch to the tests")
    files = changed_files(patch)
    base = quoted([str(row.get("base_commit") or "")])
    script = evaluation_script(
        workdir=workdir,
        prepare=[],
        reset=f"git checkout {base} {quoted(files)}" if files else "",
        apply="git apply --verbose --reject -",
        test_patch=patch,
        tests=commands,
    )
    name = str(row.get("instance_id") or "").lower().replace("__", "_1776_")
    image = row.get("image") or f"starryzhang/sweb.eval.x86_64.{name}:latest"
    return _columns(row, image=str(image), script=script, parser="parse_log_pytest")


def _columns(row: Row, *, image: str, script: str, parser: str) -> Row:
    """Return what a row of SWE-bench 5.x has beside what the families share with it."""
    return {
        "image": image,
        "eval_script": script,
        "log_parser": parser,
        "eval_type": "pass_and_fail",
        "version": str(row.get("version") or ""),
        "hints_text": row.get("hints_text") if isinstance(row.get("hints_text"), str) else None,
    }


def _parser(row: Row, *path: str, known: frozenset[str]) -> str:
    name = _text(row, *path, expected="the name of a log parser")
    if name not in known:
        raise IncompleteRowError(
            f"its log parser {name[:60]!r} is the dataset's own, and swebench 5.0.2 has none that "
            "reads logs alike: judge it by the dataset's own harness",
            field=".".join(path),
        )
    return name


def _at(row: Row, path: Sequence[str]) -> object:
    """Return what stands at a place in a row, whose tables may be JSON text."""
    value: object = row
    for name in path:
        if isinstance(value, str) and value.strip():
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return None
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _text(row: Row, *path: str, expected: str, called: str = "") -> str:
    """Return a text that stands in a row. Raises IncompleteRowError."""
    value = _at(row, path)
    if isinstance(value, str) and value.strip():
        return value
    got = "nothing" if not value else f"{value!r:.60}"
    raise IncompleteRowError(f"expected {expected}, got {got}", field=called or ".".join(path))


def _texts(row: Row, *path: str) -> list[str]:
    """Return the texts that stand in a row, which may be none. Raises IncompleteRowError."""
    value = _at(row, path)
    texts = [value] if isinstance(value, str) else list(value) if isinstance(value, list) else []
    if (value is not None and not isinstance(value, str | list)) or not all(
        isinstance(one, str) for one in texts
    ):
        message = f"expected commands as texts, got {value!r:.60}"
        raise IncompleteRowError(message, field=".".join(path))
    return [one for one in texts if one.strip()]
