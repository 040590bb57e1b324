"""What the witness inside the container said of a test run, once its signatures were checked.

The witness (`eval/witness/`) speaks on a pipe that no test prints to, with a secret of this one
verification. Its account is put into the words of a log, so that the same parser and the same
rules judge it as judge what the tests printed. Runners other than pytest and unittest have no
witness, and then there is no evidence of this kind.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from tasks.task import EXIT_CODE_PARSER

_RECORD = re.compile(r"^([0-9a-f]{64}) (\[.*\])$")
_BODY: TypeAdapter[tuple[Any, ...]] = TypeAdapter(
    tuple[int, Literal["pytest"], Any, Any]
    | tuple[int, Literal["unittest"], Any]
    | tuple[int, Literal["test"], str, str]
    | tuple[int, Literal["canary"], str | None, str | None, str | None]
    | tuple[int, Literal["end"], int, list[str], list[str]]
)
# What a witness says. Who shares its process may sign something else with its secret.
_BAD = frozenset({"FAILED", "ERROR", "FAIL", "unexpected success"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """The account of one test run."""

    runner: str = ""
    # "pytest", "unittest", or "" when no witness spoke.
    tests: tuple[tuple[str, str], ...] = ()
    # Name and status as the runner prints them, in the order of running.
    canary_failed: bool | None = None
    # As it must, wherever it was run; None when it was not.
    canaries: tuple[str, ...] = ()
    # Where it failed.
    exit_status: int | None = None
    # Of the runner; None when it did not come to its end.
    altered: frozenset[str] = frozenset()
    # Functions of the runner that were replaced while the tests ran.
    plugins: frozenset[str] = frozenset()
    # Of pytest, by the file or the class they come from.
    forged: bool = False
    # Something else wrote what looks like a record, or records are missing.

    @property
    def any_failed(self) -> bool:
        """Whether a test failed."""
        return any(status in _BAD for _, status in self.tests)

    def as_log(self, log_parser: str) -> str:
        """Return the account in the words that the parser of the task reads."""
        if log_parser == EXIT_CODE_PARSER:
            return ""
        if self.runner == "unittest":
            return "\n".join(f"{name} ... {status}" for name, status in self.tests)
        return "\n".join(f"{status} {name}" for name, status in self.tests)


def read_evidence(told: str, secret: str) -> Evidence:
    """Check and read the lines of a witness."""
    records = []
    forged = False
    for line in told.split("\n"):
        found = _RECORD.match(line)
        if found is None:
            continue
        signature, body = found.groups()
        right = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right, signature):
            forged = True
            continue
        try:
            records.append(_BODY.validate_json(body, strict=True))
        except ValidationError:
            forged = True
    if [number for number, *_ in records] != list(range(len(records))):
        forged = True
    canaries = [
        (str(what[0]), tuple(what[1:]) == ("PASSED", "FAILED"))
        for _, kind, *what in records
        if kind == "canary"
    ]
    ends = [what for _, kind, *what in records if kind == "end"]
    return Evidence(
        runner=next((kind for _, kind, *_ in records if kind in ("pytest", "unittest")), ""),
        tests=tuple((what[0], what[1]) for _, kind, *what in records if kind == "test"),
        canary_failed=all(failed for _, failed in canaries) if canaries else None,
        canaries=tuple(dict.fromkeys(place for place, failed in canaries if failed)),
        exit_status=ends[-1][0] if ends else None,
        altered=frozenset(ends[-1][1]) if ends else frozenset(),
        plugins=frozenset(ends[-1][2]) if ends else frozenset(),
        forged=forged,
    )
