"""The samples of a run in columns: what the store has comes through whole, once, and in place."""

from __future__ import annotations

import dataclasses
import math
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.backend import Usage
from eval.opening import open_database
from eval.schema import RECORDS, SAMPLES, VERDICTS
from eval.store import Store, StoreError
from eval.table import (
    NO_PATCH,
    NUMBERS,
    PENDING,
    ForeignSampleError,
    SampleRow,
    SampleTable,
    table_of,
)
from eval.verdict import OUTCOMES
from sandbox.patch import patch_digest

TASKS = ("t0", "t1", "t2")
ARMS = (("small", "oneshot"), ("large", "oneshot"), ("large", "loop"))
BLANK = patch_digest("")
amounts = st.integers(0, 2**40)
seconds = st.floats(0, 1e6)
usages = st.builds(
    Usage,
    **{
        field.name: seconds if isinstance(field.default, float) else amounts
        for field in dataclasses.fields(Usage)
    },
)


@st.composite
def drawn_rows(draw: st.DrawFn) -> list[SampleRow]:
    """Rows of one run, as the store has them: equal patches of a task share a verdict."""
    verdicts = draw(
        st.dictionaries(
            st.tuples(st.sampled_from(TASKS), st.sampled_from("pqr")),
            st.tuples(st.sampled_from(OUTCOMES), seconds),
        )
    )
    keys = draw(
        st.lists(
            st.tuples(st.sampled_from(TASKS), st.sampled_from(ARMS), st.integers(0, 9)),
            unique=True,
            max_size=20,
        )
    )
    rows = []
    for task_id, (model, strategy), index in keys:
        patch = draw(st.sampled_from("pqr"))
        judged = draw(st.booleans()) and (task_id, patch) in verdicts
        outcome, verify_seconds = verdicts[task_id, patch] if judged else (None, None)
        rows.append(
            SampleRow(
                task_id=task_id,
                model=model,
                strategy=strategy,
                index=index,
                outcome=outcome,
                usage=draw(usages),
                cost=draw(st.none() | seconds),
                patch_digest=patch,
                verify_seconds=verify_seconds,
                seconds=draw(seconds),
            )
        )
    return rows


def write(folder: Path, rows: list[SampleRow]) -> None:
    """Write rows as a store would, without the texts."""
    folder.mkdir(exist_ok=True)
    engine = open_database(folder / "run.db", RECORDS)
    text = dict.fromkeys(
        ("patch", "stop", "note", "strategy_version", "variant", "prompt_digest", "trajectory"), ""
    ) | {"sent": "{}"}
    verdicts = {
        f"{row.task_id} {row.patch_digest}": (row.outcome, row.verify_seconds)
        for row in rows
        if row.outcome is not None
    }
    with engine.begin() as connection:
        for row in rows:
            key = f"{row.task_id} {row.patch_digest}"
            used = {f"usage_{name}": n for name, n in dataclasses.asdict(row.usage).items()}
            own = {
                name: value for name, value in dataclasses.asdict(row).items() if name in SAMPLES.c
            }
            settled = {"verdict_key": key if row.outcome is not None else None}
            connection.execute(SAMPLES.insert(), text | own | used | settled)
        for key, (outcome, spent) in verdicts.items():
            values = {"outcome": outcome, "seconds": spent, "missing": "[]", "note": "", "log": ""}
            connection.execute(VERDICTS.insert(), {"key": key, **values})
    engine.dispose()


CONFIG = {"task_ids": list(TASKS), "arms": [list(arm) for arm in ARMS]}


def table_in(folder: Path, rows: list[SampleRow]) -> SampleTable:
    write(folder, rows)
    with Store(folder) as store:
        store.begin(CONFIG)
        return store.table()


@settings(max_examples=30)
@given(drawn_rows())
def test_a_table_of_the_store_is_that_of_its_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[SampleRow]
) -> None:
    read = table_in(tmp_path_factory.mktemp("run"), rows)
    expected = table_of(rows, tasks=TASKS, arms=ARMS)
    assert (read.tasks, read.arms) == (TASKS, ARMS)
    for field in dataclasses.fields(SampleTable)[2:]:
        mine, theirs = getattr(read, field.name), getattr(expected, field.name)
        assert mine.dtype == theirs.dtype, field.name
        np.testing.assert_array_equal(mine, theirs, err_msg=field.name)


@given(drawn_rows())
def test_every_field_is_where_it_belongs(rows: list[SampleRow]) -> None:
    table = table_of(rows, tasks=TASKS, arms=ARMS)
    for i, row in enumerate(rows):
        assert TASKS[table.task[i]] == row.task_id
        assert ARMS[table.arm[i]] == (row.model, row.strategy)
        assert (OUTCOMES[table.outcome[i]] if table.judged[i] else None) == row.outcome
        for name in NUMBERS:
            used = row.usage.seconds if name == "request_seconds" else None
            expected = used if used is not None else getattr(row, name, None)
            if expected is None:
                expected = getattr(row.usage, name, math.nan)
            np.testing.assert_equal(getattr(table, name)[i], expected)
    whole = np.ones(len(rows), dtype=np.bool_)
    total = sum((row.usage for row in rows), Usage())
    for name, amount in dataclasses.asdict(table.usage(whole)).items():
        assert amount == pytest.approx(getattr(total, name))


