"""The simulator as one object: state, time, faults, and the few operations that everything else is made of."""

import asyncio
import secrets
from collections import deque
from collections.abc import Coroutine
from datetime import timedelta

from simulators.common.clock import Clock
from simulators.common.delivery import NOTIFICATION_FAULTS, RetryPolicy, Sender
from simulators.common.faults import FaultPlan
from simulators.common.request_log import RequestLog
from simulators.common.state_file import StateFile
from simulators.google.calendar.times import text_ms, zone
from simulators.google.push.messages import announce
from simulators.google.settings import Settings
from simulators.google.state import Account, Calendar, Event, Json, State

FAULTS = NOTIFICATION_FAULTS | {
    "latency": "The request waits `seconds` before anything happens.",
    "error": "Nothing is done; the answer is `status` with `reason` (and Retry-After, if given).",
    "not_found": "Nothing is done; the answer is 404, as if there were no such event or calendar.",
    "commit_then_error": "The request is carried out, then answered with `status`.",
    "commit_then_timeout": "The request is carried out, but there is no answer for `seconds` (default 60), then 504.",
    "empty_page": "A page of events.list is empty, yet has a next page.",
    "sync_before_answer": "The sync message of a new channel arrives before the answer to events.watch.",
    "late_stop": "A stopped channel goes on for `seconds`.",
    "conference_failure": "A requested Meet conference ends in failure.",
    "freebusy_error": "freeBusy.query reports internalError for a calendar, inside a 200.",
    "refresh_token_rotation": "A refresh answers with a new refresh token, and the old one dies.",
}
# Push guide: these four are retried with exponential backoff, anything else is not; the waits are not published.
RETRY = RetryPolicy(statuses=frozenset({500, 502, 503, 504}), waits=(1, 2, 4, 8, 16, 32, 64), unreachable=False)


class World:
    """All the parts of one running simulator. Lives on one event loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = Clock()
        self.faults = FaultPlan(FAULTS, settings.fault_seed)
        self.requests = RequestLog()
        self.sender = Sender(self.clock, self.faults, RETRY, settings.webhook_hosts)
        self.file = StateFile(settings.state_file, State)
        self.state = self.file.load()
        self.clock.advance(timedelta(seconds=max(0.0, self.state.clock_offset_seconds)))
        self.changes = 0
        self._calls: dict[str, deque[float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def snapshot(self) -> State:
        """The state as it should be saved."""
        self.state.clock_offset_seconds = self.clock.offset.total_seconds()
        return self.state

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Do something later, on the loop, for as long as the simulator runs."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop what is under way and save."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sender.close()
        self.file.save(self.snapshot())

    def account(self, email: str, name: str = "", time_zone: str = "UTC") -> Account:
        """The account with this address, made on first use together with its primary calendar.

        Raises ApiError 400 for a zone that does not exist.
        """
        email = email.strip().lower()
        found = self.state.accounts.get(email)
        if found is None:
            zone(time_zone, "account")
            sub = "1" + "".join(secrets.choice("0123456789") for _ in range(20))
            found = Account(email=email, name=name or email.split("@")[0], sub=sub, time_zone=time_zone)
            self.state.accounts[email] = found
            self.add_calendar(Calendar(id=email, owner=email, summary=email, time_zone=time_zone, primary=True))
        return found

    def add_calendar(self, calendar: Calendar) -> None:
        """Put a calendar on its owner's list."""
        self.state.calendars[calendar.id] = calendar
        self.state.events[calendar.id] = {}
        self.changes += 1

    def commit(self, event: Event, *, touch: bool = True) -> None:
        """Write an event down as changed now: new revision (and so etag), change log, push.

        ``touch=False`` leaves ``updated`` alone: a change of reminders does not move it (Event.reminders).
        """
        self.state.revision += 1
        self.changes += 1
        event.revision = self.state.revision
        if touch:
            event.resource["updated"] = text_ms(self.clock.now())
        self.state.events[event.calendar_id][event.id] = event
        announce(self, event.calendar_id)

    def new_event(self, calendar_id: str, resource: Json) -> Event:
        """An event that is not committed yet."""
        return Event(calendar_id=calendar_id, resource=resource, revision=0, born=self.state.revision + 1)

    def over_quota(self, email: str) -> bool:
        """Count a request of this user; true when the sliding minute is full (calendar/api/guides/quota)."""
        limit = self.settings.google_quota_per_minute
        now = self.clock.now().timestamp()
        calls = self._calls.setdefault(email, deque())
        while calls and calls[0] <= now - 60:
            calls.popleft()
        if limit and len(calls) >= limit:
            return True
        calls.append(now)
        return False
