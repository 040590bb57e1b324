"""Lists of test names in every form that datasets carry them in.

`test_names` reads a value of FAIL_TO_PASS or PASS_TO_PASS: a list (of Parquet, NumPy and the like
too), JSON text or a Python literal of one, one id, ids on lines of their own or between commas,
and tables of tests and the status that each must have. What can be read in two ways is refused.
Whether a test exists is not looked at.
"""

from __future__ import annotations

import ast
import io
import json
import math
import tokenize
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

_NOTHING = frozenset({"", "null", "none", "nan"})
"""Texts that stand for no list at all, lower-case."""

_LISTS = ("[", "{", "array(", "np.array(")
"""How the text of a list begins."""

_MAY_BE_LISTS = ("(", "'", '"')
"""How the text of a tuple or of a text within a text begins, but a name may begin so too."""

_MUST_PASS = frozenset({"passed", "pass", "success", "ok", "xfail", "true"})
_NEED_NOT_PASS = frozenset(
    {"failed", "fail", "failure", "error", "skipped", "skip", "none", "false", "xpass"}
)


def test_names(value: object) -> list[Any]:
    """Return the tests that must pass, in their order; members that are no text stay as they are.

    Raises ValueError where the value is no list of tests, or may be two different ones.
    """
    match value:
        case None:
            return []
        case float() if math.isnan(value):
            # What pandas makes of a missing value.
            return []
        case str():
            return _of_text(value.strip())
        case Mapping():
            return _of_statuses(value)
        case list() | tuple():
            return _of_members(value)
    for name in ("tolist", "to_pylist"):
        if callable(unpack := getattr(value, name, None)):
            return test_names(unpack())
    raise ValueError("no list")


# pytest takes it for a test of its own where it is imported.
test_names.__test__ = False  # type: ignore[attr-defined]


def _of_members(members: Iterable[object]) -> list[Any]:
    """Take the names out of a list, whose members may be tables of a name and a status."""
    found: list[object] = []
    for member in members:
        if isinstance(member, Mapping):
            if not isinstance(name := member.get("name"), str):
                raise ValueError("a table without a name")  # noqa: TRY004  one kind for pydantic
            found += [name] if _must_pass(member.get("status", "passed")) else []
        else:
            found.append(member)
    return found


def _of_statuses(table: Mapping[object, object]) -> list[Any]:
    names = table.get("name")
    if isinstance(names, list) and isinstance(fixed := table.get("fix"), list):
        # Arrow holds tables with names of their own by columns.
        table = dict(zip(names, fixed, strict=True))
    found = []
    for name, status in table.items():
        after = status.get("fix") if isinstance(status, Mapping) else status
        if _must_pass(after):
            found.append(name)
    return found


def _must_pass(status: object) -> bool:
    word = str(status).strip().lower() if isinstance(status, str | bool) else ""
    if word in _MUST_PASS:
        return True
    if word in _NEED_NOT_PASS:
        return False
    raise ValueError("an unknown status")


def _of_text(text: str) -> list[Any]:
    if text.lower() in _NOTHING:
        return []
    if text.startswith((*_LISTS, *_MAY_BE_LISTS)):
        try:
            return test_names(_value(text))
        except ValueError:
            if text.startswith(_LISTS):
                raise
    if "\n" in text:
        return [line.strip() for line in text.splitlines() if line.strip()]
    return _between(text)


def _value(text: str) -> object:
    """Return the value of JSON, of a Python literal, or of a NumPy array as it is printed."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        pass
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    try:
        expression = ast.parse(text, mode="eval").body
        if isinstance(expression, ast.Call) and expression.args:
            # What repr makes of an array: array([...], dtype=object).
            expression = expression.args[0]
        if isinstance(expression, ast.List | ast.Tuple | ast.Set):
            return _elements(text, expression.elts)
        value = ast.literal_eval(expression)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError("no list") from error
    if isinstance(value, str | Mapping):
        return value
    raise ValueError("no list")


def _elements(text: str, elements: list[ast.expr]) -> list[object]:
    """Return the members of a list, whose texts stand side by side where NumPy printed it.

    Python reads those as one text.
    """
    members = [ast.literal_eval(element) for element in elements]
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    texts = [token.string for token in tokens if token.type == tokenize.STRING]
    if len(texts) == len(members) or not all(isinstance(one, str) for one in members):
        return members
    touching = any(
        one.type == other.type == tokenize.STRING and one.end == other.start
        for one, other in pairwise(tokens)
    )
    if touching or any(token.string == "," for token in tokens):
        raise ValueError("some commas are missing")
    return [ast.literal_eval(one) for one in texts]


def _between(text: str) -> list[str]:
    """Split a line at the commas, or blanks, outside of brackets, if ids stand between them."""
    for separator in (",", " "):
        parts = [part.strip() for part in _split(text, separator)]
        if len(parts) > 1 and all("::" in part for part in parts):
            return parts
    parts = _split(text, ",")
    if len(parts) == 1:
        return [parts[0].strip()]
    raise ValueError("one name with a comma, or several names")


def _split(text: str, separator: str) -> list[str]:
    parts, depth = [""], 0
    for character in text:
        depth += (character in "[(") - (character in "])")
        if character == separator and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in parts if part.strip()]
