"""A run of predictions told in the files of SWE-bench's own harness (swebench 5.0.2).

One report for each model, `<model>.<run>.json`, and beside them
`logs/run_evaluation/<run>/<model>/<instance>/` with `report.json`, `patch.diff`,
`test_output.txt` and `run_instance.log`, as `harness/reporting.py` and `harness/run_evaluation.py`
name and fill them. What only the engine knows (containers and images left over) is left out.

The harness takes one prediction for an instance; of several, the best counts here (`BEST`). What
is an error there is one here: a patch that does not apply, a timeout, a failure of the system. A
tampered patch is unresolved. A log is left out where the harness, which takes logs at their word,
would read from it that a patch is resolved which is not.

The harness reads `report.json` again, and `test_output.txt` where it grades anew or says why an
instance failed. Of a long log that file holds the lines that this takes, and nothing else: it is
written so only where both come out the same. Before the tests, a script may look for a network
that its sandbox does not have, with or without a patch: the harness would explain every failure by
that, so these lines are left out. The whole log is `test_output.txt.gz` beside it.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eval.flaky import tells_tests
from eval.grading import grade
from eval.predictions import file_name_of
from eval.sample import SampleKey
from eval.store import Store
from eval.verdict import Verdict
from eval.verify import REST_NOT_RUN
from eval.whole import write_whole
from tasks.task import START_MARKER, Task

BEST = ("resolved", "unresolved", "tampered", "timeout", "not_applied", "failure", "no_patch")
"""The outcomes of attempts, the one that an instance counts by before those it does not."""

_ERRORS = frozenset({"timeout", "not_applied", "failure"})
_RULE = (
    "An instance with several predictions counts by the best of their outcomes, in this order: "
    f"{', '.join(BEST)}. `attempts` lists the outcomes in the order of the predictions."
)
# Of the harness's report.
_SCHEMA = 2
# Characters of a log that is kept as it is.
_SHORT = 20_000
# What a line holds that tells how a test or all of them ended, in the output of any runner.
_TELLING = re.compile(
    r">>>>>|PASS|FAIL|ERROR|SKIP|\b(?:ok|OK|passed|failed)\b| \.\.\. "
    r"|[\u2713\u2714\u2715\u2717\u00d7\u221a]"
)
_LEFT_OUT = "ksolve: only what tells how tests ended is left here; all of it is in {}.gz\n"


class SharedNameError(Exception):
    """Two models would write the same files; the message is one sentence for a person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """Where `swebench report` finds the rows that a run was graded against."""

    name: str
    # On the hub, or the path of a file.
    task_repo: str | None = None
    split: str = "test"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Attempt:
    """What an instance counts by."""

    outcome: str
    # One of `BEST`.
    patch: str
    verdict: Verdict
    # With its log. Of a failure, its note is all that there is.


def check_names(models: Iterable[str]) -> None:
    """Raise SharedNameError when two of the models would write the same files."""
    first: dict[str, str] = {}
    for model in models:
        other = first.setdefault(file_name_of(model), model)
        if other != model:
            raise SharedNameError(
                f"The models {other!r} and {model!r} would share one report: rename one of them."
            )


def write_reports(
    store: Store,
    strategy: str,
    models: Iterable[str],
    tasks: Sequence[Task],
    dataset: Dataset,
    *,
    missing: Collection[tuple[str, str]] = (),
) -> list[Path]:
    """Write the files for every model into the folder of a run; return the paths of the reports.

    `tasks` are all that were asked for, also those without a prediction; `missing` are the pairs of
    task and model for which the run holds an empty one that nobody made. The run is called as its
    folder is. What an earlier session wrote is replaced. Raises OSError and StoreError.
    """
    outcomes: dict[str, dict[str, list[str]]] = {model: {} for model in models}
    for row in store.rows():
        if row.strategy == strategy and (row.task_id, row.model) not in missing:
            # Their indices begin at 0 and have no gaps.
            outcomes[row.model].setdefault(row.task_id, []).append(row.outcome or "failure")
    run = store.folder.name
    logs = store.folder / "logs" / "run_evaluation" / run
    logs.mkdir(parents=True, exist_ok=True)
    _write_json(logs / "run.json", _metadata(dataset))
    reports = []
    attempts = _Attempts(store, strategy)
    for model, by_task in outcomes.items():
        infrastructure = {}
        for task in tasks:
            if task.id in by_task:
                attempt = attempts.counted(task.id, model, by_task[task.id])
                folder = logs / file_name_of(model) / task.id
                infrastructure[task.id] = _write_instance(folder, task, attempt)
        path = store.folder / f"{file_name_of(model)}.{run}.json"
        _write_json(path, _report([task.id for task in tasks], by_task, infrastructure))
        reports.append(path)
    return reports


