"""One meeting while a batch is handled: loaded once, changed by messages in order, saved once."""

from dataclasses import dataclass, field
from typing import Any

from chassis.kafka.records import OutgoingRecord, encode, envelope_for
from contracts.history import GENESIS, HistoryEntry
from contracts.messages.meeting_events import MeetingEvent
from contracts.transport.envelope import Message
from contracts.transport.topics import MEETING_CORE

from meeting_core.domain.changes import changes_between, proposed, public_changes
from meeting_core.domain.meeting import Meeting


@dataclass(slots=True)
class UnitOfWork:
    """A meeting as it was loaded and as it is now, with the events since."""

    meeting: Meeting | None = None
    stored_version: int | None = None
    """The version in the database; None when the meeting is not there."""
    stored_outbox: list[dict[str, Any]] = field(default_factory=list)
    """The outbox in the database: what an earlier writer left, and once this unit is saved, its events after that."""
    new_records: list[OutgoingRecord] = field(default_factory=list)
    """The events of this unit of work."""
    last_hash: str = GENESIS
    """The hash of the last entry of the meeting's history."""
    new_entries: list[HistoryEntry] = field(default_factory=list)
    """The entries of the history for these events, one each."""
    is_dirty: bool = False
    """Whether there is something to write."""
    host_connected: bool = False
    """Whether the host has an external calendar connected."""
    _recorded: Meeting | None = field(init=False)
    """The meeting as its last event, and entry in the history, left it."""

    def __post_init__(self) -> None:
        self._recorded = None if self.meeting is None else self.meeting.model_copy()

    def meeting_of(self, tenant: str) -> Meeting | None:
        """The meeting, unless it is another tenant's: then it does not exist."""
        meeting = self.meeting
        return meeting if meeting is not None and meeting.tenant_uuid == tenant else None

    def track(self, meeting: Meeting) -> None:
        """Take the meeting's new state and its new events, which belong to the message being handled."""
        self.meeting = meeting
        self.is_dirty = True
        for event in meeting.collect_events():
            self._record(meeting, event)

    def _record(self, meeting: Meeting, event: MeetingEvent) -> None:
        """Say in event and history what this version changed."""
        changes = changes_between(self._recorded, meeting)
        public = event.model_copy(update={"changes": public_changes(changes, self._recorded, meeting)})
        envelope = envelope_for(
            public,
            source=MEETING_CORE,
            subject=meeting.meeting_uuid,
            tenant=meeting.tenant_uuid,
            sequence=meeting.version,
        )
        entry = HistoryEntry.of(envelope, event.actor, [*changes, *proposed(event)], previous_hash=self.last_hash)
        self.new_records.append(encode(Message(envelope, public), meeting.meeting_uuid))
        self.new_entries.append(entry)
        self.last_hash, self._recorded = entry.hash, meeting.model_copy()
