"""Where the webhook sender may go, and what it does when nobody is there."""

import asyncio
import socket
from collections.abc import Callable
from datetime import timedelta

import pytest
from simulators.common.clock import Clock
from simulators.common.delivery import NOTIFICATION_FAULTS, Notification, RetryPolicy, Sender
from simulators.common.faults import FaultPlan
from simulators.google.testing import Receiver, eventually, receiving


def sender_on(clock: Clock, **policy: bool) -> Sender:
    retry = RetryPolicy(frozenset({503}), (1, 1), **policy)
    return Sender(clock, FaultPlan(NOTIFICATION_FAULTS), retry, frozenset({"webhook-ingest"}))


async def until(holds: Callable[[], bool]) -> None:
    await asyncio.to_thread(eventually, holds)


@pytest.mark.parametrize(
    ("url", "reachable"),
    [
        ("http://127.0.0.1:8081/x", True),
        ("http://[::1]:8081/x", True),
        ("https://localhost/x", True),
        ("http://webhook-ingest:8081/x", True),
        ("http://example.com/x", False),
        ("http://127.0.0.1.example.com/x", False),
        ("http://10.0.0.1/x", False),
        ("http://169.254.169.254/latest", False),
        ("file:///etc/passwd", False),
        ("http://", False),
        ("http://[broken", False),
    ],
)
async def test_only_loopback_and_named_hosts_are_reachable(url: str, reachable: bool) -> None:
    sender = sender_on(Clock())
    assert sender.reachable(url) is reachable
    if not reachable:
        with pytest.raises(ValueError, match="out of reach"):
            await sender.call(url, params={}, wait=1)
    await sender.close()


async def test_a_call_brings_its_answer() -> None:
    sender = sender_on(Clock())
    with receiving() as receiver:
        receiver.statuses = [202]
        answer = await sender.call(receiver.url, params={"validationToken": "a b"}, wait=5)
        assert answer.status_code == 202
    await sender.close()


async def test_retries_end_after_the_last_wait() -> None:
    clock = Clock()
    clock.freeze()
    sender = sender_on(clock)
    with receiving() as receiver:
        receiver.statuses = [503] * 9
        sender.post(Notification(stream="s", account="a", url=receiver.url))
        for attempt in (1, 2, 3):
            await until(lambda: len(sender.deliveries) == attempt)  # noqa: B023 - awaited before the loop goes on
            await asyncio.sleep(0)
            clock.advance(timedelta(seconds=5))
        sender.post(Notification(stream="t", account="a", url=receiver.url))
        await until(lambda: len(sender.deliveries) == 4)
        assert [(item.stream, item.attempt) for item in sender.deliveries] == [("s", 1), ("s", 2), ("s", 3), ("t", 1)]
    await sender.close()


@pytest.mark.parametrize("again", [True, False])
async def test_a_refused_connection_is_retried_if_the_policy_says_so(again: bool) -> None:
    clock = Clock()
    clock.freeze()
    sender = sender_on(clock, unreachable=again)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        sender.post(Notification(stream="s", account="a", url=url))
        await until(lambda: len(sender.deliveries) == 1)
        await asyncio.sleep(0)
        clock.advance(timedelta(seconds=5))
        if again:
            await until(lambda: len(sender.deliveries) == 2)
    await sender.close()
    assert {item.outcome for item in sender.deliveries} == {"unreachable"}
    assert len(sender.deliveries) == (2 if again else 1)


async def test_a_stream_keeps_its_order_and_streams_do_not_wait_for_each_other() -> None:
    sender = sender_on(Clock())
    with receiving() as receiver:
        for number in range(20):
            sender.post(Notification(stream="s", account="a", url=receiver.url, body=str(number).encode()))
        await until(lambda: len(sender.deliveries) == 20)
        assert bodies(receiver) == [str(number) for number in range(20)]
    await sender.close()


def bodies(receiver: Receiver) -> list[str]:
    return [push.body.decode() for push in receiver.came]


async def test_closing_ends_what_is_under_way() -> None:
    sender = sender_on(Clock())
    sender.post(Notification(stream="s", account="a", url="http://127.0.0.1:9/"))
    await sender.close()
    with pytest.raises(RuntimeError):
        await sender.call("http://127.0.0.1:9/", params={}, wait=1)
