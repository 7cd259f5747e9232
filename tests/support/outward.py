"""Meetings and events for tests of outward sync, and the writing side with nothing but a simulated provider."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from calendar_sync.outbound.model import MirroredEvent, MirroredMeeting, Recheck
from calendar_sync.outbound.reconciler import OutboundReconciler, ReconcileResult, RetryPolicy
from calendar_sync.providers.accounts import Account, GrantRevokedError
from calendar_sync.providers.authorized_calls import AuthorizedCalls
from calendar_sync.providers.event_content import EventContent, EventTime
from calendar_sync.providers.external_event import Window
from calendar_sync.providers.ports import CalendarWriter
from calendar_sync.providers.rate_limit import RateLimiter
from calendar_sync.providers.registry import RATE_LIMITS
from chassis.kafka.records import ReceivedMessage
from contracts.transport.envelope import Envelope
from contracts.transport.registry import type_of
from contracts.values.enums import (
    CalendarProvider,
    ExternalSyncStatus,
    LocationType,
    MeetingSource,
    MeetingStatus,
    ParticipantType,
    SyncFailureCode,
    UserType,
)
from contracts.values.ids import new_meeting_uuid, new_participant_uuid, uuid7_hex
from contracts.values.meeting import MeetingState, ParticipantState
from contracts.values.times import Schedule

NOON = datetime(2038, 6, 1, 12, tzinfo=UTC)


def content(
    *, title: str = "Review", hours: int = 0, zone: str | None = "America/Santiago", **texts: str
) -> EventContent:
    start = NOON + timedelta(hours=hours)
    return EventContent(
        title=title, when=EventTime(starts_at=start, ends_at=start + timedelta(hours=1), zone=zone), **texts
    )


def participant(name: str | None, *, email: str | None = None) -> ParticipantState:
    return ParticipantState(
        participant_uuid=new_participant_uuid(), participant_type=ParticipantType.EXTERNAL, name=name, email=email
    )


def meeting_state(**changes: Any) -> MeetingState:
    """A meeting's public state; its instants follow from its times."""
    fields: dict[str, Any] = {
        "meeting_uuid": new_meeting_uuid(),
        "tenant_uuid": "T1",
        "title": "Review",
        "start_date_time": "2038-06-01T10:00:00",
        "end_date_time": "2038-06-01T11:00:00",
        "timezone": "UTC",
        "all_day": False,
        "location_type": LocationType.ONLINE,
        "host_uuid": "TS1",
        "host_type": UserType.TENANT_STAFF,
        "created_by_uuid": "TS1",
        "created_by_type": UserType.TENANT_STAFF,
        "status": MeetingStatus.ACTIVE,
        "source": MeetingSource.INTERNAL,
        "ical_sequence": 0,
        "created_at": NOON,
        "updated_at": NOON,
        "participants": [],
        "external_sync_status": ExternalSyncStatus.PENDING,
    } | changes
    schedule = Schedule(
        datetime.fromisoformat(fields["start_date_time"]),
        datetime.fromisoformat(fields["end_date_time"]),
        fields["timezone"],
        fields["all_day"],
    )
    return MeetingState(starts_at=schedule.starts_at, ends_at=schedule.ends_at, **fields)


def received(body: Any, sequence: int) -> ReceivedMessage[Any]:
    """A message as a consumer hands it on."""
    envelope = Envelope(
        type=type_of(body).name, source="tests", subject="1", tenant="T1", sequence=sequence, correlation_id="c1"
    )
    record: Any = None  # what it came in is not looked at
    return ReceivedMessage(envelope, body, record)


