"""A guest of a meeting: what they ought to know, what they were last told, and so which mail they are owed. Pure.

What they ought to know comes from the meeting's events and is only ever replaced by something newer, so updates that
come faster than mails leave melt into one. What they were told is written by whoever sent the mail.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from contracts.values.enums import DeliveryFailureCode, LocationType, MailKind, MeetingStatus
from contracts.values.meeting import MeetingState, ParticipantState
from contracts.values.text import email_key
from contracts.values.times import Instant, LocalDateTime, Schedule, TimeZoneName
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

_STORED = ConfigDict(
    alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True, frozen=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What one event means for one guest."""

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
    asks: bool = False
    """They are to be mailed."""
    removed: bool = False
    """They are no longer a guest."""


class SentContent(BaseModel):
    """What a mail said about title, time and place, so that the next one can say what changed."""

    model_config = _STORED

    title: str | None
    start_date_time: LocalDateTime
    end_date_time: LocalDateTime
    timezone: TimeZoneName
    all_day: bool
    location_type: LocationType
    location_detail: str | None

    @classmethod
    def of(cls, meeting: MeetingState) -> Self:
        return cls.model_validate({name: getattr(meeting, name) for name in cls.model_fields})

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.start_date_time, self.end_date_time, self.timezone, self.all_day)


class Told(BaseModel):
    """The last mail that the mail server took from us for this guest."""

    model_config = _STORED

    kind: MailKind
    sequence: int
    """The version of the meeting that asked for it."""
    address: str
    message_id: str
    content: SentContent | None = None
    organizer: str | None = None
    """The ORGANIZER of the calendar part, which must not change."""
    first_message_id: str
    """Of the first mail to this guest: what a mail program hangs the others under."""
    at: Instant


class Failure(BaseModel):
    """Why the last mail that was asked for will not be sent."""

    model_config = _STORED

    kind: MailKind
    sequence: int
    code: DeliveryFailureCode
    reason: str
    at: Instant


class Guest(BaseModel):
    """One participant of one meeting, as the invitations service knows them."""

    model_config = _STORED

    participant_uuid: str
    meeting_uuid: str
    tenant_uuid: str
    sequence: int
    """The newest version of the meeting that was heard of here; older news is stale."""
    meeting: MeetingState
    """The meeting as this guest ought to know it, without the other guests."""
    person: ParticipantState
    removed: bool = False
    changed_in: int
    """The version that last changed something this guest can see."""
    asked_in: int = 0
    """The version that last asked for a mail."""
    asked_at: Instant
    asked_for: str
    """The correlation id of the request that led to the mail."""
    asked_in_trace: str | None = None
    """That request's traceparent."""
    told: Told | None = None
    failure: Failure | None = None
    uncertain: bool = False
    """A mail may have reached the guest without our knowing."""

    @classmethod
    def first_heard_of(cls, news: News) -> Self:
        """A guest who was not known before."""
        return cls(
            participant_uuid=news.person.participant_uuid,
            meeting_uuid=news.meeting.meeting_uuid,
            tenant_uuid=news.meeting.tenant_uuid,
            sequence=news.sequence,
            meeting=_without_guests(news.meeting),
            person=news.person,
            removed=news.removed,
            changed_in=news.sequence,
            asked_in=news.sequence if news.asks else 0,
            asked_at=news.at,
            asked_for=news.correlation_id,
            asked_in_trace=news.traceparent,
        )

    def after(self, news: News) -> Self:
        """This guest, once they ought to know the news; a new address is asked for like a new guest."""
        now: dict[str, Any] = {"sequence": news.sequence, "person": news.person, "removed": news.removed}
        if news.changed:
            now |= {"meeting": _without_guests(news.meeting), "changed_in": news.sequence}
        if news.asks or news.person.email != self.person.email:
            now |= {
                "asked_in": news.sequence,
                "asked_at": news.at,
                "asked_for": news.correlation_id,
                "asked_in_trace": news.traceparent,
            }
        return self.model_copy(update=now)

    @property
    def is_over(self) -> bool:
        """Whether nothing is to come any more, for everybody or for this guest."""
        return self.removed or self.meeting.status is MeetingStatus.CANCELED

    @property
    def address(self) -> str | None:
        """Where the next mail goes; a cancellation goes to where the invitation went."""
        return self.told.address if self.told and self.is_over else self.person.email

    def owed(self) -> MailKind | None:
        """The mail that would tell what they ought to know; None when they were told.

        A guest without an address is owed mails like others: that they fail is how their host learns of it.
        """
        told = self.told
        if told is not None and told.sequence >= self.asked_in:
            return None
        if self.is_over:
            return MailKind.CANCELLATION if told is not None or self.uncertain else None
        if told is None or email_key(told.address) != email_key(self.address):
            return MailKind.INVITATION
        return MailKind.UPDATE if self.changed_in > told.sequence else MailKind.REMINDER


def _without_guests(meeting: MeetingState) -> MeetingState:
    return meeting.model_copy(update={"participants": []})
