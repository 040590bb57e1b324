import pytest

from stepline import Runner, StepFailed, Store, UnknownAction, load_plan


@pytest.fixture
def table():
    return {
        "a": {"do": "number", "with": {"value": 7}},
        "b": {"do": "number", "with": {"value": 5}},
        "both": {"do": "sum", "needs": ["a", "b"]},
        "text": {"do": "template", "needs": ["both"], "with": {"text": "{} in all"}},
    }


def test_results_are_handed_on(table):
    assert Runner().run(load_plan(table)).values["text"] == "12 in all"


def test_only_what_is_needed_runs(table):
    assert Runner().run(load_plan(table), ["both"]).ran == ["a", "b", "both"]


def test_second_run_uses_the_results_of_the_first(table):
    runner = Runner()
    runner.run(load_plan(table))
    again = runner.run(load_plan(table))
    assert (again.ran, again.reused) == ([], ["a", "b", "both", "text"])
    assert again.values["both"] == 12


def test_change_runs_what_depends_on_it(table):
    runner = Runner()
    runner.run(load_plan(table))
    table["b"]["with"]["value"] = 6
    again = runner.run(load_plan(table))
    assert again.ran == ["b", "both", "text"]
    assert again.values["text"] == "13 in all"


def test_result_is_good_for_a_while(table, clock):
    runner = Runner(Store(clock))
    table["both"]["keep"] = "10m"
    runner.run(load_plan(table))
    clock.now = 599
    assert runner.run(load_plan(table)).ran == []
    clock.now = 600
    assert runner.run(load_plan(table)).ran == ["both"]


def test_failure_names_the_step(table):
    table["text"]["with"]["text"] = "{} {}"
    with pytest.raises(StepFailed, match="'text'"):
        Runner().run(load_plan(table))


def test_unknown_action(table):
    table["a"]["do"] = "guess"
    with pytest.raises(UnknownAction):
        Runner().run(load_plan(table))


def test_preview_shows_what_could_run_together(table):
    assert Runner().preview(load_plan(table)) == "1. a, b\n2. both\n3. text"
