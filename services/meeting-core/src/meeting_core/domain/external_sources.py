"""The external calendars that contain an imported meeting, and the meeting's content that follows from them. Pure."""

from collections.abc import Sequence
from typing import Self

from contracts.messages.calendar_events import EventAttendee, ExternalEventDeleted, ExternalEventUpserted
from contracts.model import StoredModel
from contracts.values.enums import MeetingSource, ParticipantType, RsvpStatus, UserType
from contracts.values.limits import MAX_PARTICIPANTS
from contracts.values.meeting import HostFields, MeetingContent
from contracts.values.personal import PersonId
from contracts.values.text import email_key
from pydantic import Field

from meeting_core.domain.calendar_source import CalendarSource
from meeting_core.domain.participants import Participant

_MAX_WITH_TEXTS = 8
"""How many calendars' texts are kept for one meeting, since a document has room for 16 MB."""
_TYPES = {
    UserType.TENANT_STAFF: ParticipantType.TENANT_STAFF,
    UserType.PARTNER_STAFF: ParticipantType.PARTNER_STAFF,
    UserType.CLIENT: ParticipantType.CONTACT,
}


class ExternalSources(StoredModel, frozen=True):
    """The calendars that contain an imported meeting, in the order of import."""

    sources: list[CalendarSource] = Field(default_factory=list)
    deleted: dict[PersonId, int] = Field(default_factory=dict)
    """The owners from whose calendars it was deleted, each with the sequence of that event."""

    def with_event(self, event: ExternalEventUpserted) -> Self | None:
        """With this calendar's present content; None when the event is out of date."""
        user_id = event.owner.user_id
        if event.sequence <= self._last_sequence(user_id):
            return None
        source, before = CalendarSource.of(event), self._source_of(user_id)
        with_texts = [other for other in self.sources if not other.private and other is not before]
        if len(with_texts) >= _MAX_WITH_TEXTS and not source.organizes:
            source = source.redacted()
        deleted = {owner: sequence for owner, sequence in self.deleted.items() if owner != user_id}
        if before is None:
            return self.model_copy(update={"sources": [*self.sources, source], "deleted": deleted})
        return self._replace(before, source.merge_rsvp_from(before))

    def without(self, event: ExternalEventDeleted) -> Self | None:
        """Without this calendar; None when the event is out of date."""
        if event.sequence <= self._last_sequence(event.user_id):
            return None
        others = [source for source in self.sources if source.owner.user_id != event.user_id]
        return self.model_copy(update={"sources": others, "deleted": {**self.deleted, event.user_id: event.sequence}})

    def with_answer(self, user_id: str | None, status: RsvpStatus) -> Self:
        """With an owner's answer given here; other participants' answers are not kept in sources."""
        before = None if user_id is None else self._source_of(user_id)
        return self if before is None else self._replace(before, before.model_copy(update={"answer": status}))

    @property
    def source(self) -> MeetingSource:
        return self._host.source

    @property
    def content(self) -> MeetingContent:
        return self._primary.content

    @property
    def hosted(self) -> HostFields:
        """Who hosts it on the platform: the organiser, else the owner of the calendar it was imported from first."""
        host, primary = self._host.owner, self._primary
        return HostFields(
            host_uuid=host.user_id,
            host_type=host.user_type,
            host_name=host.name,
            host_email=host.email,
            created_by_uuid=host.user_id,
            created_by_type=host.user_type,
            organizer_email=primary.organizer_email or (host.email if self._host.organizes else None),
            organizer_name=primary.organizer_name or (host.name if self._host.organizes else None),
            externally_organized=not self._host.organizes,
        )

    def participants(self, present: Sequence[Participant]) -> list[Participant]:
        """The other owners, then the other attendees; each person once, with the participantUuid that they have.

        A known answer does not become UNKNOWN because a provider has lost it.
        """
        host, known = self._host, _KnownParticipants(present, owners=set(self.user_ids))
        people = [known.owner(source) for source in self.sources if source is not host]
        named = {email_key(source.owner.email) for source in self.sources}
        named.add(email_key(self.hosted.organizer_email))
        for guest in self._primary.guests:
            if email_key(guest.email) not in named:
                named.add(email_key(guest.email))
                people.append(known.guest(guest))
        return people[:MAX_PARTICIPANTS]

    @property
    def guests_hidden(self) -> bool:
        """Whether the guests do not see each other in their calendars, and so not here."""
        return any(source.guests_hidden for source in self.sources)

    @property
    def user_ids(self) -> list[str]:
        """Whose calendars contain it; an owner who declined is among them."""
        return sorted(source.owner.user_id for source in self.sources)

    @property
    def busy_user_ids(self) -> list[str]:
        """Whose time it takes, if it takes any."""
        if not self.sources or not self.content.schedule.duration:
            return []
        attended = (source for source in self.sources if source.busy and source.answer is not RsvpStatus.DECLINED)
        return sorted(source.owner.user_id for source in attended)

    @property
    def _organizing(self) -> CalendarSource | None:
        return next((source for source in self.sources if source.organizes), None)

    @property
    def _host(self) -> CalendarSource:
        return self._organizing or self.sources[0]

    @property
    def _primary(self) -> CalendarSource:
        """The source of the content: the organiser's; else the newest that is not private; else any, for the time."""
        return self._organizing or max(
            self.sources, key=lambda source: (not source.private, source.sequence, source.owner.user_id)
        )

    def _source_of(self, user_id: str) -> CalendarSource | None:
        return next((source for source in self.sources if source.owner.user_id == user_id), None)

    def _last_sequence(self, user_id: str) -> int:
        source = self._source_of(user_id)
        return self.deleted.get(user_id, 0) if source is None else source.sequence

    def _replace(self, before: CalendarSource, now: CalendarSource) -> Self:
        return self.model_copy(update={"sources": [now if source is before else source for source in self.sources]})


class _KnownParticipants:
    """The present participants: owners by platform id, all others by address."""

    def __init__(self, present: Sequence[Participant], owners: set[str]) -> None:
        self._owners = {
            person.participant_entity_uuid: person for person in present if person.participant_entity_uuid in owners
        }
        self._others = {
            email_key(person.email): person for person in present if person.participant_entity_uuid not in owners
        }

    def owner(self, source: CalendarSource) -> Participant:
        owner = source.owner
        return _person(
            self._owners.get(owner.user_id) or self._others.pop(email_key(owner.email), None),
            participant_entity_uuid=owner.user_id,
            participant_type=_TYPES[owner.user_type],
            email=owner.email or None,
            name=owner.name,
            rsvp_status=source.answer,
        )

    def guest(self, guest: EventAttendee) -> Participant:
        before = self._others.pop(email_key(guest.email), None)
        answer = guest.rsvp_status
        if before is not None and answer is RsvpStatus.UNKNOWN:
            answer = before.rsvp_status
        return _person(
            before,
            participant_entity_uuid=None,
            participant_type=ParticipantType.EXTERNAL,
            email=guest.email,
            name=guest.name,
            rsvp_status=answer,
        )


def _person(before: Participant | None, **person: object) -> Participant:
    return Participant.model_validate(person) if before is None else before.model_copy(update=person)
