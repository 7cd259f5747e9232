"""Microsoft's own SDK, from its fluent calls to what the mailbox holds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from kiota_abstractions.authentication import AuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.request_information import RequestInformation
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.attendee import Attendee
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.calendar import Calendar
from msgraph.generated.models.date_time_time_zone import DateTimeTimeZone
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.event import Event
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.mailbox_settings import MailboxSettings
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.users.item.calendar.get_schedule.get_schedule_post_request_body import GetSchedulePostRequestBody
from msgraph.generated.users.item.calendar_view.delta.delta_request_builder import DeltaRequestBuilder
from msgraph.generated.users.item.events.item.accept.accept_post_request_body import AcceptPostRequestBody
from msgraph.generated.users.item.events.item.decline.decline_post_request_body import DeclinePostRequestBody
from msgraph.graph_request_adapter import options
from msgraph_core import GraphClientFactory
from simulators.microsoft.testing import Microsoft

HOST, GUEST = "host@contoso.com", "guest@contoso.com"
SCOPES = ("Calendars.ReadWrite", "User.Read", "MailboxSettings.ReadWrite")


class _Bearer(AuthenticationProvider):
    def __init__(self, token: str) -> None:
        self._token = token

    async def authenticate_request(
        self, request: RequestInformation, additional_authentication_context: dict[str, Any] | None = None
    ) -> None:
        request.headers.add("Authorization", f"Bearer {self._token}")


@asynccontextmanager
async def signed_in(microsoft: Microsoft, email: str) -> AsyncIterator[GraphServiceClient]:
    bearer = _Bearer(microsoft.consent(email, *SCOPES)["access_token"])
    async with httpx.AsyncHTTPTransport() as transport:  # which the SDK's own transport leaves open
        http = httpx.AsyncClient(transport=transport)
        http = GraphClientFactory.create_with_default_middleware(client=http, options=options)
        adapter = GraphRequestAdapter(bearer, http)
        adapter.base_url = f"{microsoft.url}/v1.0"
        yield GraphServiceClient(request_adapter=adapter)


@pytest.fixture
async def host(microsoft: Microsoft) -> AsyncIterator[GraphServiceClient]:
    async with signed_in(microsoft, HOST) as client:
        yield client


@pytest.fixture
async def guest(microsoft: Microsoft) -> AsyncIterator[GraphServiceClient]:
    async with signed_in(microsoft, GUEST) as client:
        yield client


def at(hour: int) -> DateTimeTimeZone:
    return DateTimeTimeZone(date_time=f"2026-06-15T{hour}:00:00", time_zone="UTC")


def meeting(*guests: str) -> Event:
    return Event(
        subject="Review",
        body=ItemBody(content_type=BodyType.Html, content="<b>Agenda</b>"),
        start=at(10),
        end=at(11),
        attendees=[Attendee(email_address=EmailAddress(address=guest)) for guest in guests],
    )


async def test_an_event_is_made_read_changed_sent_back_and_removed(host: GraphServiceClient) -> None:
    made = await host.me.events.post(meeting())
    assert made is not None
    assert made.id is not None
    item = host.me.events.by_event_id(made.id)
    changed = await item.patch(Event(subject="Changed"))
    assert changed is not None
    assert (changed.subject, changed.body and changed.body.content_type) == ("Changed", BodyType.Html)
    whole = await item.get()
    assert whole is not None
    whole.subject = "Sent back whole"  # with everything that is read-only, null or absent
    again = await item.patch(whole)
    assert again is not None
    assert again.subject == "Sent back whole"
    await item.delete()
    with pytest.raises(ODataError) as refused:
        await item.get()
    assert refused.value.response_status_code == 404


async def test_delta_goes_on_by_its_links_until_a_removal(host: GraphServiceClient) -> None:
    made = [await host.me.events.post(meeting()) for _ in range(2)]
    query = DeltaRequestBuilder.DeltaRequestBuilderGetQueryParameters(
        start_date_time="2026-06-15T00:00:00Z", end_date_time="2026-06-16T00:00:00Z"
    )
    asked = RequestConfiguration(query_parameters=query)
    asked.headers.add("Prefer", "odata.maxpagesize=1")
    view = host.me.calendar_view.delta
    page, seen = await view.get(asked), []
    while page is not None and page.odata_next_link:
        seen += page.value or []
        page = await view.with_url(page.odata_next_link).get()
    assert page is not None
    assert page.odata_delta_link is not None
    assert {event.id for event in [*seen, *(page.value or [])]} == {event.id for event in made if event}
    assert made[0] is not None
    await host.me.events.by_event_id(made[0].id or "").delete()
    last = await view.with_url(page.odata_delta_link).get()
    assert last is not None
    assert [(event.id, event.additional_data) for event in last.value or []] == [
        (made[0].id, {"@removed": {"reason": "deleted"}})
    ]


async def test_guests_answer_and_are_asked_whether_they_are_free(
    host: GraphServiceClient, guest: GraphServiceClient
) -> None:
    made = await host.me.events.post(meeting(GUEST))
    listed = await guest.me.events.get()
    assert made is not None
    assert listed is not None
    [invitation] = listed.value or []
    item = guest.me.events.by_event_id(invitation.id or "")
    await item.accept.post(AcceptPostRequestBody(comment="Yes", send_response=True))
    asked = GetSchedulePostRequestBody(
        schedules=[GUEST], start_time=at(10), end_time=at(12), availability_view_interval=60
    )
    schedules = await host.me.calendar.get_schedule.post(asked)
    assert schedules is not None
    assert [schedule.availability_view for schedule in schedules.value or []] == ["20"]
    await item.decline.post(DeclinePostRequestBody(send_response=True))
    own = await host.me.events.by_event_id(made.id or "").get()
    assert own is not None
    [attendee] = own.attendees or []
    assert attendee.status is not None
    assert str(attendee.status.response) == "ResponseType.Declined"


async def test_calendars_settings_and_zones(host: GraphServiceClient) -> None:
    made = await host.me.calendars.post(Calendar(name="Clients"))
    assert made is not None
    calendar = host.me.calendars.by_calendar_id(made.id or "")
    renamed = await calendar.patch(Calendar(name="Partners"))
    assert renamed is not None
    assert renamed.name == "Partners"
    await calendar.events.post(meeting())
    await calendar.delete()
    events = await host.me.events.get()
    assert events is not None
    assert events.value == []
    settings = await host.me.mailbox_settings.patch(MailboxSettings(time_zone="Pacific SA Standard Time"))
    assert settings is not None
    assert settings.time_zone == "Pacific SA Standard Time"
    zones = await host.me.outlook.supported_time_zones_with_time_zone_standard("Iana").get()
    assert zones is not None
    assert "America/Santiago" in {zone.alias for zone in zones.value or []}
