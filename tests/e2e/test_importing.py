"""Events of external calendars through the whole platform, told on calendar.events as calendar-sync tells them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from chassis.kafka.records import Record, encode
from contracts.messages.calendar_events import CalendarOwner, EventAttendee, meeting_uuid_of_external_event
from contracts.transport.envelope import Envelope, Message
from contracts.transport.registry import type_of
from contracts.transport.topics import CALENDAR_SYNC, INVITATIONS
from contracts.values.enums import RsvpStatus, UserType
from contracts.values.ids import uuid7_hex
from localrun.platform import Platform

from tests.support.callers import MEETINGS, Caller, Json, done, path_of, refused
from tests.support.inbox import Inbox
from tests.support.outside_events import copy_changed, copy_removed, gone, seen
from tests.support.topics import TopicLog, producing, read_until
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

CANCELED, READ_ONLY = "BE0420", "BE0422"
LUNCH = {"start_date_time": "2033-06-14T13:00:00", "end_date_time": "2033-06-14T14:00:00", "timezone": "UTC"}


@dataclass
class Elsewhere:
    """calendar-sync, as far as the others can tell, and the meeting that it tells of."""

    platform: Platform
    producer: AIOKafkaProducer
    told: TopicLog
    meeting: Json
    tenant: str

    async def tell(self, body: Any) -> None:
        """One message, published as calendar-sync publishes it."""
        envelope = Envelope(
            type=type_of(body).name, source=CALENDAR_SYNC, subject=body.meeting_uuid, tenant=body.tenant_uuid
        )
        record = encode(Message(envelope, body), body.meeting_uuid)
        await self.producer.send_and_wait(record.topic, record.value, key=record.key, headers=record.headers)

    async def sees(self, owner: Caller, sequence: int, **changes: Any) -> None:
        """The event is in this person's calendar."""
        person = owner.person
        whose = CalendarOwner(
            user_id=person.user_id, user_type=UserType(person.user_type), name=person.name, email=person.email
        )
        await self.tell(seen(person.user_id, sequence, **self.about | {"owner": whose} | LUNCH | changes))

    async def misses(self, owner: Caller, sequence: int) -> None:
        """The event is in this person's calendar no more."""
        await self.tell(gone(owner.user_id, sequence).model_copy(update=self.about))

    async def shows(self, viewer: Caller, **expected: Any) -> Json:
        """The meeting, once this person sees that of it."""

        async def found() -> Json | None:
            answer = await viewer.get(path_of(self.meeting))
            meeting: Json = answer.json()
            return meeting if answer.status_code == 200 and expected.items() <= meeting.items() else None

        return await until(found, what=f"{viewer.person.name} sees {expected}")

    async def was_heard_by_invitations(self, events: int) -> None:

        records = await self.told.some(events, self._tells, what=f"{events} events of {self.meeting}")
        last = records[-1]
        at = TopicPartition(last.topic, last.partition)
        await read_until(self.platform.addresses.kafka, INVITATIONS, at, last.offset)

    def _tells(self, record: Record) -> bool:
        return record.key == self.meeting["meetingUuid"].encode()

    @property
    def about(self) -> dict[str, Any]:
        return {"tenant_uuid": self.tenant, "meeting_uuid": self.meeting["meetingUuid"]}


@pytest.fixture
async def elsewhere(platform: Platform, told: TopicLog, valentina: Caller) -> AsyncIterator[Elsewhere]:
    tenant = valentina.person.tenant_uuid
    meeting = {"meetingUuid": meeting_uuid_of_external_event(tenant, uuid7_hex(), "")}
    async with producing(platform.addresses.kafka) as producer:
        yield Elsewhere(platform, producer, told, meeting, tenant)


@pytest.fixture
def sink(platform: Platform) -> str:
    assert platform.addresses.mail is not None
    return platform.addresses.mail


async def mails_to(sink: str, address: str) -> int:
    async with httpx.AsyncClient(base_url=sink, trust_env=False) as http:
        return len((await http.get("/api/messages", params={"to": address})).json())


async def availability(caller: Caller, *people: Caller) -> list[str]:
    body = {
        "userUuids": [one.user_id for one in people],
        "startDateTime": "2033-06-14T13:30:00",
        "endDateTime": "2033-06-14T13:45:00",
    }
    answer = done(await caller.post("/api/v1/availability/check", body))
    return [one["status"] for one in answer["availabilities"]]


