"""Ports of the outbound sync: mirrored meetings, connected hosts, the write intent log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.values.enums import CalendarProvider
from contracts.values.meeting import MeetingState

from calendar_sync.outbound.model import MirroredEvent, MirroredMeeting, ReportedStatus


class WriteIntentLog(Protocol):
    """Stores what a worker is about to write, while its lease holds."""

    async def save(self, key: str, event: MirroredEvent) -> bool:
        """Save the mirrored event under its account's ``key``. False: the lease expired; another worker may have it."""


Host = tuple[str, str]


@dataclass(frozen=True, slots=True)
class MeetingUpdate:
    """The newest state of a meeting in a batch."""

    meeting: MeetingState
    sequence: int
    correlation_id: str
    traceparent: str | None
    needs_sync: bool


class MirroredMeetings(Protocol):
    """The mirrored meetings of all hosts."""

    async def save(self, updates: Sequence[MeetingUpdate]) -> None:
        """Save the desired states that are newer than the stored ones."""

    async def request_sync(self, meeting_uuids: Sequence[str], provider: CalendarProvider) -> None:
        """Schedule a sync of these meetings now."""

    async def list_by_host(self, tenant_uuid: str, host_uuid: str, after: str) -> list[MirroredMeeting]:
        """A page of a host's mirrored meetings, in order of meetingUuid; empty after the last."""

    async def report_status(
        self, reports: Sequence[tuple[MirroredMeeting, ReportedStatus | None]], *, request_sync: CalendarProvider | None
    ) -> None:
        """Publish the given statuses; with ``request_sync``, schedule a sync of all these meetings at that provider."""


class ConnectedHosts(Protocol):
    """The hosts who have a calendar connected now."""

    async def providers_of(self, hosts: set[Host]) -> Mapping[Host, CalendarProvider]:
        """The provider of each of these, tenant and user, who is connected."""
