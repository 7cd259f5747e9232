"""The people of a meeting: who comes in, who stays with their answer, who goes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.model import StoredModel
from contracts.values.changes import ActorRef
from contracts.values.enums import (
    ActorType,
    DeliveryFailureCode,
    GuestLanguage,
    ParticipantType,
    RsvpStatus,
    Way,
)
from contracts.values.ids import new_participant_uuid
from contracts.values.meeting import Invitee, ParticipantState
from contracts.values.personal import MailAddress, PersonId, PersonName, PhoneNumber, WrittenText
from contracts.values.text import email_key
from contracts.values.times import Instant
from pydantic import Field

_STAFF = (ParticipantType.TENANT_STAFF, ParticipantType.PARTNER_STAFF)
_ACTOR_TYPES = {
    ParticipantType.CONTACT: ActorType.CLIENT,
    ParticipantType.TENANT_STAFF: ActorType.TENANT_STAFF,
    ParticipantType.PARTNER_STAFF: ActorType.PARTNER_STAFF,
    ParticipantType.EXTERNAL: ActorType.GUEST,
}


class LastMail(StoredModel, frozen=True):
    """How the last mail to a participant went; without a failure it was sent."""

    sequence: int
    """The version of the meeting that asked for it."""
    at: Instant
    failure_code: DeliveryFailureCode | None = None
    failure_reason: WrittenText | None = None


class CalendarAnswer(StoredModel, frozen=True):
    """How our invitation is answered in a participant's own calendar; None while it is not."""

    sequence: int
    answer: RsvpStatus | None


class Participant(StoredModel, frozen=True):
    """A person invited to a meeting. External guests have no ``participant_entity_uuid``."""

    participant_uuid: PersonId = Field(default_factory=new_participant_uuid)
    participant_entity_uuid: PersonId | None = None
    participant_type: ParticipantType
    email: MailAddress | None = None
    name: PersonName | None = None
    language: GuestLanguage = None
    country_code: PhoneNumber | None = None
    phone: PhoneNumber | None = None
    rsvp_status: RsvpStatus = RsvpStatus.UNKNOWN
    tentative: bool = False
    """They may come; their answer is UNKNOWN."""
    rsvp_changed_at: Instant | None = None
    """When they answered last, since they were asked anew."""
    last_proposal_id: str | None = None
    """Of the last new time that they proposed by mail."""
    last_invitation_resent_at: Instant | None = None
    invitation_resent_in_version: int | None = None
    last_mail: LastMail | None = None
    calendar_answer: CalendarAnswer | None = None
    """What their own connected calendar said last; None where it has not said anything."""

    @property
    def is_staff(self) -> bool:
        return self.participant_type in _STAFF

    @property
    def is_external(self) -> bool:
        return self.participant_type is ParticipantType.EXTERNAL

    def acting(self, way: Way) -> ActorRef:
        """The participant as events and the history name them, when they did something by this way."""
        person = self.participant_entity_uuid or self.participant_uuid
        return ActorRef(id=person, type=_ACTOR_TYPES[self.participant_type], way=way)

    def is_newer_answer(self, said: CalendarAnswer) -> bool:
        """Whether what their calendar says now is their newest answer.

        It is when it changed there. What it said first may be older than an answer that they gave here.
        """
        before = self.calendar_answer
        if said.answer is None or said.answer is self.rsvp_status:
            return False
        return self.rsvp_status is RsvpStatus.UNKNOWN if before is None else said.answer is not before.answer

    def with_reset_answer(self) -> "Participant":
        """The same person, asked again."""
        anew = {"rsvp_status": RsvpStatus.UNKNOWN, "tentative": False, "rsvp_changed_at": None}
        return self.model_copy(update=anew)

    def is_new_outcome(self, sequence: int, *, failed: bool) -> bool:
        """Whether the outcome of the mail of this sequence is new: a later mail, or one delivered that came back."""
        last = self.last_mail
        if last is None or sequence > last.sequence:
            return True
        return failed and sequence == last.sequence and last.failure_code is None

    def can_be_resent_invitation(self, now: datetime, cooldown: timedelta) -> bool:
        """Whether there is an address, and the last time is at least ``cooldown`` ago."""
        last = self.last_invitation_resent_at
        return self.email is not None and (last is None or now - last >= cooldown)

    def with_invitation_resent(self, now: datetime, version: int) -> "Participant":
        """The same person, to whom the invitation goes once more, since this version of the meeting."""
        return self.model_copy(update={"last_invitation_resent_at": now, "invitation_resent_in_version": version})

    def state(self) -> ParticipantState:
        """The participant as other services see them."""
        return ParticipantState(
            participant_uuid=self.participant_uuid,
            participant_entity_uuid=self.participant_entity_uuid,
            participant_type=self.participant_type,
            email=self.email,
            name=self.name,
            language=self.language,
            rsvp_status=self.rsvp_status,
        )


