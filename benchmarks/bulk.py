"""Meetings in bulk, made through the aggregate and stored as meeting-core stores them, for databases of any size."""

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from chassis.mongo.database import Document
from contracts.history import GENESIS
from contracts.messages.command import Actor
from contracts.messages.meeting_commands import CreateMeeting
from contracts.values.enums import LocationType, MeetingStatus, ParticipantType, RsvpStatus, UserType
from contracts.values.ids import new_meeting_uuid, uuid7_hex
from contracts.values.meeting import Invitee, MeetingContent
from meeting_core.adapters.meetings import to_document
from meeting_core.domain.meeting import Meeting
from pymongo.collection import Collection

STAFF_OF_A_TENANT = 200
IN_A_TENANT = 100_000
ON_THE_CALENDAR = 2_500
"""Meetings on the caller's calendar, however many there are of others; a colleague has about a thousand."""
FIRST_DAY = datetime(2025, 1, 1)  # noqa: DTZ001 a wall time
_DAYS = 1_000
_ZONES = ("America/Santiago", "America/New_York", "Europe/Madrid", "Asia/Tokyo", "UTC")
_BATCH = 2_000
_CREATED = datetime(2025, 1, 1, tzinfo=UTC)


def tenant(number: int) -> str:
    return f"T{number:032X}"


def staff(tenant_number: int, number: int) -> str:
    return f"TS{tenant_number:016X}{number:016X}"


def actor(number: int = 0, *, tenant_number: int = 0) -> Actor:
    """A staff member; number 0 of tenant 0 is the caller."""
    return Actor(
        tenant_uuid=tenant(tenant_number),
        user_id=staff(tenant_number, number),
        user_type=UserType.TENANT_STAFF,
        email=f"staff{number}@example.com",
        name=f"Adviser {number}",
    )


EVERYWHERE = actor(9_999)
"""On whose calendar everything of tenant 0 is."""


def grow(meetings: Collection[Document], start: int, end: int) -> None:
    """Add the meetings of these numbers; the same numbers always make meetings of the same shape."""
    documents = map(_document, range(start, end))
    while batch := list(itertools.islice(documents, _BATCH)):
        meetings.insert_many(batch, ordered=False)


def _document(number: int) -> Document:
    meeting = _meeting(number)
    if meeting.tenant_uuid == EVERYWHERE.tenant_uuid:
        meeting.visible_to_user_ids.append(EVERYWHERE.user_id)
    return {**to_document(meeting), "outbox": [], "historyHash": GENESIS}


def _meeting(number: int) -> Meeting:
    chance = random.Random(number)
    tenant_number = number // IN_A_TENANT
    on_calendar = number < 4 * ON_THE_CALENDAR and number % 4 == 0  # within the first 10,000
    others = range(1, STAFF_OF_A_TENANT)
    host, *colleagues = chance.sample(others, 2)
    if on_calendar:
        (host, colleagues) = (0, [host]) if chance.random() < 0.5 else (host, [0])
    command = CreateMeeting(
        command_id=uuid7_hex(),
        fingerprint="",
        meeting_uuid=new_meeting_uuid(),
        actor=actor(host, tenant_number=tenant_number),
        content=_content(chance),
        invitees=[*_invitees(chance, tenant_number, colleagues)],
    )
    meeting = Meeting.create(command, _CREATED)
    if chance.random() < 0.1:
        meeting.status = MeetingStatus.CANCELED
    meeting.participants = [
        one.model_copy(update={"rsvp_status": chance.choice(list(RsvpStatus))}) for one in meeting.participants
    ]
    return meeting


def _content(chance: random.Random) -> MeetingContent:
    """UnitOfWork hours in quarters, mostly; one in 50 takes whole days, and a few of these take weeks."""
    day = FIRST_DAY + timedelta(days=chance.randrange(_DAYS))
    all_day = chance.random() < 0.02
    if all_day:
        start, end = day, day + timedelta(days=chance.choice((1, 1, 1, 2, 5, 14, 60)))
    else:
        start = day + timedelta(hours=8, minutes=15 * chance.randrange(40))
        end = start + timedelta(minutes=chance.choice((15, 30, 45, 60, 90)))
    return MeetingContent(
        title=chance.choice(("Portfolio review", "Onboarding", "Annual plan", "Call")) + f" {chance.randrange(1000)}",
        start_date_time=start,
        end_date_time=end,
        timezone=chance.choice(_ZONES),
        all_day=all_day,
        location_type=LocationType.ONLINE,
        location_detail="https://meet.google.com/abc-defg-hij",
        description="Review performance and rebalancing plan. " * chance.randrange(1, 6),
        internal_notes="Bring the updated draft.",
    )


def _invitees(chance: random.Random, tenant_number: int, colleagues: list[int]) -> Iterator[Invitee]:
    client = chance.randrange(5_000)
    yield Invitee(
        participant_type=ParticipantType.CONTACT,
        participant_entity_uuid=f"C{tenant_number:016X}{client:016X}",
        email=f"client{client}@example.com",
        name=f"Client {client}",
    )
    for number in colleagues:
        yield Invitee(
            participant_type=ParticipantType.TENANT_STAFF,
            participant_entity_uuid=staff(tenant_number, number),
            email=f"staff{number}@example.com",
            name=f"Adviser {number}",
        )
