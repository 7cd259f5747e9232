"""What was last published of an external event in one connection's calendar, to publish only changes. Pure."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from contracts.messages.calendar_events import (
    CalendarOwner,
    EventAttendee,
    EventDetails,
    ExternalEventDeleted,
    ExternalEventUpserted,
    InvitationAnswered,
    meeting_uuid_of_external_event,
)
from contracts.model import StoredModel
from contracts.values.enums import CalendarProvider, RsvpStatus
from contracts.values.personal import PersonId
from contracts.values.text import email_key
from contracts.values.times import Instant, to_instant

from calendar_sync.providers.event_content import EventTime
from calendar_sync.providers.external_event import Attendee, ExternalEvent, Window

_MAX_GUESTS = 500


_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


PRIVATE_TITLE = "Busy"


_OUR_UID = re.compile(r"(M[0-9A-F]{32})@.+")


@dataclass(frozen=True, slots=True)
class CalendarContext:
    """Whose calendar an event is seen in: the connection, its owner, and the ``account_key`` of the calendar."""

    connection_id: str
    tenant_uuid: str
    owner: CalendarOwner
    provider: CalendarProvider
    account: str

    def meeting_of(self, event: ExternalEvent) -> str:
        """The meeting that an external event is. One without an iCalUID is known by this account only."""
        ical_uid = event.ical_uid or f"{self.account}:{event.event_id}"
        return meeting_uuid_of_external_event(self.tenant_uuid, ical_uid, event.original_start)


class ImportedEvent(StoredModel):
    """One external event, as one meeting, in one connection's calendar. ``version`` 0 is of one that is not stored."""

    connection_id: PersonId
    meeting_uuid: str
    tenant_uuid: str
    user_id: PersonId
    account: PersonId
    """Where it was last seen; an earlier account of the same user may have shown it."""
    event_id: str = ""
    series_id: str = ""
    invitation: bool = False
    """Whether it is our own mailed invitation to a meeting of the platform: only its owner's answer is news."""
    digest: str = ""
    """Of what was last said."""
    deleted: bool = True
    starts_at: Instant = _NEVER
    ends_at: Instant = _NEVER
    sequence: int = 0
    version: int = 0

    @classmethod
    def new(cls, context: CalendarContext, meeting_uuid: str) -> "ImportedEvent":
        """Of an event of which nothing was said yet."""
        return cls(
            connection_id=context.connection_id,
            meeting_uuid=meeting_uuid,
            tenant_uuid=context.tenant_uuid,
            user_id=context.owner.user_id,
            account=context.account,
        )

    @property
    def imported_event_id(self) -> str:
        return f"{self.connection_id}:{self.meeting_uuid}"

    @classmethod
    def of_invitation(cls, context: CalendarContext, meeting_uuid: str) -> "ImportedEvent":
        """Of an invitation of ours that was not seen yet."""
        return cls.new(context, meeting_uuid).model_copy(update={"invitation": True})

    def record_answer(self, context: CalendarContext, event: ExternalEvent, now: datetime) -> InvitationAnswered | None:
        """The invitation is there, and answered so; None when that was said before."""
        when, digest = event.content.when, f"{event.answered}:{event.answer}"
        is_known = digest == self.digest
        self.event_id, self.account, self.deleted, self.digest = event.event_id, context.account, False, digest
        self.starts_at, self.ends_at = when.starts_at, when.ends_at
        return None if is_known else self._answered(event.answer, now, answered=event.answered)

    def record_declined(self, now: datetime) -> InvitationAnswered | None:
        """Its owner took the invitation off their calendar, which is how calendars decline."""
        declined = f"{True}:{RsvpStatus.DECLINED}"
        is_known, self.digest, self.deleted = self.digest == declined, declined, True
        return None if is_known else self._answered(RsvpStatus.DECLINED, now, answered=True)

    def _answered(self, answer: RsvpStatus, now: datetime, *, answered: bool) -> InvitationAnswered:
        return InvitationAnswered(
            tenant_uuid=self.tenant_uuid,
            meeting_uuid=self.meeting_uuid,
            user_id=self.user_id,
            sequence=self._next_sequence(now),
            at=now,
            answered=answered,
            answer=answer,
        )

    def record_seen(
        self, context: CalendarContext, event: ExternalEvent, now: datetime
    ) -> ExternalEventUpserted | None:
        """The event is there, and says this; None when that was said before.

        Raises:
            ValueError: it has no times that a meeting could have.
        """
        when = event.content.when
        message = _upserted_message(context, self.meeting_uuid, event)
        digest = hashlib.sha256(message.model_dump_json().encode()).hexdigest()
        is_known = not self.deleted and digest == self.digest
        self.event_id, self.account, self.deleted, self.digest = event.event_id, context.account, False, digest
        self.series_id = event.series_id
        self.starts_at, self.ends_at = when.starts_at, when.ends_at
        return None if is_known else message.model_copy(update={"sequence": self._next_sequence(now), "at": now})

    def record_deleted(self, now: datetime) -> ExternalEventDeleted | None:
        """The event is not there any more; None when that was said before, or is nothing to say."""
        if self.deleted:
            return None
        self.deleted = True
        if self.invitation:
            return None
        return ExternalEventDeleted(
            tenant_uuid=self.tenant_uuid,
            meeting_uuid=self.meeting_uuid,
            user_id=self.user_id,
            sequence=self._next_sequence(now),
            at=now,
        )

    def _next_sequence(self, now: datetime) -> int:
        self.sequence = max(int(now.timestamp() * 1000), self.sequence + 1)
        return self.sequence


