"""The limit of the endpoints that anybody can call."""

import pytest
from api_gateway.domain.throttle import Throttle
from contracts.errors import ErrorCode, Refusal


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def refused(throttle: Throttle, key: str) -> int | None:
    """The seconds to wait; None when it is admitted."""
    try:
        throttle.admit(key)
    except Refusal as refusal:
        return refusal.retry_after if refusal.code is ErrorCode.TOO_MANY_REQUESTS else -1
    return None


def test_so_many_at_once_and_then_as_they_are_earned() -> None:
    clock = Clock()
    throttle = Throttle(6, clock=clock)
    assert [refused(throttle, "a") for _ in range(7)] == [None] * 6 + [10]
    clock.now += 9.5
    assert refused(throttle, "a") == 1
    clock.now += 0.5
    assert refused(throttle, "a") is None
    assert refused(throttle, "a") == 10


def test_a_steady_use_within_the_limit_is_never_refused() -> None:
    clock = Clock()
    throttle = Throttle(60, clock=clock)
    for _ in range(1000):
        throttle.admit("a")
        clock.now += 1


def test_a_refused_use_does_not_count() -> None:
    clock = Clock()
    throttle = Throttle(1, clock=clock)
    throttle.admit("a")
    assert {refused(throttle, "a") for _ in range(100)} == {60}
    clock.now += 60
    throttle.admit("a")


def test_keys_do_not_use_up_each_other() -> None:
    throttle = Throttle(1, clock=Clock())
    throttle.admit("a")
    throttle.admit("b")
    with pytest.raises(Refusal):
        throttle.admit("a")


def test_memory_is_bounded() -> None:
    throttle = Throttle(1, remembered=2, clock=Clock())
    for key in ("a", "b", "c"):
        throttle.admit(key)
    throttle.admit("a")  # forgotten, so admitted
    with pytest.raises(Refusal):
        throttle.admit("c")
