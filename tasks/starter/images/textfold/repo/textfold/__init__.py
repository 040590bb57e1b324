"""Text layout for terminals."""

from textfold.errors import TextfoldError, WidthError
from textfold.indent import bullet_list, dedent, indent
from textfold.slug import slugify, unique_slug
from textfold.table import format_table
from textfold.truncate import truncate, truncate_middle, truncate_words
from textfold.units import format_duration, format_size, pluralize
from textfold.wrap import fill, wrap

__all__ = [
    "TextfoldError",
    "WidthError",
    "bullet_list",
    "dedent",
    "fill",
    "format_duration",
    "format_size",
    "format_table",
    "indent",
    "pluralize",
    "slugify",
    "truncate",
    "truncate_middle",
    "truncate_words",
    "unique_slug",
    "wrap",
]