@given(drawn_rows())
def test_patches_of_a_task_have_one_number_exactly_where_they_are_equal(
    rows: list[SampleRow],
) -> None:
    table = table_of(rows, tasks=TASKS, arms=ARMS)
    by_number: dict[tuple[str, int], set[str]] = {}
    by_digest: dict[tuple[str, str], set[int]] = {}
    for row, number in zip(rows, table.patch.tolist(), strict=True):
        assert (number == NO_PATCH) == (row.outcome == "no_patch")
        if number != NO_PATCH:
            assert number >= 0
            by_number.setdefault((row.task_id, number), set()).add(row.patch_digest)
            by_digest.setdefault((row.task_id, row.patch_digest), set()).add(number)
    assert all(len(digests) == 1 for digests in by_number.values())
    assert all(len(numbers) == 1 for numbers in by_digest.values())


@given(drawn_rows(), st.sets(st.sampled_from(range(len(ARMS))), min_size=1))
def test_counts_are_those_of_a_plain_count(rows: list[SampleRow], arms: set[int]) -> None:
    n, c = table_of(rows, tasks=TASKS, arms=ARMS).counts(sorted(arms))
    mine = [row for row in rows if ARMS.index((row.model, row.strategy)) in arms and row.outcome]
    assert n.tolist() == [sum(row.task_id == task for row in mine) for task in TASKS]
    assert c.tolist() == [
        sum(row.task_id == task and row.outcome == "resolved" for row in mine) for task in TASKS
    ]


def row(index: int = 0, **changed: object) -> SampleRow:
    plain = SampleRow(
        task_id="t0",
        model="small",
        strategy="oneshot",
        index=index,
        outcome=None,
        usage=Usage(),
        cost=None,
        patch_digest="p",
        verify_seconds=None,
        seconds=1.0,
    )
    return dataclasses.replace(plain, **changed)  # type: ignore[arg-type]


def test_an_empty_patch_is_none_even_before_its_verdict() -> None:
    rows = [row(0, patch_digest=BLANK), row(1)]
    assert table_of(rows, tasks=TASKS, arms=ARMS).patch.tolist() == [NO_PATCH, 1]


def test_what_is_unknown_or_pending_says_so() -> None:
    table = table_of([row()], tasks=TASKS, arms=ARMS)
    assert table.outcome.tolist() == [PENDING]
    assert np.isnan([table.cost[0], table.verify_seconds[0]]).all()


@pytest.mark.parametrize(
    "foreign", [row(task_id="elsewhere"), row(model="another"), row(strategy="loop")]
)
def test_a_sample_that_does_not_belong_is_refused(tmp_path: Path, foreign: SampleRow) -> None:
    with pytest.raises(ForeignSampleError, match="is not part of this run"):
        table_of([row(1), foreign], tasks=TASKS, arms=ARMS)
    with pytest.raises(StoreError, match="is not part of this run"):
        table_in(tmp_path / "run", [row(1), foreign])


def test_an_outcome_that_there_is_not_is_refused(tmp_path: Path) -> None:
    odd = row(outcome="passed", verify_seconds=1.0)
    with pytest.raises(ForeignSampleError, match="'passed' is not an outcome"):
        table_of([odd], tasks=TASKS, arms=ARMS)
    with pytest.raises(StoreError, match="'passed' is not an outcome"):
        table_in(tmp_path / "run", [odd])


def test_a_folder_without_a_run_has_no_table(tmp_path: Path) -> None:
    with Store(tmp_path) as store, pytest.raises(StoreError, match="holds no run"):
        store.table()


def test_a_file_that_breaks_off_is_named(tmp_path: Path) -> None:
    write(tmp_path, [row(index, patch_digest="p" * 4000) for index in range(200)])
    with Store(tmp_path) as store:
        store.begin(CONFIG)
    with sqlite3.connect(tmp_path / "run.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = (tmp_path / "run.db").read_bytes()
    (tmp_path / "run.db").write_bytes(
        whole[: len(whole) // 8] + bytes(len(whole) - len(whole) // 8)
    )
    with Store(tmp_path) as store, pytest.raises(StoreError, match="cannot be used"):
        store.table()


@given(drawn_rows(), st.sets(st.sampled_from([*TASKS, "of another run"])))
def test_without_some_tasks_it_is_the_table_of_the_others(
    rows: list[SampleRow], left_out: set[str]
) -> None:
    tasks = [task for task in TASKS if task not in left_out]
    kept = [row for row in rows if row.task_id not in left_out]
    table = table_of(rows, tasks=TASKS, arms=ARMS).without(left_out)
    expected = table_of(kept, tasks=tasks, arms=ARMS)
    assert table.tasks == expected.tasks
    for field in dataclasses.fields(SampleTable)[2:]:
        if field.name != "patch":  # Patches are numbered by when they came first.
            found, wanted = (getattr(of, field.name) for of in (table, expected))
            assert found.dtype == wanted.dtype
            np.testing.assert_array_equal(found, wanted)
