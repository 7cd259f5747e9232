"""Tenants, and the hosts within a tenant, take turns in being mailed for."""

from datetime import timedelta
from typing import Any

import pytest
from chassis.jobs.queue import JobQueue
from chassis.kafka.records import ReceivedMessage, envelope_for
from chassis.mongo.database import Collection
from contracts.messages.meeting_commands import CreateMeeting
from contracts.transport.topics import MEETING_CORE
from contracts.values.ids import new_meeting_uuid, uuid7_hex
from contracts.values.times import utc_now
from invitations.adapters.guests import CONCURRENCY_KEY, ORDER, WORK, GuestRepository
from invitations.application.fair_order import FairOrder
from invitations.application.guest_projector import GuestProjector
from meeting_core.domain.meeting import Meeting

from tests.support.commands import actor, content, guest

pytestmark = pytest.mark.integration

_NONE: Any = None


def created(tenant: str, host: str, guests: int) -> ReceivedMessage[Any]:
    meeting = Meeting.create(
        CreateMeeting(
            command_id=uuid7_hex(),
            fingerprint="",
            meeting_uuid=new_meeting_uuid(),
            actor=actor(host, tenant=tenant),
            content=content(),
            invitees=[guest(f"{tenant}-{host}-{number}@example.com") for number in range(guests)],
        ),
        utc_now(),
    )
    [event] = meeting.new_events
    envelope = envelope_for(event, source=MEETING_CORE, subject=meeting.meeting_uuid, tenant=tenant, sequence=1)
    return ReceivedMessage(envelope, event, record=_NONE)


async def next_mails(guests: Collection, count: int) -> list[str]:
    leases = JobQueue(guests, WORK, seconds=30, concurrency_key=CONCURRENCY_KEY, order=ORDER)
    taken = await leases.claim(count, full=[], per_key=lambda _key: count)
    return [lease.document["person"]["email"] for lease in taken]


async def test_six_meetings_of_500_guests_delay_no_other_tenant_and_no_other_host(guests: Collection) -> None:
    projector = GuestProjector(GuestRepository(guests), FairOrder(), wake=lambda: None, update_window=timedelta(0))
    for _ in range(6):
        await projector.handle([created("T-BIG", "TS-BUSY", 500)])
    assert len(await next_mails(guests, 100)) == 100
    await projector.handle([created("T-SMALL", "TS-A", 1)])
    await projector.handle([created("T-BIG", "TS-QUIET", 1)])
    soon = await next_mails(guests, 16)
    assert {"T-SMALL-TS-A-0@example.com", "T-BIG-TS-QUIET-0@example.com"} <= set(soon)
