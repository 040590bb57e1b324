"""The store: nothing kept is lost or doubled, and a run is never mixed with another one."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest

from agent.backend import Message, ToolCall, Usage
from agent.strategy import Proposal
from agent.trajectory import Turn
from eval.sample import Failed, Failure, Sample, SampleKey
from eval.store import ConfigChangedError, Store, StoreError, open_run
from eval.verdict import Verdict

CONFIG = {"models": ["m"], "temperature": 0.8, "samples": 2}
PATCH = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a = 1\n+a = 2\n"


def key(index: int = 0, task: str = "t") -> SampleKey:
    return SampleKey(task_id=task, model="m", strategy="oneshot", index=index)


def sample(which: SampleKey, *, patch: str = PATCH, cost: float | None = 0.5) -> Sample:
    return Sample(
        key=which,
        proposal=Proposal(
            patch=patch,
            stop="patch",
            note="",
            usage=Usage(input_tokens=10, cached_tokens=4, output_tokens=3, calls=1, seconds=0.5),
            seconds=0.6,
            prompt_digest="p",
            trajectory=(
                Turn(message=Message(role="user", content="mend \udcff it")),
                Turn(
                    message=Message(
                        role="assistant",
                        content="",
                        tool_calls=(ToolCall(id="a", name="bash", arguments="{}"),),
                    ),
                    usage=Usage(input_tokens=3, seconds=0.5),
                    seconds=0.5,
                ),
                Turn(
                    message=Message(role="tool", content="x ... y", tool_call_id="a"),
                    exit_code=0,
                    whole="x and much more y",
                    source="bash",
                ),
            ),
        ),
        strategy_version="1",
        seed=7,
        temperature=0.8,
        cost=cost,
    )


def test_a_text_that_is_missing_is_a_fault_of_the_folder(tmp_path: Path) -> None:
    with Store(tmp_path) as store, pytest.raises(StoreError, match="copied as a whole folder"):
        store.texts(["d" * 64])


def test_a_sample_comes_back_as_it_was_given(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.add_sample(sample(key()))
    with Store(tmp_path) as store:
        assert store.patch(key()) == PATCH
        assert store.trajectory(key()) == sample(key()).proposal.trajectory
        (row,) = store.rows()
        assert row.usage == sample(key()).proposal.usage
        assert (row.outcome, row.cost) == (None, 0.5)
        assert store.unverified() == [key()]
        assert store.drawn("m", "oneshot") == {"t": {0}}


def test_patches_come_together_or_not_at_all(tmp_path: Path) -> None:
    texts = {key(0): PATCH, key(1): PATCH, key(2): "another\n", key(0, "u"): ""}
    with Store(tmp_path) as store:
        store.add_samples([sample(which, patch=patch) for which, patch in texts.items()])
        assert store.patches(list(reversed(texts))) == texts
        assert store.patches([]) == {}
        with pytest.raises(KeyError, match="nowhere"):
            store.patches([key(0), key(0, "nowhere")])


def test_the_first_sample_under_a_key_stays(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.add_sample(sample(key()))
        store.add_sample(sample(key(), patch="other", cost=9.0))
        assert store.patch(key()) == PATCH
        assert store.spent() == 0.5


def test_a_verdict_settles_its_sample_and_serves_the_next_one(tmp_path: Path) -> None:
    verdict = Verdict(
        outcome="unresolved",
        missing_fail_to_pass=("a",),
        missing_pass_to_pass=("b", "c"),
        exit_code=1,
        note="n",
        log="the log",
        seconds=2.5,
    )
    with Store(tmp_path) as store:
        store.add_sample(sample(key(0)))
        store.add_sample(sample(key(1)))
        store.add_verdict(key(0), "k", verdict)
        assert store.unverified() == [key(1)]
        assert store.verdict("k") == dataclasses.replace(verdict, log="")
        assert store.log("k") == "the log"
        store.add_verdict(key(1), "k", verdict)
        assert [row.outcome for row in store.rows()] == ["unresolved", "unresolved"]
        assert store.solved() == set()


def test_failures_are_shown_until_the_sample_is_judged_and_stay_paid_for(tmp_path: Path) -> None:
    usage = Usage(input_tokens=7, output_tokens=2, calls=1, seconds=0.5)
    failure = Failure(key=key(), stage="sample", message="the server went away", cost=0.25)
    failure = dataclasses.replace(failure, usage=usage)
    with Store(tmp_path) as store:
        store.add_failure(failure)
        assert store.failures() == [failure]
        store.add_sample(sample(key()))
        assert store.failures() == [failure]
        store.add_verdict(key(), "k", Verdict(outcome="resolved"))
        assert store.failures() == []
        assert store.spent() == 0.75
        assert store.failed() == {("m", "oneshot"): Failed(cost=0.25, usage=usage)}
        assert store.failed(without=["t"]) == {}
        store.add_failure(dataclasses.replace(failure, cost=None))
        assert store.failed() == {("m", "oneshot"): Failed(cost=None, usage=usage + usage)}
        assert store.solved() == {"t"}


def test_a_changed_configuration_is_refused_with_the_difference(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.begin(CONFIG, free=("samples",))
    with Store(tmp_path) as store:
        store.begin({**CONFIG, "samples": 9}, free=("samples",))
        config = store.config()
        assert config is not None
        assert config["samples"] == 9
    change = r"temperature was 0\.8 and is now 1"
    with Store(tmp_path) as store, pytest.raises(ConfigChangedError, match=change):
        store.begin({**CONFIG, "temperature": 1.0}, free=("samples",))


def test_a_run_is_drawn_into_by_one_process_at_a_time(tmp_path: Path) -> None:
    with Store(tmp_path) as first, Store(tmp_path) as second:
        first.begin(CONFIG)
        with pytest.raises(StoreError, match="Another ksolve"):
            second.begin(CONFIG)


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no run"):
        open_run(tmp_path)


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    Store(tmp_path).__exit__()
    connection = sqlite3.connect(tmp_path / "run.db")
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StoreError, match="another version"):
        Store(tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path)


def write_and_die(folder: Path, count: int) -> None:
    store = Store(folder)
    for index in range(count):
        store.add_sample(sample(key(index)))
        if index % 2:
            store.add_verdict(key(index), f"k{index}", Verdict(outcome="resolved", log="l" * 999))
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_was_written_outlives_a_killed_process(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=write_and_die, args=(tmp_path, 9))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with Store(tmp_path) as store:
        assert len(list(store.rows())) == 9
        assert store.unverified() == [key(index) for index in range(0, 9, 2)]
        assert store.log("k1") == "l" * 999


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="mounting needs root")
def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(tmp_path)], check=True)
    try:
        kept, error = 0, ""
        with Store(tmp_path) as store:
            while not error:
                try:
                    store.add_sample(sample(key(kept), patch=os.urandom(20_000).hex()))
                    kept += 1
                except StoreError as full:
                    error = str(full)
        assert kept
        assert "is full" in error
        subprocess.run(["mount", "-o", "remount,size=8m", str(tmp_path)], check=True)
        with Store(tmp_path) as store:
            assert len(list(store.rows())) == kept
            assert len(store.patch(key(kept - 1))) == 40_000
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)
