"""What users say of models in numbers: their prices, and how many parameters they have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from agent.models import Model
from agent.price import Price, parse_price
from eval.axes import read_parameters
from ksolve.errors import InputError


def prices_of(specs: Collection[str], texts: Sequence[str]) -> Callable[[str], Price | None]:
    """Read `--price`; return what gives each model its own. Raises InputError, PriceError."""
    for_all: Price | None = None
    for_one: dict[str, Price] = {}
    for text in texts:
        name, space, price = text.strip().rpartition(" ")
        if not space:
            for_all = parse_price(price)
        elif name.strip() in specs:
            for_one[name.strip()] = parse_price(price)
        else:
            raise InputError(f"--price {text!r} names a model that no --model names.")
    return lambda spec: for_one.get(spec, for_all)


def parameters_of(texts: Sequence[str] | None, models: Collection[str]) -> dict[str, float]:
    """Read `--parameters` for the models of a run. Raises InputError."""
    parameters: dict[str, float] = {}
    for text in texts or ():
        model, _, number = text.rpartition("=")
        if model not in models:
            raise InputError(
                f"--parameters {text!r} names no model of the run: write it as MODEL=N, where the "
                f"models are {', '.join(models)}."
            )
        try:
            parameters[model] = read_parameters(number)
        except ValueError:
            raise InputError(
                f"--parameters {text!r} has no number of parameters: write {model}=7e9, or 7B, or "
                "500M."
            ) from None
    return parameters


def refuse_unknown_prices(models: Sequence[Model], limits: Mapping[str, float | None]) -> None:
    """A budget over a model without a price could not be kept; `limits` by their options.

    Raises InputError.
    """
    given = [option for option, limit in limits.items() if limit is not None]
    for model in models:
        if given and not model.price.known:
            raise InputError(
                f"The price of {model.name} is unknown, so {given[0]} cannot be kept: "
                f"give it with --price, or leave {' and '.join(given)} out."
            )
