"""The limits on what may be done from outside."""

from typing import Any

import pytest
from chassis.http.rate_limit import RateLimiter, client_network
from contracts.api.errors import ApiError, ErrorCode
from fastapi import Request
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def refused(throttle: RateLimiter, key: str) -> int | None:
    """The seconds to wait; None when it is admitted."""
    try:
        throttle.hit(key)
    except ApiError as refusal:
        return refusal.retry_after if refusal.code is ErrorCode.TOO_MANY_REQUESTS else -1
    return None


def test_so_many_at_once_and_then_as_they_are_earned() -> None:
    clock = Clock()
    throttle = RateLimiter(6, clock=clock)
    assert [refused(throttle, "a") for _ in range(7)] == [None] * 6 + [10]
    clock.now += 9.5
    assert refused(throttle, "a") == 1
    clock.now += 0.5
    assert refused(throttle, "a") is None
    assert refused(throttle, "a") == 10


def test_a_steady_use_within_the_limit_is_never_refused() -> None:
    clock = Clock()
    throttle = RateLimiter(60, clock=clock)
    for _ in range(1000):
        throttle.hit("a")
        clock.now += 1


def test_a_refused_use_does_not_count() -> None:
    clock = Clock()
    throttle = RateLimiter(1, clock=clock)
    throttle.hit("a")
    assert {refused(throttle, "a") for _ in range(100)} == {60}
    clock.now += 60
    throttle.hit("a")


def test_keys_do_not_use_up_each_other() -> None:
    throttle = RateLimiter(1, clock=Clock())
    throttle.hit("a")
    throttle.hit("b")
    with pytest.raises(ApiError):
        throttle.hit("a")


def test_memory_is_bounded() -> None:
    throttle = RateLimiter(1, max_keys=2, clock=Clock())
    for key in ("a", "b", "c"):
        throttle.hit(key)
    throttle.hit("a")  # forgotten, so admitted
    with pytest.raises(ApiError):
        throttle.hit("c")


def test_no_limit_is_none() -> None:
    throttle = RateLimiter(0, clock=Clock())
    assert {refused(throttle, "a") for _ in range(10_000)} == {None}


def test_a_window_may_be_longer() -> None:
    clock = Clock()
    throttle = RateLimiter(2, window=3600, clock=clock)
    assert [throttle.wait("a") for _ in range(3)] == [0, 0, 1800]
    clock.now += 1800
    assert throttle.wait("a") == 0


def asked_by(host: str | None) -> Request:
    return Request({"type": "http", "client": None if host is None else (host, 1)})


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("no address", "no address"),
        (None, ""),
    ],
)
def test_a_client_is_known_by_its_ipv4_address_or_its_ipv6_network(host: str | None, network: str) -> None:
    assert client_network(asked_by(host)) == network


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7, 10.0.0.8", "203.0.113.7"),
        ("10.0.0.8, 203.0.113.7", "203.0.113.7"),
    ],
    ids=["the edge alone", "invented by the caller", "two proxies of ours", "a proxy invented by the caller"],
)
async def test_the_client_is_whom_the_nearest_trusted_proxy_names(forwarded: str, client: str) -> None:
    """As uvicorn reads FORWARDED_ALLOW_IPS: what a caller writes into the header itself does not help."""
    for peer, expected in (("10.0.0.9", client), ("203.0.113.99", "203.0.113.99")):
        seen: list[str] = []

        async def app(scope: Any, receive: Any, send: Any, seen: list[str] = seen) -> None:
            seen.append(client_network(Request(scope)))

        scope = {"type": "http", "client": (peer, 1), "headers": [(b"x-forwarded-for", forwarded.encode())]}
        await ProxyHeadersMiddleware(app, "10.0.0.0/8")(scope, None, None)  # type: ignore[arg-type]
        assert seen == [expected]
