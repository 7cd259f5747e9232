"""A meeting made in an external calendar: what its owners' calendars say of it, and what that makes it. Pure.

Whatever a calendar says was written by strangers: it is cleaned and cut here, before it is kept.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Self

from contracts.messages.calendar_events import (
    CalendarOwner,
    EventAttendee,
    EventDetails,
    ExternalEventDeleted,
    ExternalEventUpserted,
)
from contracts.values.enums import LocationType, MeetingSource, ParticipantType, RsvpStatus, UserType
from contracts.values.limits import MAX_LINE, MAX_PARTICIPANTS, MAX_TEXT, MAX_TITLE
from contracts.values.meeting import HostFields, MeetingContent
from contracts.values.text import email_address, email_key, sanitize_line, sanitize_text, web_link
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from meeting_core.domain.participants import Participant

BUSY = "Busy"
"""All that others learn of a private event."""
_MAX_NAME_LENGTH = 100
"""So that an event that tells of 500 people who came and 500 who went stays below Kafka's 1 MB."""
_MAX_SOURCES = 8
"""How many calendars' words are kept for one meeting: each may be a book, and a document has room for 16 MB."""
_TYPES = {
    UserType.TENANT_STAFF: ParticipantType.TENANT_STAFF,
    UserType.PARTNER_STAFF: ParticipantType.PARTNER_STAFF,
    UserType.CLIENT: ParticipantType.CONTACT,
}
_STORED = ConfigDict(
    alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True, frozen=True
)


class Sighting(BaseModel):
    """The event as it stands in one owner's calendar."""

    model_config = _STORED

    owner: CalendarOwner
    sequence: int
    source: MeetingSource
    content: MeetingContent
    private: bool
    """It says no more than that its owner is busy."""
    busy: bool
    told: RsvpStatus
    """The owner's answer, as the calendar last told it."""
    answer: RsvpStatus
    """The owner's answer: the calendar's, or the one that they have given here since."""
    organizes: bool
    organizer_email: str | None = None
    organizer_name: str | None = None
    guests: list[EventAttendee] = Field(default_factory=list)
    guests_hidden: bool = False

    @classmethod
    def of(cls, seen: ExternalEventUpserted) -> Self:
        """What is kept of it: nothing that a platform user could not have written as well."""
        sighting = cls(
            owner=_owner(seen.owner),
            sequence=seen.sequence,
            source=MeetingSource(seen.provider),
            content=_content(seen.event),
            private=seen.private,
            busy=seen.busy,
            told=seen.answer,
            answer=seen.answer,
            organizes=seen.organized_by_owner,
            organizer_email=_address(seen.organizer_email),
            organizer_name=_line(seen.organizer_name, _MAX_NAME_LENGTH),
            guests=list(_guests(seen.guests)),
            guests_hidden=seen.guests_hidden,
        )
        return sighting.discreet() if seen.private else sighting

    def discreet(self) -> Self:
        """The same without a word, but for its time."""
        content = MeetingContent(
            title=BUSY,
            start_date_time=self.content.start_date_time,
            end_date_time=self.content.end_date_time,
            timezone=self.content.timezone,
            all_day=self.content.all_day,
            location_type=LocationType.IN_PERSON,
        )
        untold = {"private": True, "content": content, "guests": [], "organizer_email": None, "organizer_name": None}
        return self.model_copy(update=untold)

    def after(self, before: Self) -> Self:
        """This, as news: what the owner answered here stands until the calendar's answer is another, and is one."""
        is_news = self.told is not before.told and self.told is not RsvpStatus.UNKNOWN
        return self.model_copy(update={"answer": self.told if is_news else before.answer})