@dataclass(frozen=True, slots=True)
class ParticipantChange:
    """The participants after a change of people, and what the change was."""

    now: list[Participant]
    added: list[Participant]
    removed: list[Participant]
    changed: bool


def resolve_invitees(
    invitees: Iterable[Invitee], *, host: str, host_email: str | None, present: Sequence[Participant] = ()
) -> list[Participant]:
    """The participants these invitees become, each person once.

    People who are ``present`` keep participantUuid and answer. The host is no participant. An external guest whose
    address is a platform person's on the meeting, in any case, is that person.
    """
    known = {_identity(person): person for person in present}
    admitted: dict[str, Participant] = {}
    for invitee in invitees:
        if invitee.participant_entity_uuid != host:
            admitted.setdefault(_identity(invitee), _as_participant(invitee, known.get(_identity(invitee))))
    return _without_duplicates(admitted.values(), host_email)


def replace_people(
    present: Sequence[Participant],
    *,
    contacts: Sequence[Invitee] | None,
    staff: Sequence[Invitee] | None,
    externals: Sequence[Invitee] | None,
    host: str,
    host_email: str | None,
) -> ParticipantChange:
    """Replace the participants of each kind for which a list is given; the other kinds stay."""
    kinds: tuple[tuple[Sequence[Invitee] | None, Callable[[Participant], bool]], ...] = (
        (contacts, lambda person: person.participant_type is ParticipantType.CONTACT),
        (staff, lambda person: person.is_staff),
        (externals, lambda person: person.is_external),
    )
    people: list[Participant] = []
    for invitees, is_of_kind in kinds:
        of_kind = [person for person in present if is_of_kind(person)]
        people += (
            of_kind if invitees is None else resolve_invitees(invitees, host=host, host_email=None, present=of_kind)
        )
    return participant_change(present, _without_duplicates(people, host_email))


def participant_change(present: Sequence[Participant], now: list[Participant]) -> ParticipantChange:
    """What it is to put these participants in place of those who were there; their order does not matter."""
    staying = {person.participant_uuid for person in now}
    before = {person.participant_uuid for person in present}
    addresses = {_address(person) for person in now}
    return ParticipantChange(
        now=now,
        added=[person for person in now if person.participant_uuid not in before],
        removed=[
            person for person in present if person.participant_uuid not in staying and _address(person) not in addresses
        ],
        changed={person.participant_uuid: person for person in now}
        != {person.participant_uuid: person for person in present},
    )


def _as_participant(invitee: Invitee, present: Participant | None) -> Participant:
    person = dict(invitee)
    return Participant(**person) if present is None else present.model_copy(update=person)


def _without_duplicates(people: Iterable[Participant], host_email: str | None) -> list[Participant]:
    people = list(people)
    platform = {_address(person) for person in people if not person.is_external} | {email_key(host_email)}
    return [person for person in people if not (person.is_external and _address(person) in platform)]


def _identity(person: Participant | Invitee) -> str:
    return person.participant_entity_uuid or f"mailto:{email_key(person.email)}"


def _address(person: Participant) -> str | None:
    """The mail address for comparison; without one, something no other person has."""
    return email_key(person.email) if person.email else person.participant_uuid
