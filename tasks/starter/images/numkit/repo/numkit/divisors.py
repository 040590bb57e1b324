"""Common divisors and multiples."""


def gcd(a: int, b: int) -> int:
    """Return the greatest common divisor."""
    while b:
        a, b = b, a % b
    return abs(a)


def lcm(a: int, b: int) -> int:
    """Return the least common multiple; 0 where one number is 0."""
    if a == 0 or b == 0:
        return 0
    return abs(a * b) // gcd(a, b)
