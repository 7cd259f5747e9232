"""A guest of a meeting: what they should know, the last mail they got, and so which mail is pending. Pure.

What they should know comes from the meeting's events and is only replaced by something newer, so several updates before
a mail leaves become one. The last mail is written by the worker that sent it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from contracts.model import StoredModel
from contracts.values.enums import DeliveryFailureCode, LocationType, MailKind, MeetingStatus
from contracts.values.meeting import MeetingState, ParticipantState
from contracts.values.personal import MailAddress, PersonId, WrittenText
from contracts.values.text import email_key
from contracts.values.times import Instant, LocalDateTime, Schedule, TimeZoneName


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestChange:
    """What one event changes for one guest."""

    meeting: MeetingState
    person: ParticipantState
    sequence: int
    """The meeting's version after the event."""
    at: datetime
    """When it happened, UTC."""
    correlation_id: str
    """Of the request that led to it."""
    traceparent: str | None = None
    """Of that request's trace."""
    changed: bool = False
    """Something that this guest can see is new."""
    requests_mail: bool = False
    """They are to be mailed."""
    removed: bool = False
    """They are no longer a guest."""


class SentContent(StoredModel, frozen=True):
    """What a mail said about title, time and place, so that the next one can say what changed."""

    title: WrittenText | None
    start_date_time: LocalDateTime
    end_date_time: LocalDateTime
    timezone: TimeZoneName
    all_day: bool
    location_type: LocationType
    location_detail: WrittenText | None

    @classmethod
    def of(cls, meeting: MeetingState) -> Self:
        return cls.model_validate({name: getattr(meeting, name) for name in cls.model_fields})

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.start_date_time, self.end_date_time, self.timezone, self.all_day)


class SentMail(StoredModel, frozen=True):
    """The last mail that the mail server took from us for this guest."""

    kind: MailKind
    sequence: int
    """The version of the meeting that requested it."""
    address: MailAddress
    message_id: str
    content: SentContent | None = None
    organizer: MailAddress | None = None
    """The ORGANIZER of the calendar part, which must not change."""
    first_message_id: str
    """Of the first mail to this guest: what a mail program hangs the others under."""
    at: Instant


class Failure(StoredModel, frozen=True):
    """Why the last requested mail will not be sent."""

    kind: MailKind
    sequence: int
    code: DeliveryFailureCode
    reason: str
    at: Instant


class Guest(StoredModel, frozen=True):
    """One participant of one meeting, as the invitations service knows them."""

    participant_uuid: PersonId
    meeting_uuid: str
    tenant_uuid: str
    sequence: int
    """The newest version of the meeting that was applied; older changes are skipped."""
    meeting: MeetingState
    """The meeting as this guest should know it, without the other guests."""
    person: ParticipantState
    removed: bool = False
    changed_in_version: int
    """The version that last changed something this guest can see."""
    requested_in_version: int = 0
    """The version that last requested a mail."""
    requested_at: Instant
    correlation_id: str
    """The correlation id of the request that led to the mail."""
    traceparent: str | None = None
    """That request's traceparent."""
    last_mail: SentMail | None = None
    failure: Failure | None = None
    may_have_been_sent: bool = False
    """A mail may have been sent whose acknowledgement got lost."""

    @classmethod
    def from_change(cls, change: GuestChange) -> Self:
        """A guest who is not stored yet."""
        return cls(
            participant_uuid=change.person.participant_uuid,
            meeting_uuid=change.meeting.meeting_uuid,
            tenant_uuid=change.meeting.tenant_uuid,
            sequence=change.sequence,
            meeting=_without_guests(change.meeting),
            person=change.person,
            removed=change.removed,
            changed_in_version=change.sequence,
            requested_in_version=change.sequence if change.requests_mail else 0,
            requested_at=change.at,
            correlation_id=change.correlation_id,
            traceparent=change.traceparent,
        )

    def with_change(self, change: GuestChange) -> Self:
        """This guest after the change; a new address is mailed like a new guest."""
        now: dict[str, Any] = {"sequence": change.sequence, "person": change.person, "removed": change.removed}
        if change.changed:
            now |= {"meeting": _without_guests(change.meeting), "changed_in_version": change.sequence}
        if change.requests_mail or change.person.email != self.person.email:
            now |= {
                "requested_in_version": change.sequence,
                "requested_at": change.at,
                "correlation_id": change.correlation_id,
                "traceparent": change.traceparent,
            }
        return self.model_copy(update=now)

    @property
    def is_over(self) -> bool:
        """Whether nothing is to come any more, for everybody or for this guest."""
        return self.removed or self.meeting.status is MeetingStatus.CANCELED

    @property
    def address(self) -> str | None:
        """Where the next mail goes; a cancellation goes to where the invitation went."""
        return self.last_mail.address if self.last_mail and self.is_over else self.person.email

    def pending_mail(self) -> MailKind | None:
        """The mail that says what they do not know yet; None: they know everything.

        A guest without an address has pending mails like others: their failure is what the host sees.
        """
        sent = self.last_mail
        if sent is not None and sent.sequence >= self.requested_in_version:
            return None
        if self.is_over:
            return MailKind.CANCELLATION if sent is not None or self.may_have_been_sent else None
        if sent is None or email_key(sent.address) != email_key(self.address):
            return MailKind.INVITATION
        return MailKind.UPDATE if self.changed_in_version > sent.sequence else MailKind.REMINDER


def _without_guests(meeting: MeetingState) -> MeetingState:
    return meeting.model_copy(update={"participants": []})
