"""How another configuration is told to a person: by what differs, in a few words."""

from __future__ import annotations

import pytest

from eval.configuration import differences

IDS = [f"t{i}" for i in range(13)]
RUN = {"task_ids": IDS, "tasks_digest": "0" * 64, "arms": [["m", "loop"], ["m", "rf"]]}


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"task_ids": IDS[:1]}, "of its 13 issues 12 are left out (t1, t2, t3 and 9 more)"),
        ({"task_ids": [*IDS, "x"]}, "of its 13 issues 1 is new (x)"),
        ({"task_ids": [*IDS[1:], "x"]}, "of its 13 issues 1 is left out (t0) and 1 is new (x)"),
        ({"task_ids": IDS[::-1]}, "of its 13 issues all are there in another order"),
        ({"task_ids": IDS}, "the issues are not what they were"),
    ],
)
def test_other_issues_are_named_and_no_digest_is(now: dict[str, list[str]], said: str) -> None:
    assert list(differences(RUN, RUN | now | {"tasks_digest": "1" * 64})) == [said]


def test_other_solvers_are_named_and_others_predictions_are_said_to_be_so() -> None:
    fewer = RUN | {"arms": [["m", "loop"]]}
    assert list(differences(RUN, fewer)) == ["of its 2 solvers 1 is left out (rf by m)"]
    (said,) = differences({"predictions_digest": "0" * 64}, {"predictions_digest": "1" * 64})
    assert said == "the predictions are not what they were"
