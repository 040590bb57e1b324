import pytest

from stepline import action


@action("number")
def number(inputs, value=1):
    """A number from the plan, for the tests."""
    return value


class Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()
