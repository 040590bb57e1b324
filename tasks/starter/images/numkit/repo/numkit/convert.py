"""Units of measure."""


def celsius_to_fahrenheit(celsius: float) -> float:
    """Convert a temperature from Celsius to Fahrenheit."""
    return celsius * 9 / 5 + 32


def miles_to_km(miles: float) -> float:
    """Convert a distance from miles to kilometres."""
    return miles * 1.609344
