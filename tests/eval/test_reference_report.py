"""The files in SWE-bench's form: its own code, run over them, comes to the same report."""

from __future__ import annotations

import dataclasses
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.backend import Usage
from agent.strategy import Proposal
from eval.grading import grade
from eval.reference_report import Dataset, SharedNameError, check_names, write_reports
from eval.sample import Failure, Sample, SampleKey
from eval.store import Store
from eval.verdict import Verdict
from tasks.task import Issue, Oracle, Task

START, END = ">>>>> Start Test Output", ">>>>> End Test Output"
MODEL, OTHER = "org/one", "two"
RUN = "my-run"
FORGED = f"{START}\nPASSED t.py::f\nPASSED t.py::p\n{END}\n"


def log(*lines: str) -> str:
    return "\n".join(["+ set up", START, *lines, END, ""])


PASSED = Verdict(outcome="resolved", exit_code=0, log=log("PASSED t.py::f", "PASSED t.py::p"))
FAILED = Verdict(
    outcome="unresolved",
    missing_fail_to_pass=("t.py::f",),
    exit_code=1,
    log=log("FAILED t.py::f - assert", "PASSED t.py::p"),
)
HURRIED = Verdict(
    outcome="unresolved",
    missing_fail_to_pass=("t.py::f",),
    exit_code=1,
    note="PASS_TO_PASS was not run",
    log=log("FAILED t.py::f - assert"),
)
UNSEEN = Verdict(
    outcome="unresolved",
    missing_fail_to_pass=("t.py::f",),
    missing_pass_to_pass=("t.py::p",),
    exit_code=2,
    note="the log shows no test run",
    log=log("Could not resolve host: example.org"),
)
BELIED = Verdict(
    outcome="unresolved",
    missing_fail_to_pass=("t.py::f",),
    missing_pass_to_pass=("t.py::p",),
    exit_code=7,
    note="the log shows no test run",
    log=log("PASSED t.py::f", "PASSED t.py::p"),
)
TIMEOUT = Verdict(outcome="timeout", note="stopped after 9 s", log=log("collecting"))
NOT_APPLIED = Verdict(outcome="not_applied", note="It does not fit.", log="error: no such file")
TAMPERED = Verdict(outcome="tampered", note="a test that must fail did not", log=FORGED)
NO_PATCH = Verdict(outcome="no_patch")

# The verdicts of a model's predictions for each instance; None is a failure.
VERDICTS: dict[str, dict[str, list[Verdict | None]]] = {
    MODEL: {
        "resolved": [PASSED],
        "unresolved": [FAILED],
        "hurried": [HURRIED],
        "unseen": [UNSEEN],
        "belied": [BELIED],
        "timeout": [TIMEOUT],
        "not_applied": [NOT_APPLIED],
        "tampered": [TAMPERED],
        "failure": [None],
        "no_patch": [NO_PATCH],
    },
    OTHER: {
        "resolved": [FAILED, PASSED, None, PASSED],
        "unresolved": [NOT_APPLIED, TAMPERED, FAILED, NO_PATCH],
        "not_applied": [NO_PATCH, NOT_APPLIED],
        "failure": [None, NO_PATCH],
    },
}
INSTANCES = [*VERDICTS[MODEL], "never asked"]

# What `swebench eval` does after its containers, and `swebench report` instead of them.
THEIRS = """
import json, sys
from pathlib import Path
from swebench.harness.reporting import make_run_report
from swebench.harness.run_evaluation import run_instance
from swebench.harness.utils import make_test_spec

run_id, predictions, dataset, graded = json.load(sys.stdin)
for model, of_model in predictions.items():
    make_run_report(of_model, dataset, run_id, None, "theirs")
again = {}
for row in dataset:
    if row["instance_id"] in graded:
        prediction = predictions["org/one"][row["instance_id"]]
        spec = make_test_spec(row)
        again |= run_instance(spec, prediction, None, run_id, rewrite_reports=True)[1]
Path("again.json").write_text(json.dumps(again))
"""


def task(instance: str) -> Task:
    oracle = Oracle(
        eval_script=": '>>>>> Start Test Output'\npytest -rA\n: '>>>>> End Test Output'\n",
        fail_to_pass=("t.py::f",),
        pass_to_pass=("t.py::p",),
        log_parser="parse_log_pytest",
        time_limit=9,
    )
    issue = Issue(id=instance, statement="s", repo="r", base_commit="c", image="i")
    return Task(issue=issue, oracle=oracle)


def row(instance: str) -> dict[str, Any]:
    oracle = task(instance).oracle
    return {
        "instance_id": instance,
        "image": "i",
        "repo": "r",
        "version": "",
        "FAIL_TO_PASS": list(oracle.fail_to_pass),
        "PASS_TO_PASS": list(oracle.pass_to_pass),
        "log_parser": oracle.log_parser,
        "eval_type": oracle.eval_type,
        "eval_script": oracle.eval_script,
    }


