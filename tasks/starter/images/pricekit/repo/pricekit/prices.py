"""What something costs."""


def discounted(price: float, percent: float) -> float:
    """Return a price after a discount of some percent."""
    return price - price * percent / 100


def with_tax(price: float, percent: float) -> float:
    """Return a price with the tax added."""
    return price + price * percent / 100


def total(prices: list[float], quantities: list[int]) -> float:
    """Return what the given quantities cost together."""
    if len(prices) != len(quantities):
        raise ValueError("as many quantities as prices are needed")
    return sum(price * quantity for price, quantity in zip(prices, quantities))
