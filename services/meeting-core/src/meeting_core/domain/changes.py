"""What one version of a meeting changed, field by field, and what of it the public topic may carry. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from contracts.messages.meeting_events import MeetingEvent, ParticipantProposedNewTime
from contracts.values.changes import FieldChange
from contracts.values.times import format_instant
from pydantic.alias_generators import to_camel

from meeting_core.domain.meeting import Meeting
from meeting_core.domain.participants import Participant

_CREDENTIALS = frozenset({"meetingPassword"})
_NOT_PUBLIC = frozenset({"internalNotes"})
_PUBLIC_OF_PARTICIPANT = frozenset({"rsvpStatus", "tentative"})


def changes_between(before: Meeting | None, after: Meeting) -> list[FieldChange]:
    """The changed fields of the meeting, then those of each participant; None: there was no meeting before.

    Values of credentials are not among them, only that they changed.
    """
    changes = list(_differences(None, _meeting_fields(before), _meeting_fields(after)))
    old = {} if before is None else {person.participant_uuid: person for person in before.participants}
    new = {person.participant_uuid: person for person in after.participants}
    for participant_uuid in dict.fromkeys((*old, *new)):
        was, now = old.get(participant_uuid), new.get(participant_uuid)
        if was is not now:
            changes += _differences(participant_uuid, _participant_fields(was), _participant_fields(now))
    return [change.without_values() if change.field in _CREDENTIALS else change for change in changes]


def proposed(event: MeetingEvent) -> list[FieldChange]:
    """The time that a participant proposed: it changes nothing, and the history says what it was."""
    if not isinstance(event, ParticipantProposedNewTime):
        return []
    said = {"startsAt": event.starts_at, "endsAt": event.ends_at, "comment": event.comment}
    return list(_differences(event.participant_uuid, {}, {f"proposal.{name}": value for name, value in said.items()}))


def public_changes(changes: Sequence[FieldChange], before: Meeting | None, after: Meeting) -> list[FieldChange]:
    """The changes as every service of the platform may read them.

    A new meeting's are its state. Who came and went is in the event's other fields. Guests of a hidden list are not
    named.
    """
    if before is None:
        return []
    staying = _named(before) & _named(after)
    return [
        change if _is_public(change) else change.without_values()
        for change in changes
        if change.participant_uuid is None or change.participant_uuid in staying
    ]


def _is_public(change: FieldChange) -> bool:
    if change.participant_uuid is not None:
        return change.field in _PUBLIC_OF_PARTICIPANT
    return change.field not in _NOT_PUBLIC


def _named(meeting: Meeting) -> set[str]:
    return {person.participant_uuid for person in meeting.named_in_events(meeting.participants)}


def _differences(participant_uuid: str | None, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[FieldChange]:
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield FieldChange(
                field=name, participant_uuid=participant_uuid, old=_plain(old.get(name)), new=_plain(new.get(name))
            )


def _meeting_fields(meeting: Meeting | None) -> dict[str, Any]:
    if meeting is None:
        return {}
    sync = meeting.sync
    fields = {
        **dict(meeting.content),
        **dict(meeting.hosted),
        "status": meeting.status,
        "source": meeting.source,
        "external_sync_status": sync.status,
        "last_sync_operation": sync.last_operation,
        "sync_failure_code": sync.failure_code,
        "sync_failure_reason": sync.failure_reason,
    }
    return {to_camel(name): value for name, value in fields.items()}


def _participant_fields(person: Participant | None) -> dict[str, Any]:
    if person is None:
        return {}
    mail = person.last_mail
    return {
        "participantType": person.participant_type,
        "participantEntityUuid": person.participant_entity_uuid,
        "name": person.name,
        "email": person.email,
        "language": person.language,
        "countryCode": person.country_code if person.is_external else None,
        "phone": person.phone if person.is_external else None,
        "rsvpStatus": person.rsvp_status,
        "tentative": person.tentative,
        "lastInvitationResentAt": person.last_invitation_resent_at,
        "lastMailAt": mail.at if mail else None,
        "deliveryFailureCode": mail.failure_code if mail else None,
        "deliveryFailureReason": mail.failure_reason if mail else None,
    }


def _plain(value: Any) -> str | bool | None:
    """A value as JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat() if value.tzinfo is None else format_instant(value)
    return value if value is None or isinstance(value, bool) else str(value)
