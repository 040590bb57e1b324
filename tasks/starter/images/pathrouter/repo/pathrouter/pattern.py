"""One path pattern: literal text and placeholders such as `<int:id>`."""

from __future__ import annotations

import re

from pathrouter.converters import CONVERTERS, Converter
from pathrouter.errors import BuildError, PatternError

PLACEHOLDER = re.compile(r"<(?:(?P<kind>\w+):)?(?P<name>[A-Za-z_]\w*)>")


class Pattern:
    """A compiled pattern that matches paths and builds them."""

    def __init__(self, text: str) -> None:
        if not text.startswith("/"):
            raise PatternError(f"pattern {text!r} does not start with a slash")
        self.text = text
        self.converters: dict[str, Converter] = {}
        regex, end = "", 0
        for found in PLACEHOLDER.finditer(text):
            kind, name = found["kind"] or "str", found["name"]
            if kind not in CONVERTERS:
                raise PatternError(f"pattern {text!r} names no known converter: {kind!r}")
            if name in self.converters:
                raise PatternError(f"pattern {text!r} uses the name {name!r} twice")
            self.converters[name] = CONVERTERS[kind]
            regex += re.escape(text[end : found.start()])
            regex += f"(?P<{name}>{CONVERTERS[kind].regex})"
            end = found.end()
        self._regex = re.compile(regex + re.escape(text[end:]))

    @property
    def specificity(self) -> tuple[int, int]:
        """Greater for a pattern that says more: literal segments first, then length."""
        segments = self.text.strip("/").split("/")
        literal = sum(1 for segment in segments if not PLACEHOLDER.search(segment))
        return (literal, len(segments))

    def match(self, path: str) -> dict[str, object] | None:
        """The parameters of a path, or None when it does not match."""
        found = self._regex.fullmatch(path)
        if found is None:
            return None
        return {
            name: converter.to_python(found[name])
            for name, converter in self.converters.items()
        }

    def build(self, **params: object) -> str:
        """The path for these parameters. Raises BuildError when one is missing."""

        def replace(found: re.Match[str]) -> str:
            name = found["name"]
            if name not in params:
                raise BuildError(f"{self.text!r} needs the parameter {name!r}")
            return self.converters[name].to_url(params[name])

        return PLACEHOLDER.sub(replace, self.text)
