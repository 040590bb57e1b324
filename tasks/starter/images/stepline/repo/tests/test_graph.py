import pytest

from stepline import CycleFound, Plan, Step, UnknownStep
from stepline.graph import levels, order


def plan(**needs):
    return Plan(Step(name, "number", list(others)) for name, others in needs.items())


def test_each_step_comes_after_what_it_needs():
    steps = order(plan(c="ab", b="a", a=""), ["c"])
    assert [step.name for step in steps] == ["a", "b", "c"]


def test_what_is_not_needed_stays_out():
    steps = order(plan(a="", b="", c="a"), ["c"])
    assert [step.name for step in steps] == ["a", "c"]


def test_cycle_is_shown():
    with pytest.raises(CycleFound, match="a, b, a"):
        order(plan(a="b", b="a"), ["a"])


def test_unknown_step():
    with pytest.raises(UnknownStep, match="'z'"):
        order(plan(a="z"), ["a"])


def test_levels_hold_what_can_go_together():
    assert levels(plan(d="bc", c="a", b="", a="")) == [["a", "b"], ["c"], ["d"]]