class FakeAccounts:
    """An account whose token is at hand."""

    def __init__(self, provider: CalendarProvider, email: str, token: Callable[[], str]) -> None:
        self.account: Account | None = Account("T1:TS1", "T1", "TS1", provider, "primary", email, 1, email)
        self.token = token
        self.troubles: list[SyncFailureCode] = []
        self.known: Window | None = None

    async def connected(self, tenant_uuid: str, user_id: str) -> Account | None:
        account = self.account
        return (
            account
            if account is not None and (account.tenant_uuid, account.user_id) == (tenant_uuid, user_id)
            else None
        )

    async def providers_of(self, hosts: set[tuple[str, str]]) -> dict[tuple[str, str], CalendarProvider]:
        found = {host: await self.connected(*host) for host in hosts}
        return {host: account.provider for host, account in found.items() if account is not None}

    async def access_token(self, account: Account, *, refused: str | None = None) -> str:
        if self.account is None:
            raise GrantRevokedError("not connected")
        return self.token()

    async def record_synced(self, account: Account, at: datetime, window: Window) -> None:
        self.known = window

    async def record_unreadable(self, account: Account, code: SyncFailureCode, reason: str) -> None:
        self.troubles.append(code)
        self.known = None

    async def record_error(self, account: Account, code: SyncFailureCode, reason: str) -> None:
        self.troubles.append(code)


class InMemoryIntentLog:
    """Intentions, kept in the link that they are about."""

    def __init__(self, mirror: MirroredMeeting) -> None:
        self._mirror = mirror

    async def save(self, key: str, event: MirroredEvent) -> bool:
        self._mirror.events[key] = event.model_copy(deep=True)
        return True


class OutboundHarness:
    """One meeting's link, and attempts at its copy as a worker makes them."""

    def __init__(
        self,
        calendar: CalendarWriter,
        accounts: FakeAccounts,
        *,
        attempts: int = 8,
        answer: timedelta = timedelta(seconds=15),
    ) -> None:
        assert accounts.account is not None
        self.accounts = accounts
        retry_policy = RetryPolicy(
            initial_delay=0.01,
            max_delay=0.05,
            report_after=attempts,
            unconfirmed_create_timeout=timedelta(0),
            host_edit_hold=answer,
        )
        self.reconciler = OutboundReconciler(
            accounts.account.provider,
            calendar,
            accounts,
            AuthorizedCalls(accounts, RateLimiter(RATE_LIMITS)),
            deployment="tests",
            retry_policy=retry_policy,
        )
        meeting = meeting_state()
        self.mirror = MirroredMeeting(
            meeting_uuid=meeting.meeting_uuid, tenant_uuid="T1", host_uuid="TS1", sequence=1, desired=meeting
        )
        self.failures = 0

    def want(self, **changes: Any) -> None:
        """The meeting has changed."""
        now = {name: value for name, value in self.mirror.desired if name not in ("starts_at", "ends_at")}
        times = {name: now[name].isoformat() for name in ("start_date_time", "end_date_time")}
        self.mirror.desired = meeting_state(**now | times | changes)
        self.mirror.sequence += 1

    def look(self, *, is_mass_deletion: bool = False) -> None:
        """Somebody saw that the host may have changed or removed the copy."""
        (key,) = self.mirror.events
        self.mirror.rechecks[key] = Recheck(recheck_id=uuid7_hex(), is_mass_deletion=is_mass_deletion)

    async def attempt(self, *, forget: bool = False) -> ReconcileResult:
        """One attempt, recorded as a worker records it; ``forget``: the worker dies before it can."""
        read = self.mirror.model_copy(deep=True)
        attempt = await self.reconciler.reconcile(
            read, attempt_number=self.failures + 1, intent_log=InMemoryIntentLog(self.mirror)
        )
        if forget:
            return attempt
        if attempt.key is not None and attempt.event is not None:
            self.mirror.events[attempt.key] = attempt.event
        if attempt.status_report is not None:
            self.mirror.reported_status = attempt.status_report
        self.failures = 0 if attempt.retry_in is None else self.failures + 1
        return attempt

    async def settle(self) -> ReconcileResult:
        """Attempts until nothing is left to do."""
        for _ in range(20):
            attempt = await self.attempt()
            if attempt.retry_in is None:
                return attempt
        raise AssertionError("still not settled")

    @property
    def event(self) -> MirroredEvent:
        (event,) = self.mirror.events.values()
        return event
