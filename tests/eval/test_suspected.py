"""Suspicions are kept with their verdicts, and runs without them are read as before."""

from __future__ import annotations

import dataclasses
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from eval import suspected
from eval.cache import _VERDICTS, VerdictCache
from eval.sample import Judged
from eval.store import Store, open_run
from eval.suspicions.suspicion import Suspicion
from eval.verdict import Verdict
from tests.eval.test_store import CONFIG, key, sample

STRONG = Suspicion(
    kind="early exit", path="p/\udcff.py", line=3, code="os._exit(0)", sentence="It ends."
)
WEAK = dataclasses.replace(STRONG, kind="network or process", strength="weak")
VERDICT = Verdict(outcome="resolved", note="git apply", seconds=1.0, suspicions=(STRONG, WEAK))


def test_verdict_that_is_read_back_has_its_suspicions(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.begin(CONFIG)
        store.add_sample(sample(key()))
        store.add_verdict(key(), "v", VERDICT)
    with open_run(tmp_path) as store:
        assert store.verdict("v") == VERDICT
        assert store.judged(key()) == VERDICT
        assert store.ask(suspected.samples) == {key(): (STRONG, WEAK)}


@pytest.mark.parametrize(
    "verdict",
    [
        dataclasses.replace(VERDICT, suspicions=(WEAK,)),
        dataclasses.replace(VERDICT, outcome="unresolved"),
        dataclasses.replace(VERDICT, suspicions=()),
    ],
)
def test_only_what_is_resolved_and_strong_counts(tmp_path: Path, verdict: Verdict) -> None:
    assert VERDICT.is_suspicious
    assert not verdict.is_suspicious
    with Store(tmp_path) as store:
        store.begin(CONFIG)
        store.add_sample(sample(key()))
        store.add_verdicts([Judged(key=key(), verdict_key="v", verdict=verdict)])
        assert store.ask(suspected.samples) == {}


def test_run_of_an_earlier_version_is_read_and_gone_on_with(tmp_path: Path) -> None:
    plain = dataclasses.replace(VERDICT, suspicions=())
    with Store(tmp_path) as store:
        store.begin(CONFIG)
        store.add_samples([sample(key()), sample(key(1))])
        store.add_verdict(key(), "v", plain)
    with closing(sqlite3.connect(tmp_path / "run.db")) as file:
        file.execute("DROP TABLE suspicions")
    with open_run(tmp_path) as store:
        assert store.verdict("v") == plain
        assert store.ask(suspected.samples) == {}
        assert store.ask(suspected.keys) == frozenset()
    with Store(tmp_path) as store:
        store.add_verdict(key(1), "w", VERDICT)
        assert store.verdicts(["v", "w"]) == {"v": plain, "w": VERDICT}


def test_cache_keeps_them_and_reads_verdicts_that_have_none(tmp_path: Path) -> None:
    cache = VerdictCache(tmp_path / "verdicts.db")
    cache.add_verdict("v", VERDICT)
    assert cache.verdict("v") == VERDICT
    fields = dataclasses.asdict(VERDICT)
    del fields["suspicions"]
    cache._put(_VERDICTS, "old", fields)
    assert cache.verdict("old") == dataclasses.replace(VERDICT, suspicions=())
    cache.close()
