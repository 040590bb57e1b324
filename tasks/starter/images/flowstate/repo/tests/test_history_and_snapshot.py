import json

import pytest

from flowstate import Entry, Flow, History, Machine, SnapshotError, dump, load


def door():
    flow = Flow("closed")
    flow.add("open", "closed", "open")
    flow.add("close", "open", "closed")
    return flow


def test_the_last_step():
    history = History()
    history.record(Entry("open", "closed", "open"))
    assert [entry.event for entry in history.latest()] == ["open"]


def test_limit_keeps_the_newest():
    history = History(limit=1)
    history.record(Entry("open", "closed", "open"))
    history.record(Entry("close", "open", "closed"))
    assert [entry.event for entry in history] == ["close"]


def test_visited():
    history = History()
    history.record(Entry("open", "closed", "open"))
    assert history.visited("open")
    assert not history.visited("locked")


def test_limit_must_be_positive():
    with pytest.raises(ValueError):
        History(limit=0)


def test_state_and_data_survive_json():
    machine = Machine(door(), data={"room": 12})
    machine.send("open")
    again = load(door(), json.loads(json.dumps(dump(machine))))
    assert again.state == "open"
    assert again.data == {"room": 12}


def test_unknown_version():
    with pytest.raises(SnapshotError, match="version"):
        load(door(), {"version": 9, "state": "open", "data": {}})


def test_unknown_state():
    with pytest.raises(SnapshotError, match="locked"):
        load(door(), {"version": 1, "state": "locked", "data": {}})