class _Attempts:
    """Finds what instances count by."""

    def __init__(self, store: Store, strategy: str) -> None:
        self._store = store
        self._strategy = strategy
        self._failures = {failure.key: failure.message for failure in store.failures()}

    def counted(self, task_id: str, model: str, outcomes: Sequence[str]) -> _Attempt:
        index = _best(outcomes)
        key = SampleKey(task_id=task_id, model=model, strategy=self._strategy, index=index)
        note = self._failures.get(key, "It was not verified.")
        verdict = self._store.judged(key) or Verdict(outcome="unresolved", note=note)
        return _Attempt(outcome=outcomes[index], patch=self._store.patch(key), verdict=verdict)


def best_of(outcomes: Sequence[str]) -> str:
    """Return the outcome that an instance with these counts by."""
    return outcomes[_best(outcomes)]


def _best(outcomes: Sequence[str]) -> int:
    """Return the place of the first of the best."""
    return min(range(len(outcomes)), key=lambda place: BEST.index(outcomes[place]))


def _write_instance(folder: Path, task: Task, attempt: _Attempt) -> tuple[str, str] | None:
    """Write what the harness keeps of one instance; return how it would explain a failure.

    That is a reason and how sure it is, by the words of its `harness/infra_failure.py`.
    """
    from swebench.harness.constants import LOG_INSTANCE, LOG_REPORT, LOG_TEST_OUTPUT
    from swebench.harness.infra_failure import TIER_ENVIRONMENT, classify_logs

    shutil.rmtree(folder, ignore_errors=True)
    if attempt.outcome == "no_patch":
        return None
    folder.mkdir(parents=True)
    (folder / "patch.diff").write_bytes(_bytes(attempt.patch))
    (folder / LOG_INSTANCE).write_bytes(_bytes(_instance_log(attempt)))
    output = _test_output(task, attempt)
    shown = "" if output is None else _without_lookups(output)
    if output is not None:
        (folder / LOG_TEST_OUTPUT).write_bytes(_bytes(shown))
    if attempt.outcome not in _ERRORS:
        entry = _entry(task, attempt)
        found = classify_logs(folder / LOG_TEST_OUTPUT)
        if "tests_status" not in entry and found:
            entry["infra_failure_reason"], tier = found
            entry["infra_failure"] = tier == TIER_ENVIRONMENT
        _write_json(folder / LOG_REPORT, {task.id: entry})
    told: tuple[str, str] | None = None
    if attempt.outcome != "resolved":
        told = classify_logs(folder / LOG_TEST_OUTPUT, folder / LOG_INSTANCE)
    if output is not None and (short := _shortened(task, shown)) != output:
        whole = gzip.compress(_bytes(output), mtime=0)
        (folder / f"{LOG_TEST_OUTPUT}.gz").write_bytes(whole)
        note = _LEFT_OUT.format(LOG_TEST_OUTPUT)
        (folder / LOG_TEST_OUTPUT).write_bytes(_bytes(note + short))
    return told


def _without_lookups(output: str) -> str:
    """Return a log without what was said before the tests of a network that was not there."""
    from swebench.harness.infra_failure import classify_text

    before, marker, rest = output.partition(START_MARKER)
    if not marker:
        return output
    lines = before.splitlines(keepends=True)
    kept = (line for line in lines if (classify_text(line) or [""])[0] != "network_unreachable")
    return "".join(kept) + marker + rest


def _shortened(task: Task, output: str) -> str:
    """Return the lines of a log from which the harness reads the same, or all of it."""
    from swebench.harness.infra_failure import classify_text

    if len(output) <= _SHORT:
        return output
    lines = output.splitlines(keepends=True)
    telling = (line for line in lines if _TELLING.search(line) or classify_text(line))
    short = "".join(telling)
    same = classify_text(short) == classify_text(output) and grade(task, short) == grade(
        task, output
    )
    return short if same else output


def _instance_log(attempt: _Attempt) -> str:
    from swebench.harness.constants import APPLY_PATCH_FAIL, APPLY_PATCH_PASS

    verdict = attempt.verdict
    if attempt.outcome == "not_applied":
        return f"{APPLY_PATCH_FAIL}:\n{verdict.log}\n{verdict.note}\n"
    if attempt.outcome == "failure":
        return f"{verdict.note}\n"
    return f"{APPLY_PATCH_PASS}:\n{attempt.outcome}: {verdict.note}\n"


