"""A visitor of the pages: requests without a network, and what an HTML page consists of."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from ksolve.view.app import application

BASE = "http://localhost:8765"


@contextlib.contextmanager
def visitor(*places: Path, base: str = BASE, **how: Any) -> Iterator[TestClient]:
    """Give a client of an application over these folders."""
    app = application(list(places), **how)
    with TestClient(app, base_url=base, follow_redirects=False) as client:
        yield client


class Parsed(HTMLParser):
    """The elements, attributes and text of a page, as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.parts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    @property
    def text(self) -> str:
        """All text, exactly."""
        return "".join(self.parts)

    @property
    def words(self) -> str:
        """All text, with one space wherever there is any, or an element begins."""
        return " ".join(" ".join(self.parts).split())

    @property
    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]