async def test_an_event_comes_changes_and_goes_and_nobody_is_mailed(
    elsewhere: Elsewhere, sink: str, valentina: Caller, daniel: Caller, camila: Caller, ingrid: Caller
) -> None:
    address = f"{uuid7_hex().lower()}@import.example.com"
    guests = [EventAttendee(email=address, rsvp_status=RsvpStatus.ACCEPTED)]
    before = await mails_to(sink, valentina.person.email)
    await elsewhere.sees(valentina, 1, title="Lunch", guests=guests)
    meeting = await elsewhere.shows(valentina, title="Lunch", source="GOOGLE", externallyOrganized=True)
    assert [(one["email"], one["rsvpStatus"]) for one in meeting["participants"]] == [(address, "ACCEPTED")]
    assert (meeting["showExternalCalendarIcon"], meeting["externalSyncStatus"]) == (True, "NOT_APPLICABLE")
    assert (await daniel.get(path_of(meeting))).status_code == 403
    assert (await ingrid.get(path_of(meeting))).status_code == 404
    assert await availability(daniel, valentina, daniel) == ["BUSY", "AVAILABLE"]

    await elsewhere.sees(daniel, 1, title="Dinner", guests=guests, organized_by_owner=True)
    meeting = await elsewhere.shows(valentina, title="Dinner", hostUuid=daniel.user_id, externallyOrganized=False)
    assert meeting["meetingUuid"] in [one["meetingUuid"] for one in await daniel.calendar()]
    assert await availability(camila, valentina, daniel) == ["BUSY", "BUSY"]

    for caller in (valentina, daniel):
        refused(await caller.put(path_of(meeting), {"title": "Mine"}), 409, READ_ONLY)
        refused(await caller.post(f"{path_of(meeting)}/cancel"), 409, READ_ONLY)
        refused(await caller.post(f"{path_of(meeting)}/resend"), 409, READ_ONLY)
    done(await valentina.put(f"{path_of(meeting)}/rsvp", {"status": "DECLINED"}))
    assert await availability(camila, valentina, daniel) == ["AVAILABLE", "BUSY"]

    await elsewhere.misses(valentina, 2)
    await elsewhere.misses(daniel, 2)
    await elsewhere.shows(daniel, status="CANCELED", canRemoveFromCalendar=False)
    assert await availability(camila, valentina, daniel) == ["AVAILABLE", "AVAILABLE"]
    assert meeting["meetingUuid"] not in [one["meetingUuid"] for one in await daniel.calendar()]

    await elsewhere.was_heard_by_invitations(5)
    barrier = f"{uuid7_hex().lower()}@import.example.com"
    await valentina.creates(externalAttendees=[{"email": barrier}])
    await Inbox(sink, barrier).mails(1)  # what was owed before has left by now
    assert await mails_to(sink, address) == 0
    assert await mails_to(sink, valentina.person.email) == before


async def test_what_a_host_does_to_their_copy_reaches_the_meeting_and_its_guests(
    elsewhere: Elsewhere, sink: str, valentina: Caller
) -> None:
    address = f"{uuid7_hex().lower()}@import.example.com"
    elsewhere.meeting = await valentina.creates(title="Review", timezone="UTC", externalAttendees=[{"email": address}])
    about = elsewhere.about
    await Inbox(sink, address).mails(1)

    await elsewhere.tell(copy_changed(valentina.user_id, change_id="1", title="Silent", **about))
    await elsewhere.shows(valentina, title="Silent")
    moved = {"start_date_time": "2033-06-14T10:00:00", "end_date_time": "2033-06-14T11:00:00"}
    await elsewhere.tell(copy_changed(valentina.user_id, change_id="2", **moved, **about))
    await elsewhere.shows(valentina, title="Silent", startDateTime="2033-06-14T10:00:00")
    invitation, update = await Inbox(sink, address).mails(2)
    assert "SUMMARY:Review" in invitation["calendar"]
    assert "SUMMARY:Silent" in update["calendar"]

    await elsewhere.tell(copy_removed(valentina.user_id, change_id="3", **about))
    await elsewhere.shows(valentina, status="CANCELED")
    mails = await Inbox(sink, address).mails(3)
    assert len(mails) == 3
    assert "METHOD:CANCEL" in mails[2]["calendar"]
    refused(await valentina.put(f"{MEETINGS}/{elsewhere.meeting['meetingUuid']}", {"title": "Back"}), 409, CANCELED)