def is_within(when: EventTime, window: Window) -> bool:
    """Whether some of it is in the window."""
    return when.starts_at < window.ends and when.ends_at >= window.begins


def meeting_uuid_of_our_invitation(event: ExternalEvent) -> str | None:
    """The meeting of the platform that this event may be the mailed invitation to: mails' UIDs name it."""
    match = _OUR_UID.fullmatch(event.ical_uid or "")
    return match[1] if match and not event.original_start else None


def _upserted_message(context: CalendarContext, meeting_uuid: str, event: ExternalEvent) -> ExternalEventUpserted:
    """What there is to say, without when it is said. Raises ValueError."""
    return ExternalEventUpserted(
        tenant_uuid=context.tenant_uuid,
        meeting_uuid=meeting_uuid,
        owner=context.owner,
        sequence=0,
        at=_NEVER,
        provider=context.provider,
        event=_details(event),
        private=event.private,
        busy=event.opaque and event.answer is not RsvpStatus.DECLINED,
        answer=event.answer,
        organized_by_owner=event.organized_by_owner,
        organizer_email=None if event.private else event.organizer_email,
        organizer_name=None if event.private else event.organizer_name,
        guests=[] if event.private else _guests(context.owner, event.attendees),
        guests_hidden=event.guests_hidden,
    )


def _details(event: ExternalEvent) -> EventDetails:
    """Raises ValueError for times that cannot be said."""
    start, end, zone = _local(event.content.when)
    details = EventDetails(start_date_time=start, end_date_time=end, timezone=zone, all_day=event.content.when.all_day)
    if event.private:
        return details.model_copy(update={"title": PRIVATE_TITLE})
    content = event.content
    return details.model_copy(
        update={
            "title": content.title or None,
            "location": content.location or None,
            "description": content.description or None,
            "meeting_link": event.meeting_link,
        }
    )


def _local(when: EventTime) -> tuple[datetime, datetime, str]:
    """Wall-clock times and their zone; in UTC where the zone's clock shows one of them twice. Raises ValueError."""
    zone = when.zone or "UTC"
    if when.all_day:
        return when.starts_at.replace(tzinfo=None), when.ends_at.replace(tzinfo=None), zone
    try:
        start, end = (at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for at in (when.starts_at, when.ends_at))
    except OverflowError as error:
        raise ValueError("a time beyond the years that there are") from error
    if (to_instant(start, zone), to_instant(end, zone)) == (when.starts_at, when.ends_at):
        return start, end, zone
    return when.starts_at.replace(tzinfo=None), when.ends_at.replace(tzinfo=None), "UTC"


def _guests(owner: CalendarOwner, attendees: tuple[Attendee, ...]) -> list[EventAttendee]:
    guests = {
        email_key(attendee.email): EventAttendee(email=attendee.email, name=attendee.name, rsvp_status=attendee.answer)
        for attendee in attendees
        if not attendee.is_owner and not attendee.is_organizer
    }
    guests.pop(email_key(owner.email), None)
    return sorted(guests.values(), key=lambda guest: guest.email)[:_MAX_GUESTS]
