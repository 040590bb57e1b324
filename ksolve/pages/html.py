"""Templates, style and script of the pages, and the one way in which they are filled.

Whatever is put into a template is text: escaped for HTML, and rid of the characters that a
browser acts on or cannot show. No page of these templates refers to anything outside of itself.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from eval.cost import count, money, percent
from ksolve.screen import harmless


def page(template: str, **values: Any) -> str:
    """Fill one of the templates; raises what jinja2 raises for a value that it lacks."""
    return environment().get_template(template).render(**values)


def harmless_templates(package: str) -> Environment:
    """Return the templates of a package, which make harmless and escape all that is put in."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.cache
def environment() -> Environment:
    """Return the templates, with `style` and `script` to put in, and filters for numbers."""
    made = harmless_templates("ksolve.pages")
    made.filters.update(money=money, percent=percent, count=count, diff=diff)
    made.globals.update(
        style=Markup(read("style.css") + read("chart.css")),  # noqa: S704 - our own files
        script=Markup(read("tables.js")),  # noqa: S704
        script_hash=_hash(read("tables.js")),
    )
    return made


@functools.cache
def read(name: str) -> str:
    """Return the text of a file of this package."""
    return files("ksolve.pages").joinpath(name).read_text(encoding="utf-8")


def diff(patch: str) -> Markup:
    """Mark what a unified diff adds and removes."""
    # The end of a line is within its mark, which is a block of its own.
    tags = {"+": "<ins>{}\n</ins>", "-": "<del>{}\n</del>"}
    lines = harmless(patch).removesuffix("\n").split("\n")
    marked = (Markup(tags.get(line[:1], "{}\n")) for line in lines)  # noqa: S704 - our own
    return Markup().join(mark.format(line) for mark, line in zip(marked, lines, strict=True))


def _shown(value: Any) -> Any:
    """Make text harmless before it is escaped; markup of our own stays as it is."""
    if value is None:
        return "unknown"
    return harmless(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _hash(script: str) -> str:
    """Return what a Content-Security-Policy calls this script by."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
