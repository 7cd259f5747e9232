"""The simulator as one object: state, time, faults, mailboxes, grants, subscriptions."""

import asyncio
from collections import Counter, deque
from contextlib import suppress

from simulators.common.clock import Clock
from simulators.common.delivery import Sender
from simulators.common.faults import FaultPlan
from simulators.common.request_log import RequestLog
from simulators.common.state_file import StateFile
from simulators.microsoft import faults
from simulators.microsoft.calendar.exchange import Exchange
from simulators.microsoft.graph.errors import GraphError
from simulators.microsoft.login.grants import Grants
from simulators.microsoft.login.keys import SigningKey
from simulators.microsoft.push.notifier import RETRY, Notifier
from simulators.microsoft.push.subscriptions import Subscriptions
from simulators.microsoft.settings import Settings
from simulators.microsoft.state.records import Account, State

_WINDOW_SECONDS = 600.0

Mailbox = tuple[str, str]
"""An app and a mailbox: what Graph's limits for Outlook count by."""


class World:
    """All the parts of one running simulator. Lives on one event loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = Clock()
        self.faults = FaultPlan(faults.KINDS, settings.fault_seed)
        self.requests = RequestLog()
        self.sender = Sender(self.clock, self.faults, RETRY, settings.webhook_hosts)
        self.file = StateFile(settings.state_file, State)
        self.state = self.file.load()
        self.signing_key = SigningKey(self.state)
        self.grants = Grants(self.state, self.clock)
        self.subscriptions = Subscriptions(self.state, self.clock, self.sender)
        self.notifier = Notifier(self.state, self.clock, self.sender, self.subscriptions)
        self.exchange = Exchange(self.state, self.clock, self.notifier.tell)
        self.under_way: Counter[Mailbox] = Counter()
        self._calls: dict[Mailbox, deque[float]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin what runs in the background; must be called on the event loop."""
        keep = self.file.keep(lambda: self.state, lambda: self.state.changes)
        self._tasks = [asyncio.create_task(self.notifier.watch()), asyncio.create_task(keep)]

    async def close(self) -> None:
        """Stop what is under way and save."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self.sender.close()
        self.file.save(self.state)

    def account(self, email: str) -> Account:
        """An account that exists. Raises GraphError (404)."""
        found = self.state.accounts.get(email.lower())
        if found is None:
            raise GraphError(404, "ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it.")
        return found

    def reset(self) -> None:
        """Forget every account and what went wrong on purpose; time goes on, the signing key stays."""
        fresh = State(signing_key=self.state.signing_key, changes=self.state.changes + 1)
        for name in State.model_fields:
            setattr(self.state, name, getattr(fresh, name))
        self.faults.clear()
        self.faults.reseed(self.settings.fault_seed)
        self.requests.clear()
        self.sender.deliveries.clear()
        self._calls.clear()

    def over_quota(self, mailbox: Mailbox) -> float:
        """Count a request; the seconds until the ten minutes have room again, 0 when there is room."""
        now = self.clock.now().timestamp()
        calls = self._calls.setdefault(mailbox, deque())
        while calls and calls[0] <= now - _WINDOW_SECONDS:
            calls.popleft()
        if len(calls) >= self.settings.microsoft_requests_per_ten_minutes:
            return calls[0] + _WINDOW_SECONDS - now
        calls.append(now)
        return 0.0
