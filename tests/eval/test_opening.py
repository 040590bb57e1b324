"""Reading leaves a run folder as it was, and misses nothing of what is in it."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from agent.backend import USAGE, Usage
from eval.failures import failures
from eval.sample import Failed, Failure, SampleKey
from eval.schema import SESSIONS
from eval.store import Store, StoreError, open_run
from ksolve.view.rundb import RunFiles
from tests.ksolve.recorded import LARGE, record

LATE = Failure(
    key=SampleKey(task_id="t0", model=LARGE, strategy="oneshot", index=9),
    stage="sample",
    message="the last word before the end",
)


def killed(folder: Path) -> Path:
    """Make a run folder such as a ksolve leaves that is killed: its last words are in the log."""
    record(folder.with_name("live"))
    with Store(folder.with_name("live")) as store:
        store.add_failure(LATE)
        shutil.copytree(store.folder, folder)
    assert (folder / "run.db-wal").stat().st_size
    return folder


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Everything that is recorded, which neither an index nor an empty log is a part of."""
    return {
        path.name: (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.iterdir()
        if not path.name.endswith("-shm") and path.stat().st_size
    }


def read(folder: Path) -> list[Failure]:
    with open_run(folder) as store:
        assert store.table().task.size == 48
        assert store.patch(SampleKey(task_id="t0", model=LARGE, strategy="oneshot", index=0))
        return store.failures()


def test_reading_a_run_changes_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = record(tmp_path / "run")
    before = state(folder)
    assert read(folder) == []
    assert state(folder) == before
    assert not list(folder.glob("*.db-*"))


def test_what_a_killed_run_left_in_its_log_is_read_and_stays_there(tmp_path: Path) -> None:
    folder = killed(tmp_path / "run")
    before = state(folder)
    assert read(folder) == [LATE]
    assert state(folder) == before


def test_a_run_can_be_read_while_it_is_drawn_into(tmp_path: Path) -> None:
    folder = record(tmp_path / "run")
    with Store(folder) as store, open_run(folder) as reading:
        store.add_failure(LATE)
        assert reading.failures() == [LATE]


def test_nothing_can_be_written_by_who_only_reads(tmp_path: Path) -> None:
    with open_run(record(tmp_path / "run")) as store, pytest.raises(StoreError, match="readonly"):
        store.add_failure(LATE)


def test_a_run_without_its_texts_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    folder = record(tmp_path / "run")
    (folder / "texts.db").unlink()
    with open_run(folder) as store:
        assert store.table().task.size == 48
        with pytest.raises(StoreError, match=r"texts\.db with it"):
            store.patch(SampleKey(task_id="t0", model=LARGE, strategy="oneshot", index=0))
    assert not (folder / "texts.db").exists()


def test_a_file_that_holds_nothing_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "run.db").touch()
    with pytest.raises(StoreError, match="holds no run yet"):
        open_run(tmp_path)
    assert (tmp_path / "run.db").stat().st_size == 0


@pytest.mark.parametrize("cost", [0.25, 0.0, None])
def test_a_run_of_before_failures_had_a_usage_is_read_and_goes_on(
    tmp_path: Path, cost: float | None
) -> None:
    folder = record(tmp_path / "run")
    early = dataclasses.replace(LATE, cost=cost, usage=None)
    with Store(folder) as store:
        store.add_failure(early)
        with store._db.begin() as connection:
            for name in USAGE:
                connection.exec_driver_sql(f"ALTER TABLE failures DROP COLUMN usage_{name}")
    before = state(folder)
    # What was billed nothing used nothing.
    used = Usage() if cost == 0.0 else None
    arm = (LARGE, "oneshot")
    assert read(folder) == [early]
    with open_run(folder) as store:
        assert store.failed() == {arm: Failed(cost=cost, usage=used)}
    with RunFiles(folder).records() as connection:
        assert failures(connection) == [early]
    assert state(folder) == before
    late = dataclasses.replace(LATE, usage=Usage(output_tokens=5, calls=1))
    with Store(folder) as store:
        store.add_failure(late)
    assert read(folder) == [early, late]
    with open_run(folder) as store:
        assert store.failed() == {arm: Failed(cost=cost, usage=used and late.usage)}


def test_a_run_of_before_there_were_sessions_goes_on(tmp_path: Path) -> None:
    folder = record(tmp_path / "run")
    with Store(folder) as store:
        config = store.config()
        with store._db.begin() as connection:
            SESSIONS.drop(connection)
    assert config is not None
    assert read(folder) == []
    with Store(folder) as store:
        store.begin(config)
        store.end("complete")
