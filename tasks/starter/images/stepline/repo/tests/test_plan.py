import pytest

from stepline import BadPlan, Plan, Step, load_plan
from stepline.units import seconds


def test_plan_from_a_table():
    plan = load_plan(
        {
            "a": {"do": "number", "with": {"value": 2}},
            "b": {"do": "sum", "needs": ["a"], "keep": "90s"},
        }
    )
    assert plan["a"] == Step("a", "number", [], {"value": 2})
    assert plan["b"] == Step("b", "sum", ["a"], {}, 90)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"needs": []}, "does not say what to do"),
        ({"do": "sum", "need": []}, "no setting 'need'"),
        ({"do": "sum", "keep": "a while"}, "not a span of time"),
    ],
    ids=["no_action", "unknown_setting", "no_span"],
)
def test_bad_tables_are_refused(row, message):
    with pytest.raises(BadPlan, match=message):
        load_plan({"a": row})


def test_names_are_used_once():
    with pytest.raises(BadPlan, match="two steps"):
        Plan([Step("a", "sum"), Step("a", "mean")])


def test_spans_of_time():
    assert seconds("45s") == 45
    assert seconds("1h30m") == 5400
    assert seconds(2.5) == 2.5
