"""Only what the witness signed is evidence."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from eval.evidence import read_evidence

SECRET = "s"


def record(number: int, *what: object, secret: str = SECRET) -> str:
    body = json.dumps([number, *what])
    return f"{hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()} {body}"


GOOD = [
    record(0, "pytest", "8.0"),
    record(1, "test", "tests/t.py::a", "PASSED"),
    record(2, "canary", "tests/t.py", "PASSED", "FAILED"),
    record(3, "control", "", "PASSED", "PASSED"),
    record(4, "test", "tests/t.py::b", "FAILED"),
    record(5, "end", 1, ["_pytest.runner.x"], ["evil.py"]),
]


def test_signed_records_are_read() -> None:
    evidence = read_evidence("\n".join(GOOD), SECRET)
    assert evidence.runner == "pytest"
    assert evidence.canary_failed is True
    assert evidence.exit_status == 1
    assert evidence.altered == {"_pytest.runner.x"}
    assert evidence.plugins == {"evil.py"}
    assert evidence.any_failed
    assert not evidence.forged
    assert evidence.as_log("parse_log_pytest") == "PASSED tests/t.py::a\nFAILED tests/t.py::b"


def test_a_record_signed_by_another_is_forged_and_not_read() -> None:
    forged = record(6, "test", "tests/t.py::b", "PASSED", secret="guessed")
    evidence = read_evidence("\n".join([*GOOD, forged]), SECRET)
    assert evidence.forged
    assert ("tests/t.py::b", "PASSED") not in evidence.tests


def test_a_record_left_out_or_said_twice_is_forgery() -> None:
    assert read_evidence("\n".join([GOOD[0], *GOOD[2:]]), SECRET).forged
    assert read_evidence("\n".join([*GOOD, GOOD[1]]), SECRET).forged


@pytest.mark.parametrize(
    "what",
    [
        ("canary", "PASSED", "FAILED"),
        ("test", "tests/t.py::b"),
        ("test", 1, 2),
        ("end",),
        ("end", "0", [], []),
        ("end", 0, [[1]], {}),
        ("weather", "fine"),
        (),
    ],
)
def test_a_signed_record_of_no_known_shape_is_forgery_and_stops_nobody(
    what: tuple[object, ...],
) -> None:
    evidence = read_evidence("\n".join([*GOOD, record(6, *what)]), SECRET)
    assert evidence.forged
    assert evidence.exit_status == 1


@pytest.mark.parametrize("body", ["[" * 10_000 + "]", '[1e999, "test", "a", "b"]', "[NaN]"])
def test_a_signed_record_that_is_no_json_is_forgery_and_stops_nobody(body: str) -> None:
    signature = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
    assert read_evidence(f"{signature} {body}", SECRET).forged


def test_a_runner_that_did_not_end_says_so() -> None:
    assert read_evidence("\n".join(GOOD[:3]), SECRET).exit_status is None


def test_a_canary_that_passed_once_has_not_failed() -> None:
    lines = [
        record(0, "canary", "a.py", "PASSED", "FAILED"),
        record(1, "canary", "b.py", "PASSED", "PASSED"),
        record(2, "control", "", "PASSED", "PASSED"),
    ]
    evidence = read_evidence("\n".join(lines), SECRET)
    assert evidence.canary_failed is False
    assert evidence.canaries == ("a.py",)


def test_a_test_that_must_pass_is_among_those_that_show_that_the_runner_works() -> None:
    lines = [
        record(0, "canary", "", "PASSED", "FAILED"),
        record(1, "control", "", "PASSED", "FAILED"),
    ]
    assert read_evidence("\n".join(lines), SECRET).canary_failed is False
    assert read_evidence(lines[0], SECRET).canary_failed is None


def test_silence_is_no_evidence() -> None:
    evidence = read_evidence("bash: warning\n", SECRET)
    assert (evidence.runner, evidence.canary_failed, evidence.exit_status) == ("", None, None)
    assert not evidence.forged
