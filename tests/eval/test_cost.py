"""Costs that may be unknown, and how money, shares and counts are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.cost import add, cost_per_sample, cost_per_solve, count, money, percent


def test_an_unknown_price_is_never_nothing() -> None:
    assert add(None, 1.0) is None
    assert add(1.0, None) is None
    assert cost_per_sample(None, 4) is None
    assert cost_per_solve(None, 4) is None


def test_costs_are_shares_of_the_total() -> None:
    assert cost_per_sample(6.0, 3) == 2.0
    assert cost_per_solve(6.0, 2) == 3.0


def test_the_price_of_repeated_sampling_is_the_papers() -> None:
    """Table 1 of "Large Language Monkeys" (arXiv 2407.21787), on 300 issues of SWE-bench Lite."""
    table = {"DeepSeek": (5, 0.2962, 10.8), "GPT-4o": (1, 0.24, 39), "Claude": (1, 0.267, 51)}
    each = {name: cost_per_sample(total, k * 300) for name, (k, _, total) in table.items()}
    assert each == {
        "DeepSeek": pytest.approx(0.0072),
        "GPT-4o": pytest.approx(0.13),
        "Claude": pytest.approx(0.17),
    }
    for _, share, total in table.values():
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
    assert cost_per_sample(0.0, 0) is None
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


def test_a_noun_is_in_the_plural_where_it_is_due() -> None:
    assert [count(number, "sample") for number in (0, 1, 1_234)] == [
        "0 samples",
        "1 sample",
        "1,234 samples",
    ]
    assert [count(number, "policy", "policies") for number in (1, 2)] == ["1 policy", "2 policies"]
    assert count(1_234) == "1,234"


@pytest.mark.parametrize(
    ("share", "issues", "text"),
    [
        (1.0, 0, "100%"),
        (0.1 + 0.9 - 1e-16, 0, "100%"),
        (0.9995, 0, "over 99%"),
        (0.9949, 0, "99%"),
        (0.0, 0, "0%"),
        (0.0005, 0, "under 1%"),
        (0.0051, 0, "1%"),
        (0.99951, 200, "over 99.9%"),
        (0.0004, 200, "under 0.1%"),
    ],
)
def test_less_than_all_is_not_all_and_more_than_nothing_is_not_nothing(
    share: float, issues: int, text: str
) -> None:
    assert percent(share, issues) == text
