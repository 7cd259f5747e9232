"""What the events of a meeting mean for each of its guests. Pure."""

from collections.abc import Iterator, Sequence

from contracts.messages.meeting_events import (
    InvitationResent,
    MeetingCanceled,
    MeetingCreated,
    MeetingEvent,
    MeetingUpdated,
    ParticipantResponded,
)
from contracts.transport.envelope import Envelope
from contracts.values.enums import MeetingSource
from contracts.values.meeting import ParticipantState

from invitations.domain.guest import GuestChange


def guest_changes(event: MeetingEvent, envelope: Envelope) -> Iterator[GuestChange]:
    """The change for each guest whom the event concerns.

    Imported meetings change nothing: their organizer elsewhere invites the guests.

    Raises:
        ValueError: the envelope does not say which version of the meeting this is.
    """
    if event.meeting.source is not MeetingSource.INTERNAL:
        return
    if envelope.sequence is None:
        raise ValueError("an event of a meeting must carry its sequence")
    gone = event.removed if isinstance(event, MeetingUpdated) else []
    for person in (*_concerned(event), *gone):
        removed = person in gone
        changed = removed or _sees_change(person, event)
        yield GuestChange(
            meeting=event.meeting,
            person=person,
            sequence=envelope.sequence,
            at=envelope.time,
            correlation_id=envelope.correlation_id or envelope.id,
            traceparent=envelope.traceparent,
            changed=changed,
            requests_mail=isinstance(event, InvitationResent) or (changed and not _is_silent(event)),
            removed=removed,
        )


def _is_silent(event: MeetingEvent) -> bool:
    return isinstance(event, MeetingUpdated) and event.silent


def _concerned(event: MeetingEvent) -> Sequence[ParticipantState]:
    """Those of the meeting's participants about whom something is to be noted."""
    people = event.meeting.participants
    match event:
        case MeetingCreated() | MeetingUpdated() | MeetingCanceled():
            return people
        case InvitationResent():
            return [person for person in people if person.participant_uuid in event.participant_uuids]
        case ParticipantResponded():
            return [person for person in people if person.participant_uuid == event.participant_uuid]
        case _:
            return []


def _sees_change(person: ParticipantState, event: MeetingEvent) -> bool:
    """Whether anything that this participant can see is new to them."""
    match event:
        case MeetingCreated() | MeetingCanceled():
            return True
        case MeetingUpdated():
            return person.participant_uuid in event.added or event.is_seen_by_guests
        case _:
            return False
