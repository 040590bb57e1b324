"""Functions on lists."""
