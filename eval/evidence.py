"""Account of one test run, as the witness inside the container gives it, signatures checked.

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
# What a witness says. Who shares its process may sign something else with its secret.
_BODY: TypeAdapter[tuple[Any, ...]] = TypeAdapter(
    tuple[int, Literal["pytest", "unittest", "script", "missing", "late", "failed"], str]
    | tuple[int, Literal["import"], str, str, bool, bool, bool]
    | tuple[int, Literal["settings"], list[tuple[str, str]], list[str]]
    | tuple[int, Literal["test", "code"], str, str]
    | tuple[int, Literal["canary", "control"], str, str | None, str | None]
    | tuple[int, Literal["end"], int, list[str], list[str]]
)
_RUNNERS = frozenset({"pytest", "unittest", "script"})
_PASSED = frozenset({"PASSED", "ok"})
_BAD = frozenset({"FAILED", "ERROR", "FAIL", "unexpected success"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """One module that was imported from the work tree."""

    name: str
    origin: str
    """Its file, relative to the work tree."""
    from_outside: bool = False
    """Code outside of the work tree imported it, such as the runner."""
    before_collection: bool = False
    """That was before the runner looked for tests."""
    shadows: bool = False
    """Without the work tree, a module of that name would be found elsewhere."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Account of one test run."""

    runner: str = ""
    """"pytest", "unittest", "script" for a program of another kind, "" when no witness spoke."""
    settings: tuple[tuple[str, str], ...] = ()
    """What pytest made of its options and files before it looked for tests."""
    imports: tuple[Import, ...] = ()
    missing: frozenset[str] = frozenset()
    """Names that code outside of the work tree tried to import, and did not find."""
    codes: tuple[tuple[str, str], ...] = ()
    """Test modules by their files relative to the work tree, and a digest of the code in each."""
    tests: tuple[tuple[str, str], ...] = ()
    """Name and status as the runner prints them, in the order of running."""
    late: frozenset[str] = frozenset()
    """Tests that are expected to fail, and were not before they ran."""
    mended: frozenset[str] = frozenset()
    """Tests that are told to have passed after a part of them was told to have failed."""
    canary_failed: bool | None = None
    """Every test of ours that must fail did, and the other passed; None when none was run."""
    canaries: tuple[str, ...] = ()
    """Modules of the suite in which one failed."""
    exit_status: int | None = None
    """Of the runner; None when it did not come to its end."""
    altered: frozenset[str] = frozenset()
    """Functions of the runner that were replaced while the tests ran, and who observed them."""
    plugins: frozenset[str] = frozenset()
    """Of pytest, by the file or the class they come from."""
    forged: bool = False
    """Something else wrote what looks like a record, or records are missing."""

    @property
    def any_failed(self) -> bool:
        """Whether a test failed."""
        return any(status in _BAD for _, status in self.tests)

    @property
    def any_passed(self) -> bool:
        """Whether a test passed."""
        return any(status in _PASSED for _, status in self.tests)

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

    def said(*kinds: str) -> list[list[Any]]:
        return [what for _, kind, *what in records if kind in kinds]

    canaries = [
        (place, (setup, call) == ("PASSED", "FAILED")) for place, setup, call in said("canary")
    ]
    controls = [(setup, call) == ("PASSED", "PASSED") for _, setup, call in said("control")]
    ran = [*controls, *(failed for _, failed in canaries)]
    passed = {name for name, status in said("test") if status in _PASSED}
    ends, settings = said("end"), said("settings")
    return Evidence(
        runner=next((kind for _, kind, *_ in records if kind in _RUNNERS), ""),
        settings=tuple(settings[0][0]) if settings else (),
        imports=tuple(
            Import(
                name=name,
                origin=origin,
                from_outside=from_outside,
                before_collection=before,
                shadows=shadows,
            )
            for name, origin, from_outside, before, shadows in said("import")
        ),
        missing=frozenset(name for (name,) in said("missing")),
        codes=tuple((file, digest) for file, digest in said("code")),
        tests=tuple((name, status) for name, status in said("test")),
        late=frozenset(name for (name,) in said("late")),
        mended=frozenset(name for (name,) in said("failed") if name in passed),
        canary_failed=all(ran) if canaries and controls else None,
        canaries=tuple(dict.fromkeys(place for place, failed in canaries if place and failed)),
        exit_status=ends[-1][0] if ends else None,
        altered=frozenset(ends[-1][1]) if ends else frozenset(),
        plugins=frozenset(name for (*_, plugins) in (*settings, *ends) for name in plugins),
        forged=forged,
    )
