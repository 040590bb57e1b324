"""Prime numbers."""


def is_prime(n: int) -> bool:
    """Tell whether a number is prime."""
    if n < 2:
        return False
    for i in range(2, int(n**0.5) + 1):
        if n % i == 0:
            return False
    return True


def primes_up_to(limit: int) -> list[int]:
    """Return the primes from 2 to `limit`."""
    return [n for n in range(2, limit + 1) if is_prime(n)]
