"""Times of day and durations as text."""


def format_duration(seconds: int) -> str:
    """Return a duration as HH:MM:SS."""
    hours = seconds // 3600
    minutes = seconds % 3600 // 60
    seconds = seconds % 60
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}"


def parse_clock(text: str) -> int:
    """Return the seconds since midnight of a time such as `14:30`."""
    hour, minute = text.split(":")
    return int(hour) * 3600 + int(minute) * 60
