"""Templates of the view, and the one way in which they are filled.

Whatever is put into a template is text: rid of what a browser acts on or cannot show, then escaped.
"""

from __future__ import annotations

import functools
import math
from typing import Any

from jinja2 import Environment

from eval.cost import count, money
from ksolve.pages.html import harmless_templates
from ksolve.transcript import one_line
from ksolve.view.figures import short
from ksolve.view.turns import used


def page(template: str, **values: Any) -> str:
    """Fill one of the templates; raises what jinja2 raises for a value that it lacks."""
    return environment().get_template(template).render(**values)


@functools.cache
def environment() -> Environment:
    """Return the templates, with filters for numbers and names."""
    made = harmless_templates("ksolve.view")
    made.filters.update(
        count=count,
        money=money,
        name=one_line,
        seconds=seconds,
        short=short,
        used=used,
        words=words,
    )
    return made


def seconds(amount: float) -> str:
    """Write how long something took."""
    if math.isnan(amount):
        return "unknown"
    if amount < 60:  # noqa: PLR2004 - a minute
        return f"{amount:.1f} s"
    minutes, rest = divmod(round(amount), 60)
    return f"{minutes} min {rest} s"


def words(name: str) -> str:
    """Write the name of an outcome."""
    return name.replace("_", " ")
