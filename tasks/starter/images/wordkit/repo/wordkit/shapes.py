"""Words written in another way."""


def initials(name: str) -> str:
    """Return the first letters of a name as capitals: `AL` for `Ada Lovelace`."""
    return "".join(part[0].upper() for part in name.split())


def snake_case(text: str) -> str:
    """Join the words of a text with `_`, in small letters."""
    return "_".join(text.lower().split())
