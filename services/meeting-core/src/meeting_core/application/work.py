"""One meeting in hand while a batch is handled."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chassis.kafka.wire import Outgoing, encode, envelope_for
from contracts.api.errors import ApiError
from contracts.messages.meeting_events import MeetingEvent
from contracts.transport.envelope import Message
from contracts.transport.idempotency import IdempotentCommand
from contracts.transport.topics import MEETING_CORE

from meeting_core.domain.meeting import Meeting


@dataclass(slots=True)
class Work:
    """A meeting as it was read, as it is now, and what it has to say since."""

    meeting: Meeting | None = None
    stored_version: int | None = None
    """The version in the database; None when the meeting is not there."""
    unpublished: list[dict[str, Any]] = field(default_factory=list)
    """Outbox entries that an earlier writer left behind; they go out before anything new."""
    said: list[Outgoing] = field(default_factory=list)
    """The events of this work."""
    touched: bool = False
    """Whether there is something to write."""
    synced: bool = False
    """Whether the host has an external calendar connected."""

    def of_tenant(self, tenant: str) -> Meeting | None:
        """The meeting, unless it is another tenant's: then it does not exist."""
        meeting = self.meeting
        return meeting if meeting is not None and meeting.tenant_uuid == tenant else None

    def say(self, meeting: Meeting, event: MeetingEvent) -> None:
        """Take the meeting's new state, and the event that tells of it into the outbox."""
        self.keep(meeting)
        envelope = envelope_for(
            event,
            source=MEETING_CORE,
            subject=meeting.meeting_uuid,
            tenant=meeting.tenant_uuid,
            sequence=meeting.version,
        )
        self.said.append(encode(Message(envelope, event), meeting.meeting_uuid))

    def keep(self, meeting: Meeting) -> None:
        """Take the meeting's new state, of which nobody is told."""
        self.meeting = meeting
        self.touched = True

    def remember(
        self,
        meeting: Meeting,
        command: IdempotentCommand,
        now: datetime,
        *,
        refusal: ApiError | None = None,
        changed: bool = False,
    ) -> None:
        """Note what was decided, so that a repeat is answered the same."""
        meeting.remember(command, refusal, now, changed=changed)
        self.touched = True