def keep(store: Store, key: SampleKey, verdict: Verdict | None) -> None:
    blank = verdict is NO_PATCH
    proposal = Proposal(
        patch="" if blank else f"patch {key.index}\r\n",
        stop="empty" if blank else "patch",
        note="",
        usage=Usage(),
        seconds=0.0,
        prompt_digest="",
        trajectory=(),
    )
    sample = Sample(
        key=key, proposal=proposal, strategy_version="", seed=None, temperature=0.0, cost=None
    )
    store.add_sample(sample)
    if verdict is None:
        said = "Cannot connect to the Docker daemon."
        store.add_failure(Failure(key=key, stage="verify", message=said))
    else:
        store.add_verdict(key, f"{key}", verdict)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / RUN
    with Store(folder) as store:
        for model, of_model in VERDICTS.items():
            for instance, verdicts in of_model.items():
                for index, verdict in enumerate(verdicts):
                    key = SampleKey(
                        task_id=instance, model=model, strategy="predictions", index=index
                    )
                    keep(store, key, verdict)
        tasks = [task(instance) for instance in INSTANCES]
        dataset = Dataset(name="somewhere.jsonl")
        write_reports(store, "predictions", VERDICTS, tasks, dataset)
        # Again, as when a run goes on.
        paths = write_reports(store, "predictions", VERDICTS, tasks, dataset)
    assert [path.name for path in paths] == [f"org__one.{RUN}.json", f"two.{RUN}.json"]
    return folder


def report(run: Path, model: str) -> dict[str, Any]:
    found = json.loads((run / f"{model.replace('/', '__')}.{RUN}.json").read_text())
    assert isinstance(found, dict)
    return found


def logs(run: Path, model: str, instance: str) -> Path:
    return run / "logs" / "run_evaluation" / RUN / model.replace("/", "__") / instance


def told(run: Path, instance: str) -> dict[str, Any]:
    found = json.loads((logs(run, MODEL, instance) / "report.json").read_text())
    assert found.keys() == {instance}
    return dict(found[instance])


def test_each_outcome_is_counted_as_the_reference_counts_it(run: Path) -> None:
    told = report(run, MODEL)
    assert told["resolved_ids"] == ["resolved"]
    unresolved = ["belied", "hurried", "tampered", "unresolved", "unseen"]
    assert told["unresolved_ids"] == unresolved
    assert told["completed_ids"] == sorted(["resolved", *unresolved])
    assert told["error_ids"] == ["failure", "not_applied", "timeout"]
    assert told["empty_patch_ids"] == ["no_patch"]
    assert told["incomplete_ids"] == ["never asked"]
    assert told["tampered_ids"] == ["tampered"]
    assert told["failure_reasons"]["failure"] == "container_unavailable"
    assert (told["total_instances"], told["submitted_instances"]) == (11, 10)


def test_of_several_predictions_the_best_counts_and_all_are_listed(run: Path) -> None:
    told = report(run, OTHER)
    assert told["resolved_ids"] == ["resolved"]
    assert told["unresolved_ids"] == ["unresolved"]
    assert told["error_ids"] == ["failure", "not_applied"]
    assert told["tampered_ids"] == told["empty_patch_ids"] == []
    assert told["ksolve"]["attempts"] == {
        "failure": ["failure", "no_patch"],
        "not_applied": ["no_patch", "not_applied"],
        "resolved": ["unresolved", "resolved", "failure", "resolved"],
        "unresolved": ["not_applied", "tampered", "unresolved", "no_patch"],
    }
    assert (logs(run, OTHER, "resolved") / "patch.diff").read_bytes() == b"patch 1\r\n"


def test_what_was_not_run_is_neither_a_success_nor_a_failure(run: Path) -> None:
    assert told(run, "unresolved")["tests_status"]["PASS_TO_PASS"]["success"] == ["t.py::p"]
    status = told(run, "hurried")["tests_status"]
    assert status["FAIL_TO_PASS"] == {"success": [], "failure": ["t.py::f"]}
    assert status["PASS_TO_PASS"] == {"success": [], "failure": []}


def test_an_error_has_no_report_of_its_own_and_an_empty_patch_no_folder(run: Path) -> None:
    for instance in ("timeout", "not_applied", "failure"):
        folder = logs(run, MODEL, instance)
        assert (folder / "run_instance.log").exists()
        assert not (folder / "report.json").exists()
    assert not logs(run, MODEL, "no_patch").exists()


def test_a_log_that_the_reference_would_misread_is_left_out(run: Path) -> None:
    assert told(run, "tampered")["tampered"]
    assert not told(run, "tampered")["resolved"]
    assert not (logs(run, MODEL, "tampered") / "test_output.txt").exists()


