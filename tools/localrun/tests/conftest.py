"""What the tests of the local run share."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

Value = TypeVar("Value")


class Eventually:
    """Polls a condition until it holds; fails loudly after a deadline instead of sleeping for a guess."""

    def __call__(self, condition: Callable[[], Value], seconds: float = 20.0) -> Value:
        """The first true value of `condition`."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"not within {seconds} s")
            time.sleep(0.01)
        return value


@pytest.fixture
def eventually() -> Eventually:
    return Eventually()
