"""Names for addresses and files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container


def slugify(text: str, separator: str = "-", max_length: int | None = None) -> str:
    """Lower-case ASCII words joined by `separator`; accents are dropped.

    With `max_length`, whole words are left out from the end until the slug fits.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.lower())
    if max_length is not None:
        while len(words) > 1 and len(separator.join(words)) > max_length:
            words.pop()
    return separator.join(words)[:max_length]


def unique_slug(text: str, taken: Container[str]) -> str:
    """A slug that is not in `taken`; the second of its name ends in `-2`."""
    base = slugify(text)
    slug, number = base, 1
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    return slug
