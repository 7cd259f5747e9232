"""What meeting-core knows of users' connected calendars: that they are there, and how much of them is known."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chassis.mongo.database import Collection, open_database
from contracts.api.availability import Busy as BusyView
from contracts.api.queries import CheckAvailability
from contracts.messages.calendar_events import CalendarCoverageChanged, ConnectionChanged
from contracts.values.enums import CalendarProvider, ConnectionStatus, SyncFailureCode
from contracts.values.ids import uuid7_hex
from meeting_core.adapters.connected_hosts import ConnectedHostsProjection
from meeting_core.application.availability import Availability
from meeting_core.settings import Settings
from pydantic import SecretStr

from tests.support.commands import actor
from tests.support.meeting_search import UNLIMITED

pytestmark = pytest.mark.integration


@pytest.fixture
async def hosts(mongodb_uri: str) -> AsyncIterator[Collection]:
    settings = Settings(internal_token=SecretStr("internal"), mongodb_uri=mongodb_uri, mongodb_database="core_hosts")
    async with open_database(settings) as database:
        yield database.collection("hosts")


def change(status: ConnectionStatus, user_id: str = "TS1") -> ConnectionChanged:
    return ConnectionChanged(
        tenant_uuid="T1",
        user_id=user_id,
        provider=CalendarProvider.GOOGLE,
        status=status,
        generation=1,
        at="2026-06-01T12:00:00Z",  # type: ignore[arg-type]
    )


CONNECTED, DISCONNECTED = ConnectionStatus.CONNECTED, ConnectionStatus.DISCONNECTED


@pytest.mark.parametrize(
    ("heard", "connected"),
    [
        ([(1, CONNECTED)], True),
        ([(1, CONNECTED), (2, DISCONNECTED)], False),
        ([(2, DISCONNECTED), (1, CONNECTED)], False),
        ([(1, CONNECTED), (2, DISCONNECTED), (3, CONNECTED), (2, DISCONNECTED)], True),
    ],
)
@pytest.mark.parametrize("together", [True, False])
async def test_the_newest_news_of_a_connection_counts(
    hosts: Collection, heard: Sequence[tuple[int, ConnectionStatus]], connected: bool, together: bool
) -> None:
    stored, user = ConnectedHostsProjection(hosts), uuid7_hex()
    changes = [(sequence, change(status, user)) for sequence, status in heard]
    for batch in [changes] if together else [[one] for one in changes]:
        await stored.record(batch)
    expected = {("T1", user)} if connected else set()
    assert await stored.find_connected({("T1", user), ("T1", "somebody"), ("T2", user)}) == expected


OPENS, CLOSES = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def covered(user_id: str, *, generation: int = 1, known: bool = True) -> CalendarCoverageChanged:
    window = {"known_from": OPENS, "known_until": CLOSES} if known else {}
    return CalendarCoverageChanged(tenant_uuid="T1", user_id=user_id, generation=generation, **window)


def lost(user_id: str) -> ConnectionChanged:
    return change(DISCONNECTED, user_id).model_copy(update={"error_code": SyncFailureCode.TOKEN_REVOKED})


def again(user_id: str) -> ConnectionChanged:
    return change(CONNECTED, user_id).model_copy(update={"generation": 2})


@pytest.mark.parametrize(
    ("heard", "is_unknown"),
    [
        ([], False),
        ([lambda user: change(CONNECTED, user)], True),
        ([lambda user: change(CONNECTED, user), covered], False),
        ([covered, lambda user: change(CONNECTED, user)], False),
        ([lambda user: change(CONNECTED, user), covered, lambda user: covered(user, known=False)], True),
        ([lambda user: change(CONNECTED, user), covered, lambda user: change(DISCONNECTED, user)], False),
        ([lambda user: change(CONNECTED, user), covered, lost], True),
        ([lambda user: change(CONNECTED, user), covered, lost, again], True),
        ([lambda user: change(CONNECTED, user), lost, again, lambda user: covered(user, generation=2)], False),
    ],
)
async def test_whose_calendar_is_known(
    hosts: Collection, heard: Sequence[Callable[[str], Any]], is_unknown: bool
) -> None:
    stored, user = ConnectedHostsProjection(hosts), uuid7_hex()
    for sequence, event in enumerate(heard, start=1):
        await stored.record([(sequence, event(user))])
        await stored.record([(sequence - 1, event(user))])  # an old one
    expected = {user} if is_unknown else set()
    assert await stored.unknown("T1", [user, "somebody"], OPENS, CLOSES) == expected
    assert await stored.unknown("T2", [user], OPENS, CLOSES) == set()


@pytest.mark.parametrize(
    ("opens", "closes", "is_unknown"),
    [
        (OPENS, CLOSES, False),
        (OPENS + DAY, CLOSES - DAY, False),
        (OPENS - DAY, CLOSES - DAY, True),
        (OPENS + DAY, CLOSES + DAY, True),
        (CLOSES + DAY, CLOSES + 2 * DAY, True),
    ],
)
async def test_beyond_what_is_synced_nothing_is_known(
    hosts: Collection, opens: datetime, closes: datetime, is_unknown: bool
) -> None:
    stored, user = ConnectedHostsProjection(hosts), uuid7_hex()
    await stored.record([(1, change(CONNECTED, user)), (2, covered(user))])
    assert await stored.unknown("T1", [user], opens, closes) == ({user} if is_unknown else set())


async def test_who_is_busy_is_not_unknown(hosts: Collection) -> None:
    stored, user = ConnectedHostsProjection(hosts), uuid7_hex()
    await stored.record([(1, change(CONNECTED, user))])

    class Busy:
        async def busy(self, *_: object) -> set[str]:
            return {user}

    query = CheckAvailability(
        actor=actor("TS1", tenant="T1"), user_uuids=[user, "TS2"], starts_at=OPENS, ends_at=CLOSES
    )
    reply = await Availability(Busy(), stored, UNLIMITED).check(query)
    assert reply.data == BusyView(user_uuids=[user], unknown_user_uuids=[])
