"""The commands, one a file; each reads from its top to its bottom."""
