"""Sends webhooks the way a provider does: in the background, with retries, and not always once or in order."""

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from ipaddress import ip_address

import httpx
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from simulators.common.clock import Clock
from simulators.common.faults import Fault, FaultPlan

log = logging.getLogger(__name__)

NOTIFICATION_FAULTS = {
    "notification_loss": "The notification is never sent.",
    "notification_duplicate": "The notification is sent twice.",
    "notification_reorder": "The next one of the same stream overtakes it; `seconds` (default 5) caps the wait.",
    "notification_delay": "The notification is sent `seconds` later.",
}
REORDER_WAIT = 5.0


@cache
def _authorities() -> ssl.SSLContext:
    """The authorities that are trusted, read once: a simulator is made for each of many tests."""
    return httpx.create_ssl_context(trust_env=False)


@dataclass(frozen=True)
class Notification:
    """One webhook call to make. ``stream`` (channel or subscription id) is the unit of ordering."""

    stream: str
    account: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class RetryPolicy:
    """Which statuses are tried again, after how many seconds each time, and whether a failed connection is, too."""

    statuses: frozenset[int]
    waits: tuple[float, ...]
    unreachable: bool = True


class Delivery(BaseModel):
    """What became of one attempt: an HTTP status, or ``lost``, ``unreachable``. ``at`` is simulated time, UTC."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    at: datetime
    stream: str
    account: str
    attempt: int
    outcome: str


class Sender:
    """Delivers notifications on tasks of its own; within a stream in order, unless a fault says otherwise."""

    def __init__(
        self, clock: Clock, faults: FaultPlan, retry: RetryPolicy, hosts: frozenset[str] = frozenset()
    ) -> None:
        """``hosts`` are reachable besides the loopback addresses (the peers' names in a container network)."""
        self._clock, self._faults, self._retry, self._hosts = clock, faults, retry, hosts
        self._client = httpx.AsyncClient(timeout=10.0, trust_env=False, verify=_authorities())
        self._queues: dict[str, asyncio.Queue[tuple[Notification, int]]] = {}
        self._held: dict[str, Notification] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.deliveries: deque[Delivery] = deque(maxlen=10_000)

    def reachable(self, url: str) -> bool:
        """Whether this sender may call the URL: http(s) to a loopback address or to a host it was told of."""
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            return False
        if parsed.scheme not in ("http", "https") or not parsed.host:
            return False
        if parsed.host == "localhost" or parsed.host in self._hosts:
            return True
        try:
            return ip_address(parsed.host).is_loopback
        except ValueError:
            return False

    async def call(
        self, url: str, *, params: Mapping[str, str], wait: float, content_type: str = "text/plain; charset=utf-8"
    ) -> httpx.Response:
        """One POST with an answer that matters (a handshake), outside the queues and free of notification faults.

        Raises httpx.HTTPError when there is no answer within ``wait`` seconds, ValueError for an address out of reach.
        """
        if not self.reachable(url):
            raise ValueError(f"out of reach: {url}")
        target = httpx.URL(url).copy_merge_params(params)  # the URL's own query stays
        return await self._client.post(target, headers={"Content-Type": content_type}, timeout=wait)

    def post(self, notification: Notification) -> None:
        """Send soon; returns at once."""
        stream = notification.stream
        if self._draw("notification_loss", notification):
            self._note(notification, 0, "lost")
        elif delay := self._draw("notification_delay", notification):
            self._spawn(self._later(notification, 1, delay.seconds))
        elif stream not in self._held and (reorder := self._draw("notification_reorder", notification)):
            self._held[stream] = notification
            self._spawn(self._release_late(notification, reorder.seconds or REORDER_WAIT))
        else:
            self._enqueue(notification, 1)
            if self._draw("notification_duplicate", notification):
                self._enqueue(notification, 1)
            if held := self._held.pop(stream, None):
                self._enqueue(held, 1)

    async def deliver_now(self, notification: Notification) -> None:
        """Make the first attempt before returning: for a message that outruns the answer which caused it."""
        await self._attempt(notification, 1)

    async def close(self) -> None:
        """Drop what is still under way and close the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def _draw(self, kind: str, notification: Notification) -> Fault | None:
        return self._faults.draw(kind, account=notification.account, operation="notification")

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _enqueue(self, notification: Notification, attempt: int) -> None:
        queue = self._queues.get(notification.stream)
        if queue is None:
            queue = self._queues[notification.stream] = asyncio.Queue()
            self._spawn(self._work(notification.stream, queue))
        queue.put_nowait((notification, attempt))

    async def _work(self, stream: str, queue: "asyncio.Queue[tuple[Notification, int]]") -> None:
        while not queue.empty():
            await self._attempt(*queue.get_nowait())
        del self._queues[stream]

    async def _later(self, notification: Notification, attempt: int, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._enqueue(notification, attempt)

    async def _release_late(self, notification: Notification, seconds: float) -> None:
        await self._clock.sleep(seconds)
        if self._held.get(notification.stream) is notification:
            del self._held[notification.stream]
            self._enqueue(notification, 1)

    async def _attempt(self, notification: Notification, attempt: int) -> None:
        try:
            headers = dict(notification.headers)
            answer = await self._client.post(notification.url, headers=headers, content=notification.body)
        except httpx.HTTPError:
            outcome, again = "unreachable", self._retry.unreachable
        else:
            outcome, again = str(answer.status_code), answer.status_code in self._retry.statuses
        self._note(notification, attempt, outcome)
        if again and attempt <= len(self._retry.waits):
            self._spawn(self._later(notification, attempt + 1, self._retry.waits[attempt - 1]))

    def _note(self, notification: Notification, attempt: int, outcome: str) -> None:
        stream, account = notification.stream, notification.account
        log.info("notification %s attempt %d: %s", stream, attempt, outcome)
        at = self._clock.now()
        self.deliveries.append(Delivery(at=at, stream=stream, account=account, attempt=attempt, outcome=outcome))
