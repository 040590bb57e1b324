import pytest

from flowstate import Flow, GuardRefused, InvalidEvent, Machine, NothingToUndo


@pytest.fixture
def flow():
    flow = Flow("draft")
    flow.add("submit", "draft", "review")
    flow.add("approve", "review", "published", guard=lambda data: data.get("votes", 0) >= 2)
    flow.add("reject", ["review", "published"], "draft")
    return flow


def test_events_lead_on(flow):
    page = Machine(flow)
    assert page.send("submit") == "review"
    assert page.send("reject") == "draft"


def test_an_event_that_leads_nowhere(flow):
    page = Machine(flow)
    with pytest.raises(InvalidEvent):
        page.send("approve")
    assert page.state == "draft"


def test_guards(flow):
    page = Machine(flow)
    page.send("submit")
    assert not page.can("approve")
    with pytest.raises(GuardRefused):
        page.send("approve")
    page.data["votes"] = 2
    assert page.send("approve") == "published"


def test_listeners_hear_of_steps(flow):
    heard = []
    page = Machine(flow)
    page.on_change(heard.append)
    page.send("submit")
    assert [(entry.source, entry.target) for entry in heard] == [("draft", "review")]


def test_undo(flow):
    page = Machine(flow)
    page.send("submit")
    assert page.undo() == "draft"
    with pytest.raises(NothingToUndo):
        page.undo()


def test_flow_knows_its_states(flow):
    assert flow.states == {"draft", "review", "published"}
    assert flow.events("review") == ["approve", "reject"]
    assert flow.reachable("draft") == {"draft", "review", "published"}