class Imported(BaseModel):
    """The calendars that an imported meeting is in, in the order in which it was first seen there."""

    model_config = _STORED

    sightings: list[Sighting] = Field(default_factory=list)
    gone: dict[str, int] = Field(default_factory=dict)
    """The owners whose calendars it has left, each with the sequence of that news."""

    # --- what is heard ------------------------------------------------------------------------------------------

    def seen(self, event: ExternalEventUpserted) -> Self | None:
        """With what this calendar says now; None when that, or something newer, was heard before."""
        user_id = event.owner.user_id
        if event.sequence <= self._heard(user_id):
            return None
        sighting, before = Sighting.of(event), self._of(user_id)
        telling = [one for one in self.sightings if not one.private and one is not before]
        if len(telling) >= _MAX_SOURCES and not sighting.organizes:
            sighting = sighting.discreet()
        gone = {one: sequence for one, sequence in self.gone.items() if one != user_id}
        if before is None:
            return self.model_copy(update={"sightings": [*self.sightings, sighting], "gone": gone})
        return self._with(before, sighting.after(before))

    def left(self, event: ExternalEventDeleted) -> Self | None:
        """Without this calendar; None when that, or something newer, was heard before."""
        if event.sequence <= self._heard(event.user_id):
            return None
        others = [one for one in self.sightings if one.owner.user_id != event.user_id]
        return self.model_copy(update={"sightings": others, "gone": {**self.gone, event.user_id: event.sequence}})

    def answered(self, user_id: str | None, status: RsvpStatus) -> Self:
        """With the answer that an owner gave here; another's is kept with the participants alone."""
        before = None if user_id is None else self._of(user_id)
        return self if before is None else self._with(before, before.model_copy(update={"answer": status}))

    # --- what the meeting is ------------------------------------------------------------------------------------

    @property
    def source(self) -> MeetingSource:
        return self._host.source

    @property
    def content(self) -> MeetingContent:
        return self._telling.content

    @property
    def hosted(self) -> HostFields:
        """Whose it is on the platform: the organiser's, else whose calendar it was seen in first."""
        host, telling = self._host.owner, self._telling
        return HostFields(
            host_uuid=host.user_id,
            host_type=host.user_type,
            host_name=host.name,
            host_email=host.email,
            created_by_uuid=host.user_id,
            created_by_type=host.user_type,
            organizer_email=telling.organizer_email or (host.email if self._host.organizes else None),
            organizer_name=telling.organizer_name or (host.name if self._host.organizes else None),
            externally_organized=not self._host.organizes,
        )

    def participants(self, present: Sequence[Participant]) -> list[Participant]:
        """The other owners, then who else is invited; each person once, and known by the id that they have.

        Nobody's known answer becomes unknown because a provider has lost it.
        """
        host, known = self._host, _Known(present, owners=set(self.calendar))
        people = [known.owner(one) for one in self.sightings if one is not host]
        named = {email_key(one.owner.email) for one in self.sightings}
        named.add(email_key(self.hosted.organizer_email))
        for guest in self._telling.guests:
            if email_key(guest.email) not in named:
                named.add(email_key(guest.email))
                people.append(known.guest(guest))
        return people[:MAX_PARTICIPANTS]

    @property
    def guests_hidden(self) -> bool:
        """Whether the guests do not see each other in their calendars, and so not here."""
        return any(one.guests_hidden for one in self.sightings)

    @property
    def calendar(self) -> list[str]:
        """Whose calendars show it: also theirs who declined."""
        return sorted(one.owner.user_id for one in self.sightings)

    @property
    def busy(self) -> list[str]:
        """Whose time it takes, if it takes any."""
        if not self.sightings or not self.content.schedule.duration:
            return []
        taken = (one for one in self.sightings if one.busy and one.answer is not RsvpStatus.DECLINED)
        return sorted(one.owner.user_id for one in taken)

    # --- inside -------------------------------------------------------------------------------------------------

    @property
    def _organizing(self) -> Sighting | None:
        return next((one for one in self.sightings if one.organizes), None)

    @property
    def _host(self) -> Sighting:
        return self._organizing or self.sightings[0]

    @property
    def _telling(self) -> Sighting:
        """Whose words count: the organiser's; else the newest that are not private; else any, for the time."""
        return self._organizing or max(
            self.sightings, key=lambda one: (not one.private, one.sequence, one.owner.user_id)
        )

    def _of(self, user_id: str) -> Sighting | None:
        return next((one for one in self.sightings if one.owner.user_id == user_id), None)

    def _heard(self, user_id: str) -> int:
        sighting = self._of(user_id)
        return self.gone.get(user_id, 0) if sighting is None else sighting.sequence

    def _with(self, before: Sighting, now: Sighting) -> Self:
        return self.model_copy(update={"sightings": [now if one is before else one for one in self.sightings]})


class _Known:
    """The participants as they are known: each owner by platform id, all others by address."""

    def __init__(self, present: Sequence[Participant], owners: set[str]) -> None:
        self._owners = {one.participant_entity_uuid: one for one in present if one.participant_entity_uuid in owners}
        self._others = {email_key(one.email): one for one in present if one.participant_entity_uuid not in owners}

    def owner(self, sighting: Sighting) -> Participant:
        owner = sighting.owner
        return _person(
            self._owners.get(owner.user_id) or self._others.pop(email_key(owner.email), None),
            participant_entity_uuid=owner.user_id,
            participant_type=_TYPES[owner.user_type],
            email=owner.email or None,
            name=owner.name,
            rsvp_status=sighting.answer,
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


def _owner(owner: CalendarOwner) -> CalendarOwner:
    email = _address(owner.email) or ""
    return owner.model_copy(update={"name": _line(owner.name, _MAX_NAME_LENGTH), "email": email})


def _content(event: EventDetails) -> MeetingContent:
    location, link = _line(event.location, MAX_LINE), _web_link(event.meeting_link)
    place = location or (None if link else _line(event.meeting_link, MAX_LINE))
    online = link is not None or _web_link(place) is not None
    content = MeetingContent(
        title=_line(event.title, MAX_TITLE),
        start_date_time=event.start_date_time,
        end_date_time=event.end_date_time,
        timezone=event.timezone,
        all_day=event.all_day,
        location_type=LocationType.ONLINE if online else LocationType.IN_PERSON,
        location_detail=place,
        description=sanitize_text(event.description, max_length=MAX_TEXT) or None,
        meeting_link=link,
    )
    backwards = content.schedule.duration < timedelta(0)
    return content.model_copy(update={"end_date_time": event.start_date_time}) if backwards else content


def _guests(guests: Sequence[EventAttendee]) -> Iterator[EventAttendee]:
    """Those who have an address, as many as a meeting can have."""
    for guest in guests[:MAX_PARTICIPANTS]:
        if email := _address(guest.email):
            yield EventAttendee(email=email, name=_line(guest.name, _MAX_NAME_LENGTH), rsvp_status=guest.rsvp_status)


def _line(text: str | None, longest: int) -> str | None:
    return sanitize_line(text, max_length=longest) or None


def _address(text: str | None) -> str | None:
    try:
        return email_address(text or "")
    except ValueError:
        return None


def _web_link(text: str | None) -> str | None:
    try:
        return web_link((text or "").strip())
    except ValueError:
        return None
