"""One request can be followed to its last effect, in one trace."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from contracts.values.ids import uuid7_hex
from localrun.platform import Platform

from tests.support.callers import Caller, calling
from tests.support.outside import outsides, sees_sync
from tests.support.traces import Collector, Recorded, collecting
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

TRACE = uuid7_hex().lower()
SERVICES = ("api-gateway", "meeting-core", "invitations", "calendar-sync", "webhook-ingest")
CALLER = "b7ad6b7169203331"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture
def traced(collector: Collector, tmp_path: Path, free_port_offset: int) -> Iterator[Platform]:
    """A platform that sends its traces."""
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with Platform.start(
        tmp_path, port_offset=free_port_offset, env_overrides=dict.fromkeys(SERVICES, settings)
    ) as running:
        yield running


@pytest.fixture
async def host(traced: Platform) -> AsyncIterator[Caller]:
    assert traced.addresses.gateway is not None
    async with calling(traced.addresses.gateway, traced.addresses.people[0]) as caller:
        yield caller


async def test_create_mail_and_calendar_are_one_tree(traced: Platform, host: Caller, collector: Collector) -> None:
    with outsides(traced) as both:
        await both["google"].connect(host, host.person.email)
    host.http.headers["traceparent"] = f"00-{TRACE}-{CALLER}-01"
    meeting = await host.creates(
        startDateTime="2199-03-01T10:00:00",
        endDateTime="2199-03-01T11:00:00",
        externalAttendees=[{"email": "jane.roe@example.com"}],
    )
    del host.http.headers["traceparent"]
    await sees_sync(host, meeting, "SYNCED")

    async def whole() -> list[Recorded] | None:
        """Each service sends its spans when it likes, and a part may come before what it is a part of."""
        spans = collector.of_trace(TRACE)
        connected = {one.parent for one in spans} <= {one.span for one in spans} | {CALLER}
        stored = any(one.service == "meeting-core" and one.name.startswith("meeting_core.") for one in spans)
        return spans if connected and stored and {(one.service, one.name) for one in spans} >= WANTED else None

    spans = await until(whole, what="every part is there, and hangs on another")
    (request,) = [one for one in spans if one.parent == CALLER]
    assert (request.service, request.name) == ("api-gateway", "POST /api/v1/meetings")


WANTED = {
    ("api-gateway", "POST /api/v1/meetings"),
    ("api-gateway", "request meetings.meeting.create.v1"),
    ("meeting-core", "handle meetings.meeting.create.v1"),
    ("invitations", "deliver mail"),
    ("meeting-core", "handle invitations.mail.delivered.v1"),
    ("calendar-sync", "write to calendar"),
    ("calendar-sync", "call GOOGLE"),
    ("meeting-core", "handle calendar.mirror-status.changed.v1"),
}
