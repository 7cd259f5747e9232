"""The client for Python services against the running platform."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime

import httpx
import pytest
from contracts.api.filters import Condition, Operator
from contracts.api.meetings import MeetingView
from contracts.values.enums import (
    AvailabilityStatus,
    CalendarProvider,
    ConnectionStatus,
    LocationType,
    MeetingStatus,
    RsvpStatus,
    UserType,
)
from contracts.values.ids import uuid7_hex
from localrun.people import Person
from localrun.platform import Platform
from meetings_client import (
    Caller,
    ConflictError,
    ExternalAttendee,
    InvalidRequestError,
    MeetingsClient,
    MeetingUpdate,
    NewMeeting,
    NotFoundError,
    PreconditionFailedError,
)

pytestmark = pytest.mark.e2e


def caller(person: Person) -> Caller:
    return Caller(
        token=person.token,
        tenant_uuid=person.tenant_uuid,
        user_id=person.user_id,
        email=person.email,
        user_type=UserType(person.user_type),
    )


@pytest.fixture(scope="module")
async def host(platform: Platform) -> AsyncIterator[MeetingsClient]:
    async with MeetingsClient.open(platform.addresses.gateway, caller(platform.addresses.people[0])) as client:
        yield client


@pytest.fixture(scope="module")
async def colleague(platform: Platform) -> AsyncIterator[MeetingsClient]:
    async with MeetingsClient.open(platform.addresses.gateway, caller(platform.addresses.people[1])) as client:
        yield client


def new(title: str, *, hour: int = 9, staff: list[str] | None = None) -> NewMeeting:
    return NewMeeting(
        title=title,
        start_date_time=datetime(2032, 3, 1, hour),  # noqa: DTZ001 (wall-clock time)
        end_date_time=datetime(2032, 3, 1, hour, 30),  # noqa: DTZ001
        timezone="America/Santiago",
        location_type=LocationType.ONLINE,
        staff_ids=staff,
        external_attendees=[ExternalAttendee(email="jane.roe@example.com", name="Jane Roe")],
    )


async def test_create_answer_update_cancel_and_hide(
    platform: Platform, host: MeetingsClient, colleague: MeetingsClient
) -> None:
    daniel = platform.addresses.people[1].user_id
    created = await host.create(new("Client test", staff=[daniel]))
    assert created.attendee_count == 2
    answered = await colleague.answer(created.meeting_uuid, RsvpStatus.ACCEPTED)
    assert (answered.participant_entity_uuid, answered.rsvp_status) == (daniel, RsvpStatus.ACCEPTED)

    renamed = await host.update(created.meeting_uuid, MeetingUpdate(title="Renamed"))
    assert renamed.title == "Renamed"
    assert renamed.description is None
    read = await host.get(created.meeting_uuid)
    resent = await host.resend(created.meeting_uuid)
    assert {entry.email for entry in resent} == {"jane.roe@example.com", platform.addresses.people[1].email}
    with pytest.raises(PreconditionFailedError):
        await host.cancel(created.meeting_uuid, if_match='"1"')
    assert read.meeting.status == MeetingStatus.ACTIVE

    canceled = await host.cancel(created.meeting_uuid)
    assert canceled.status == MeetingStatus.CANCELED
    with pytest.raises(ConflictError) as refused:
        await host.update(created.meeting_uuid, MeetingUpdate(title="Too late"))
    assert refused.value.code == "BE0420"
    await host.hide(created.meeting_uuid)
    assert created.meeting_uuid not in [summary.meeting_uuid async for summary in host.list_meetings()]


async def test_a_repeated_key_creates_one_meeting(host: MeetingsClient) -> None:
    title, key = uuid7_hex(), uuid7_hex()
    first = await host.create(new(title, hour=10), key=key)
    second = await host.create(new(title, hour=10), key=key)
    assert first.meeting_uuid == second.meeting_uuid
    by_title = Condition(field="title", operator=Operator.EQUALS, operands=[title])
    assert [found.meeting_uuid async for found in host.search([by_title])] == [first.meeting_uuid]


async def test_a_merge_keeps_what_others_changed_meanwhile(platform: Platform, host: MeetingsClient) -> None:
    created = await host.create(new("Merge", hour=11))
    seen: list[str | None] = []

    async def interfere(request: httpx.Request) -> None:
        """Let another change land between the first reading and its writing."""
        if request.method == "PUT" and len(seen) == 1:
            await host.update(created.meeting_uuid, MeetingUpdate(description="by another"))

    def rename(current: MeetingView) -> MeetingUpdate:
        seen.append(current.description)
        return MeetingUpdate(title=f"{current.title} merged")

    hooks = {"request": [interfere]}
    async with httpx.AsyncClient(base_url=platform.addresses.gateway, event_hooks=hooks) as http:
        client = MeetingsClient(http, caller(platform.addresses.people[0]))
        merged = await client.merge(created.meeting_uuid, rename)
    assert seen == [None, "by another"]
    assert (merged.title, merged.description) == ("Merge merged", "by another")


async def test_a_calendar_connection_from_its_beginning(platform: Platform, host: MeetingsClient) -> None:
    with suppress(ConflictError):  # an earlier test's
        await host.calendar.disconnect()
    begun = await host.calendar.connect(CalendarProvider.GOOGLE)
    assert begun.authorization_url.startswith(platform.addresses.google)
    assert (await host.calendar.connection()).status is not ConnectionStatus.CONNECTED
    for call in (host.calendar.sync, host.calendar.disconnect):
        with pytest.raises(ConflictError) as refused:
            await call()
        assert refused.value.code == "BE0426"


async def test_availability_and_refusals(platform: Platform, host: MeetingsClient) -> None:
    daniel = platform.addresses.people[1].user_id
    await host.create(new("Busy", hour=14, staff=[daniel]))
    [found] = await host.check_availability(
        [daniel],
        datetime(2032, 3, 1, 14, 15),  # noqa: DTZ001
        datetime(2032, 3, 1, 15),  # noqa: DTZ001
        "America/Santiago",
    )
    assert (found.user_uuid, found.status) == (daniel, AvailabilityStatus.BUSY)
    with pytest.raises(NotFoundError):
        await host.get("M0")
    with pytest.raises(InvalidRequestError) as refused:
        await host.create(new("x" * 300))
    assert any(detail.startswith("title:") for detail in refused.value.details)