def _test_output(task: Task, attempt: _Attempt) -> str | None:
    """Return the log as the harness would have it; None where it has none, or would misread it."""
    from swebench.harness.constants import TEST_EXIT_CODE

    verdict = attempt.verdict
    if attempt.outcome in {"not_applied", "failure"}:
        return None
    output = verdict.log
    if verdict.exit_code is not None and TEST_EXIT_CODE not in output:
        output += f"{TEST_EXIT_CODE}: {verdict.exit_code}\n"
    if attempt.outcome != "resolved" and grade(task, output).resolved:
        return None
    if attempt.outcome == "timeout":
        output += f"\n\nTimeout error: {task.oracle.time_limit:.0f} seconds exceeded."
    return output


def _entry(task: Task, attempt: _Attempt) -> dict[str, Any]:
    """Return what `report.json` says of an instance."""
    verdict, oracle = attempt.verdict, task.oracle
    told = tells_tests(verdict)
    entry: dict[str, Any] = {
        "patch_is_None": False,
        "patch_exists": True,
        "patch_successfully_applied": told,
        # In the harness this means as much: it found results in the log.
        "resolved": attempt.outcome == "resolved",
        "infra_failure": False,
    }
    if attempt.outcome == "tampered":
        entry["tampered"] = True
    if told:
        rest = () if REST_NOT_RUN in verdict.note else oracle.pass_to_pass
        entry["tests_status"] = {
            "FAIL_TO_PASS": _status(oracle.fail_to_pass, verdict.missing_fail_to_pass),
            "PASS_TO_PASS": _status(rest, verdict.missing_pass_to_pass),
            "FAIL_TO_FAIL": _status((), ()),
            "PASS_TO_FAIL": _status((), ()),
        }
    return entry


def _status(expected: Sequence[str], missing: Sequence[str]) -> dict[str, list[str]]:
    absent = frozenset(missing)
    return {
        "success": [test for test in expected if test not in absent],
        "failure": [test for test in expected if test in absent],
    }


def _report(
    task_ids: Sequence[str],
    attempts: Mapping[str, Sequence[str]],
    infrastructure: Mapping[str, tuple[str, str] | None],
) -> dict[str, Any]:
    """Return the report of one model; `attempts` are the outcomes of each instance."""
    from swebench.harness.infra_failure import TIER_ENVIRONMENT

    counted = {name: attempts[name][_best(attempts[name])] for name in sorted(attempts)}
    reasons = {name: infrastructure[name] for name in counted}
    faults = {name: found for name, found in reasons.items() if found is not None}

    def of(*outcomes: str) -> list[str]:
        return [name for name, outcome in counted.items() if outcome in outcomes]

    ids = {
        "completed": of("resolved", "unresolved", "tampered"),
        "resolved": of("resolved"),
        "unresolved": of("unresolved", "tampered"),
        "infra_failure": [n for n, (_, tier) in faults.items() if tier == TIER_ENVIRONMENT],
        "ambiguous_failure": [n for n, (_, tier) in faults.items() if tier != TIER_ENVIRONMENT],
        "empty_patch": of("no_patch"),
        "error": of(*_ERRORS),
        "incomplete": sorted(name for name in task_ids if name not in counted),
        "submitted": list(counted),
        "tampered": of("tampered"),
    }
    numbered = ("completed", "resolved", "unresolved", "infra_failure", "ambiguous_failure")
    return {
        "total_instances": len(task_ids),
        "submitted_instances": len(counted),
        **{f"{name}_instances": len(ids[name]) for name in (*numbered, "empty_patch", "error")},
        **{f"{name}_ids": names for name, names in ids.items()},
        "failure_reasons": {name: reason for name, (reason, _) in faults.items()},
        "schema_version": _SCHEMA,
        "ksolve": {"rule": _RULE, "attempts": {name: list(attempts[name]) for name in counted}},
    }


def _metadata(dataset: Dataset) -> dict[str, Any]:
    return {
        "dataset": dataset.name,
        "split": dataset.split,
        "task_repo": dataset.task_repo,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    write_whole(path, json.dumps(data, indent=4) + "\n")


def _bytes(text: str) -> bytes:
    # A model may answer with text that is not valid Unicode.
    return text.encode("utf-8", "replace")