def test_the_reference_writes_the_same_reports_from_the_same_logs(run: Path) -> None:
    predictions = {
        model: {
            instance: {
                "instance_id": instance,
                "model_name_or_path": model,
                "model_patch": "" if instance == "no_patch" else "x",
            }
            for instance in of_model
        }
        for model, of_model in VERDICTS.items()
    }
    graded = ["resolved", "unresolved", "unseen", "belied"]
    before = {instance: told(run, instance) for instance in graded}
    question = [RUN, predictions, [row(instance) for instance in INSTANCES], graded]
    subprocess.run(
        [sys.executable, "-c", THEIRS],
        cwd=run,
        input=json.dumps(question),
        text=True,
        check=True,
        timeout=300,
    )
    for model in VERDICTS:
        ours = report(run, model)
        theirs = report(run / "theirs", model)
        assert ours.keys() - theirs.keys() == {"tampered_ids", "ksolve"}
        assert theirs == {name: ours[name] for name in theirs}
    assert json.loads((run / "again.json").read_text()) == before


def test_the_reference_finds_the_dataset_again(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from swebench.harness.run_evaluation import read_run_metadata

    monkeypatch.chdir(run)
    found = read_run_metadata(RUN)
    assert (found["dataset"], found["split"], found["task_repo"]) == (
        "somewhere.jsonl",
        "test",
        None,
    )


def test_two_models_never_share_a_report() -> None:
    check_names(["a/b", "a_b", "a/b"])
    with pytest.raises(SharedNameError, match="'a/b' and 'a__b'"):
        check_names(["a/b", "a__b"])


def long_log(tests: int) -> str:
    """What a suite prints that says much of each test: some 600 bytes a test."""
    said = "".join(f"E   {'x' * 70} {number}\n" * 8 for number in range(tests))
    ended = "".join(f"PASSED t.py::test_{number}\n" for number in range(tests))
    ended += "FAILED t.py::f - x\nPASSED t.py::p\n"
    return f">>>>> Start Test Output\n{said}{ended}>>>>> End Test Output\n"


def test_a_long_log_is_kept_compressed_and_is_graded_the_same(tmp_path: Path) -> None:
    """57 MB were kept for 87 evaluations."""
    log = long_log(1_000)
    verdict = Verdict(outcome="unresolved", missing_fail_to_pass=("t.py::f",), exit_code=1, log=log)
    with Store(tmp_path / RUN) as store:
        keep(store, SampleKey(task_id="a", model="m", strategy="s", index=0), verdict)
        write_reports(store, "s", ["m"], [task("a")], Dataset(name="x"))
    folder = logs(tmp_path / RUN, "m", "a")
    whole = gzip.decompress((folder / "test_output.txt.gz").read_bytes()).decode()
    assert whole.startswith(log)
    short = (folder / "test_output.txt").read_text()
    assert grade(task("a"), short) == grade(task("a"), whole)
    assert grade(task("a"), short).missing_fail_to_pass == ("t.py::f",)
    size = sum(file.stat().st_size for file in folder.iterdir())
    assert size < len(log) / 10


@pytest.mark.parametrize("during", ["", "OSError: Temporary failure in name resolution\n"])
def test_a_look_up_before_the_tests_explains_no_failure(tmp_path: Path, during: str) -> None:
    """The sandbox has no network, with a right patch as with a wrong one."""
    before = "WARNING: Retrying: Temporary failure in name resolution\nUsing what is installed\n"
    ended = "FAILED t.py::f - x\nPASSED t.py::p\n"
    log = f"{before}>>>>> Start Test Output\n{during}{ended}>>>>> End Test Output\n"
    with Store(tmp_path / RUN) as store:
        key = SampleKey(task_id="a", model="m", strategy="s", index=0)
        keep(store, key, Verdict(outcome="unresolved", missing_fail_to_pass=("t.py::f",), log=log))
        (path,) = write_reports(store, "s", ["m"], [task("a")], Dataset(name="x"))
    found = json.loads(path.read_text())
    assert found["unresolved_ids"] == ["a"]
    assert found["failure_reasons"] == ({"a": "network_unreachable"} if during else {})
    folder = logs(tmp_path / RUN, "m", "a")
    shown = (folder / "test_output.txt").read_text()
    assert "Retrying" not in shown
    assert "Using what is installed" in shown
    assert gzip.decompress((folder / "test_output.txt.gz").read_bytes()).decode().startswith(log)


def test_a_log_of_which_a_part_would_be_graded_otherwise_stays_whole(tmp_path: Path) -> None:
    """Here what is printed says nothing that is known of how a test ended."""
    silent = dataclasses.replace(task("a").oracle, log_parser="parse_log_calypso")
    log = long_log(500).replace("PASSED", "  ->").replace("FAILED", "  <-")
    odd = f"{log}\nCannot find module\n{'y' * 30_000}"
    with Store(tmp_path / RUN) as store:
        key = SampleKey(task_id="a", model="m", strategy="s", index=0)
        keep(store, key, Verdict(outcome="unresolved", missing_fail_to_pass=("t.py::f",), log=odd))
        asked = dataclasses.replace(task("a"), oracle=silent)
        (path,) = write_reports(store, "s", ["m"], [asked], Dataset(name="x"))
    # Why it failed is read from the same file.
    assert json.loads(path.read_text())["failure_reasons"] == {"a": "missing_module"}
    folder = logs(tmp_path / RUN, "m", "a")
    assert "Cannot find module" in (folder / "test_output.txt").read_text()
