"""Sync events: how a meeting's copy in its host's external calendar stands. calendar-sync writes them, meeting-core
takes note."""

from pydantic import Field

from contracts.enums import ExternalSyncStatus, SyncFailureCode, SyncOperation
from contracts.model import Contract
from contracts.registry import message
from contracts.times import Instant
from contracts.topics import CALENDAR_EVENTS


@message("calendar.sync.changed.v1", CALENDAR_EVENTS)
class SyncChanged(Contract):
    """The copy of a meeting stands differently, or another version of the meeting has been dealt with.

    Keyed by meetingUuid. ``sequence`` rises with each event of a meeting: whoever has seen a higher one ignores it.
    """

    tenant_uuid: str
    meeting_uuid: str
    sequence: int
    meeting_version: int = Field(description="the newest version of the meeting that this takes into account")
    status: ExternalSyncStatus
    operation: SyncOperation | None = Field(default=None, description="what was done, or is being tried")
    at: Instant
    failure_code: SyncFailureCode | None = None
    failure_reason: str | None = Field(default=None, description="one line for the host; never a provider's raw answer")
