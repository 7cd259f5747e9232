"""Random meetings, as the aggregate would hold them, for tests that compare a search with plain Python."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from contracts.values.enums import (
    ExternalSyncStatus,
    LocationType,
    MeetingSource,
    MeetingStatus,
    ParticipantType,
    RsvpStatus,
    SyncFailureCode,
    SyncOperation,
    UserType,
)
from contracts.values.meeting import HostFields, MeetingContent
from hypothesis import strategies as st
from meeting_core.domain.meeting import Meeting
from meeting_core.domain.participants import Participant
from meeting_core.domain.sync_state import SyncState

from tests.support.commands import TENANT

STAFF = ("TS-A", "TS-B", "TS-C", "PS-D")
CONTACTS = ("C-E", "C-F")
ZONES = (
    "UTC",
    "America/Santiago",
    "America/New_York",
    "Europe/Madrid",
    "Australia/Lord_Howe",  # a change of half an hour
    "Pacific/Apia",  # 30 December 2011 never was
    "Asia/Kathmandu",
)
LETTERS = "abAB" + "éÉñ" + ".*+?^$|\\/()[]{}" + " #&~-_%\"'\n\t"
"""Few, so that texts meet; and all that mean something in a pattern."""

_CHANGES = (datetime(2026, 3, 29), datetime(2026, 10, 25), datetime(2026, 4, 4), datetime(2011, 12, 29))  # noqa: DTZ001
"""Days at which the clocks of these zones change."""

_LENGTHS = (15, 45, 60, 24 * 60, 25 * 60, 26 * 60, 5 * 24 * 60, 31 * 24 * 60, 60 * 24 * 60)
_KINDS = {"T": ParticipantType.TENANT_STAFF, "P": ParticipantType.PARTNER_STAFF, "C": ParticipantType.CONTACT}
Choice = TypeVar("Choice")


class EverythingKnown:
    """Nobody has a calendar of which something is not known."""

    async def unknown(self, *_: object) -> set[str]:
        return set()


def wall_times() -> st.SearchStrategy[datetime]:
    """Wall times in quarters of an hour, close to changes of the clocks."""
    return st.builds(Chance, st.integers(0, 9999)).map(lambda chance: chance.wall_time())


def instants() -> st.SearchStrategy[datetime]:
    """Instants of which some are a millisecond apart."""
    return st.builds(Chance, st.integers(0, 99)).map(lambda chance: chance.instant())


def meeting_lists(*, most: int = 30) -> st.SearchStrategy[list[Meeting]]:
    """Different meetings; their ids do not say in which order they are."""
    return st.builds(
        lambda first, number: [meeting(first * most + one) for one in range(number)],
        st.integers(0, 999),
        st.integers(0, most) | st.just(most),
    )


def meeting(seed: int) -> Meeting:
    """The meeting of this seed, in any state; some have disappeared from calendars."""
    chance = Chance(seed)
    host, creator = chance.of(STAFF), chance.of(STAFF)
    people = [one for one in chance.participants() if one.participant_entity_uuid != host]
    status = chance.of(list(MeetingStatus))
    calendar = {host, *(one.participant_entity_uuid for one in people if one.participant_entity_uuid)}
    if status is MeetingStatus.CANCELED:
        calendar -= {chance.of(STAFF), chance.of(STAFF)}
    return Meeting(
        meeting_uuid=f"M{seed * 2**61 % 100_003:032X}",
        tenant_uuid=TENANT,
        version=1,
        content=chance.content(),
        hosted=HostFields(
            host_uuid=host,
            host_type=UserType.TENANT_STAFF,
            host_name=chance.text(),
            host_email=f"{host.lower()}@a.co",
            created_by_uuid=creator,
            created_by_type=UserType.TENANT_STAFF,
            organizer_email=f"{host.lower()}@a.co",
            externally_organized=chance.of((True, False)),
        ),
        status=status,
        source=chance.of(list(MeetingSource)),
        created_at=chance.instant(),
        updated_at=chance.instant(),
        participants=people,
        calendar=sorted(calendar),
        sync=chance.sync_state(),
        guests_hidden=chance.of((True, False, False)),
    )


class Chance:
    """Draws what a meeting is made of; the same seed draws the same."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def of(self, choices: Sequence[Choice]) -> Choice:
        return self._random.choice(choices)

    def text(self) -> str | None:
        length = self._random.randrange(5)
        return "".join(self.of(LETTERS) for _ in range(length)) or None

    def wall_time(self) -> datetime:
        return self.of(_CHANGES) + timedelta(minutes=15 * self._random.randrange(4 * 24 * 3))

    def instant(self) -> datetime:
        return datetime(2026, 6, 1, tzinfo=UTC) + timedelta(milliseconds=self.of((0, 1, 999, 1000, 60_000)))

    def content(self) -> MeetingContent:
        """Content that can be held: from a quarter of an hour to two months."""
        start, length = self.wall_time(), self.of(_LENGTHS)
        content = MeetingContent(
            title=self.text(),
            start_date_time=start,
            end_date_time=start + timedelta(minutes=length),
            timezone=self.of(ZONES),
            all_day=self.of((True, False)),
            location_type=self.of(list(LocationType)),
            location_detail=self.text(),
            description=self.text(),
            internal_notes=self.text(),
            meeting_link=self.text(),
        )
        try:
            content.schedule.checked()
        except ValueError:  # the clocks change by more than it lasts
            return content.model_copy(update={"end_date_time": start + timedelta(days=2)})
        return content

    def participants(self) -> list[Participant]:
        """Nobody, or some staff, clients and guests, each once."""
        people = self._random.sample([*STAFF, *CONTACTS, "guest1", "guest2"], self._random.randrange(5))
        return [self._participant(one) for one in people]

    def sync_state(self) -> SyncState:
        if self.of((True, False)):
            return SyncState()
        return SyncState(
            status=self.of(list(ExternalSyncStatus)),
            last_operation=self.of([None, *SyncOperation]),
            failed_at=self.of((None, self.instant())),
            failure_code=self.of([None, *SyncFailureCode]),
            failure_reason=self.text(),
        )

    def _participant(self, one: str) -> Participant:
        return Participant(
            participant_uuid=f"MP-{one}",
            participant_entity_uuid=one if one[0] in _KINDS else None,
            participant_type=_KINDS.get(one[0], ParticipantType.EXTERNAL),
            email=self.of((None, f"{one}@a.co", f"{one.upper()}@b.co")),
            name=self.text(),
            rsvp_status=self.of(list(RsvpStatus)),
        )
