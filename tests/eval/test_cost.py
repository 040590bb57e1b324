"""Costs that may be unknown, and which model is cheaper at equal coverage."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eval.cost import (
    Curve,
    add,
    cheaper_at_equal_coverage,
    cost_at_k,
    cost_per_attempt,
    cost_per_solve,
    money,
    percent,
)


def curve(name: str, *shares: float, price: float | None = 1.0, issues: int = 20) -> Curve:
    return Curve(
        name=name,
        k=tuple(range(1, len(shares) + 1)),
        coverage=shares,
        cost_per_attempt=price,
        issues=issues,
    )


@st.composite
def curves(draw: st.DrawFn, name: str) -> Curve:
    gains = draw(st.lists(st.integers(0, 3), min_size=1, max_size=12))
    shares = [sum(gains[: i + 1]) / 40 for i in range(len(gains))]
    price = draw(st.none() | st.floats(1e-5, 10))
    return curve(name, *shares, price=price)


def test_an_unknown_price_is_never_nothing() -> None:
    assert add(None, 1.0) is None
    assert add(1.0, None) is None
    assert cost_per_attempt(None, 4) is None
    assert cost_per_solve(None, 4) is None
    assert cost_at_k(None, 4) is None


def test_costs_are_shares_of_the_total() -> None:
    assert cost_per_attempt(6.0, 3) == 2.0
    assert cost_per_solve(6.0, 2) == 3.0
    assert cost_at_k(0.5, 4) == 2.0
    assert cost_at_k(0.5, 4, issues=10) == 20.0


def test_the_price_of_repeated_sampling_is_the_papers() -> None:
    """Table 1 of "Large Language Monkeys" (arXiv 2407.21787), on 300 issues of SWE-bench Lite."""
    table = {"DeepSeek": (5, 0.2962, 10.8), "GPT-4o": (1, 0.24, 39), "Claude": (1, 0.267, 51)}
    each = {name: cost_per_attempt(total, k * 300) for name, (k, _, total) in table.items()}
    assert each == {
        "DeepSeek": pytest.approx(0.0072),
        "GPT-4o": pytest.approx(0.13),
        "Claude": pytest.approx(0.17),
    }
    for name, (k, share, total) in table.items():
        assert cost_at_k(each[name], k, issues=300) == pytest.approx(total)
        assert cost_per_solve(total, round(300 * share)) == pytest.approx(
            total / 300 / share, rel=0.002
        )
    relative = {name: total / 10.8 for name, (_, _, total) in table.items()}
    assert relative == {
        "DeepSeek": 1.0,
        "GPT-4o": pytest.approx(3.6, abs=0.05),
        "Claude": pytest.approx(4.7, abs=0.05),
    }


def test_nothing_drawn_and_nothing_solved_have_no_cost_each() -> None:
    assert cost_per_attempt(0.0, 0) is None
    assert cost_per_solve(6.0, 0) is None


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "unknown"),
        (0.0, "$0"),
        (0.00042, "$0.00042"),
        (0.0021, "$0.0021"),
        (0.0344, "$0.034"),
        (0.00999, "$0.010"),
        (0.999, "$1.00"),
        (0.5, "$0.50"),
        (10.8, "$10.80"),
        (12_345.678, "$12,345.68"),
        (3e-9, "under $0.000001"),
    ],
)
def test_money_is_readable_at_every_size(amount: float | None, text: str) -> None:
    assert money(amount) == text


@given(st.floats(1e-6, 1e6), st.integers(2, 4))
def test_money_keeps_its_significant_digits(amount: float, digits: int) -> None:
    shown = float(money(amount, digits).lstrip("$").replace(",", ""))
    assert shown == pytest.approx(amount, rel=0.51 * 10 ** (1 - digits))


def test_a_decimal_of_a_percent_needs_a_hundred_issues() -> None:
    assert percent(0.159, 16) == "16%"
    assert percent(0.159, 300) == "15.9%"


@given(curves("a"), curves("b"))
def test_every_coverage_is_matched_by_the_smallest_k_that_reaches_it(a: Curve, b: Curve) -> None:
    comparison = cheaper_at_equal_coverage(a, b)
    reached = {round(share, 9) for share in a.coverage + b.coverage if share > 0}
    assert [point.coverage for point in comparison.points] == sorted(reached)
    for point in comparison.points:
        for one, k, cost in ((a, point.k_a, point.cost_a), (b, point.k_b, point.cost_b)):
            enough = [k for k in one.k if one.coverage[k - 1] >= point.coverage - 1e-9]
            assert k == min(enough, default=None)
            assert cost == (None if k is None else cost_at_k(one.cost_per_attempt, k))


@given(curves("a"), curves("b"))
def test_the_sentence_does_not_depend_on_who_comes_first(a: Curve, b: Curve) -> None:
    sentence = cheaper_at_equal_coverage(a, b).sentence
    # These name both models in one breath.
    assume(not any(word in sentence for word in ("either", "both cost", "unknown")))
    assert cheaper_at_equal_coverage(b, a).sentence == sentence


def test_the_cheap_model_wins_where_it_reaches() -> None:
    small = curve("small", 0.2, 0.3, 0.4, price=0.001)
    large = curve("large", 0.4, 0.4, 0.4, price=0.004)
    assert cheaper_at_equal_coverage(small, large).sentence == (
        "small at k=3 reaches 40% for $0.0030 an issue; large needs k=1 and $0.0040 for the same: "
        "small is the cheaper way up to 40%."
    )


def test_what_only_one_model_reaches_is_said_of_that_one() -> None:
    small = curve("small", 0.2, 0.3, price=0.001)
    large = curve("large", 0.3, 0.6, price=0.004)
    assert cheaper_at_equal_coverage(small, large).sentence == (
        "small at k=2 reaches 30% for $0.0020 an issue; large needs k=1 and $0.0040 for the same: "
        "small is the cheaper way up to 30%. "
        "large alone goes beyond: it reaches 60% at k=2 for $0.0080 an issue."
    )


def test_the_coverage_at_which_the_answer_turns_is_named() -> None:
    small = curve("small", 0.1, 0.2, 0.25, 0.3)
    large = curve("large", 0.2, 0.3, price=1.4)
    assert cheaper_at_equal_coverage(small, large).sentence == (
        "small at k=1 reaches 10% for $1.00 an issue; large needs k=1 and $1.40 for the same: "
        "small is the cheaper way up to 10%, large above it."
    )


def test_an_answer_that_keeps_turning_is_not_made_simpler_than_it_is() -> None:
    small = curve("small", 0.1, 0.2, 0.3, 0.4)
    large = curve("large", 0.2, 0.4, price=1.6)
    assert cheaper_at_equal_coverage(small, large).sentence == (
        "large at k=2 reaches 40% for $3.20 an issue; small needs k=4 and $4.00 for the same; "
        "below, the cheaper way changes 3 times with the coverage: "
        "small is the cheaper way up to 10%, large above 30%."
    )


def test_costs_a_hair_apart_are_called_the_same() -> None:
    sentence = cheaper_at_equal_coverage(curve("a", 0.2), curve("b", 0.2, price=1.005)).sentence
    assert sentence.endswith(": both cost the same up to 20%.")


def test_costs_that_differ_are_not_printed_alike() -> None:
    sentence = cheaper_at_equal_coverage(
        curve("a", 0.2, price=0.00201), curve("b", 0.2, price=0.00204)
    ).sentence
    assert "$0.00201 an issue" in sentence
    assert "$0.00204 for the same" in sentence


@pytest.mark.parametrize("priced", ["small", "large", "neither"])
def test_an_unknown_price_leaves_the_cheaper_one_unsaid(priced: str) -> None:
    small = curve("small", 0.2, 0.4, price=1.0 if priced == "small" else None)
    large = curve("large", 0.4, 0.4, price=1.0 if priced == "large" else None)
    sentence = cheaper_at_equal_coverage(small, large).sentence
    assert sentence.startswith("small reaches 40% at k=2 and large at k=1; which is cheaper cannot")
    unknown = {"small": "large", "large": "small", "neither": "small and of large"}[priced]
    assert sentence.endswith(f"because the price of {unknown} is unknown.")


def test_a_model_that_solved_nothing_is_not_compared() -> None:
    sentence = cheaper_at_equal_coverage(curve("a", 0.0, 0.0), curve("b", 0.1, 0.1)).sentence
    assert sentence == "a solved none of the 20 issues; b reaches 10% at k=1 for $1.00 an issue."


def test_two_models_that_solved_nothing_are_said_so() -> None:
    sentence = cheaper_at_equal_coverage(curve("a", 0.0), curve("b", 0.0)).sentence
    assert sentence == "Neither a nor b solved any of the 20 issues."


def test_models_without_a_common_issue_are_said_so() -> None:
    comparison = cheaper_at_equal_coverage(curve("a", issues=0), curve("b", issues=0))
    assert comparison.sentence == "a and b cannot be compared: no issue has verdicts of both."
    assert (comparison.depth, comparison.points) == (0, ())
