"""What money grows to."""


def simple_interest(amount: float, percent: float, years: int) -> float:
    """Return an amount with the same interest added each year."""
    return amount + amount * percent / 100 * years


def compound_interest(amount: float, percent: float, years: int) -> float:
    """Return an amount with interest, and with interest on the interest."""
    return amount * (1 + percent / 100) ** years
