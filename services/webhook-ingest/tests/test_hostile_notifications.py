"""Whatever is posted, only what a known channel's secret proves becomes a notification, and nothing breaks."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from chassis.telemetry.health import Health
from contracts.messages.calendar_channels import ChannelActivated, secret_hash
from contracts.messages.calendar_notifications import CalendarNotificationReceived
from contracts.values.enums import CalendarProvider
from contracts.values.times import utc_now
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from webhook_ingest.adapters.http import WebhookState
from webhook_ingest.application.notification_buffer import NotificationBuffer
from webhook_ingest.bootstrap import assemble
from webhook_ingest.settings import Settings

SECRET, CHANNEL = "the secret of a channel", "outlook-1"
GENUINE = {"clientState": f"{CHANNEL}.{SECRET}", "changeType": "updated"}
FEWER = settings(deadline=None, max_examples=60)

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
NEARLY = [CHANNEL, f"{CHANNEL}.", f".{SECRET}", f"{CHANNEL}.{SECRET}x", f"{CHANNEL}\0.{SECRET}", "."]
FIELDS = ["clientState", "lifecycleEvent", "subscriptionId", "resourceData"]
ITEM = JSON | st.dictionaries(st.sampled_from(FIELDS), JSON | st.sampled_from(NEARLY))
HEADER_BYTES = st.binary(max_size=200).map(lambda raw: raw.translate(None, b"\r\n\0"))


class Taken(NotificationBuffer):
    """Keeps the notifications."""

    def __init__(self) -> None:
        self.notifications: list[CalendarNotificationReceived] = []

    def add(self, notification: CalendarNotificationReceived) -> None:
        self.notifications.append(notification)


def state() -> tuple[httpx.AsyncClient, Taken]:
    """The webhooks with one open channel of Outlook, without limits."""
    inside, taken = WebhookState(), Taken()
    inside.notifications = taken
    inside.channels.apply(
        ChannelActivated(
            channel_id=CHANNEL,
            provider=CalendarProvider.OUTLOOK,
            connection_id="connection",
            secret_hash=secret_hash(SECRET),
            expires_at=utc_now() + timedelta(days=1),
        )
    )
    made = Settings(internal_token=SecretStr("internal"), rejected_requests_per_address=0)
    app = assemble(made, Health(), inside, lambda _app: pytest.fail("not started"))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ingest/api/v1/webhooks"), taken


HTTP, TAKEN = state()


@FEWER
@given(st.binary(max_size=500) | JSON.map(lambda said: json.dumps(said).encode()))
async def test_a_body_of_any_bytes_is_answered_200_and_publishes_nothing(body: bytes) -> None:
    TAKEN.notifications.clear()
    assert (await HTTP.post("/outlook", content=body)).status_code == 200
    assert TAKEN.notifications == []


@FEWER
@given(before=st.lists(ITEM, max_size=5), after=st.lists(ITEM, max_size=5))
async def test_a_genuine_item_is_found_among_any_others_and_no_other_is_published(
    before: list[Any], after: list[Any]
) -> None:
    TAKEN.notifications.clear()
    content = json.dumps({"value": [*before, GENUINE, *after]}).encode()
    assert (await HTTP.post("/outlook", content=content)).status_code == 200
    assert [notification.channel_id for notification in TAKEN.notifications] == [CHANNEL]


@FEWER
@given(headers=st.dictionaries(st.sampled_from([f"x-goog-channel-{one}" for one in ("id", "token")]), HEADER_BYTES))
async def test_google_headers_of_any_bytes_are_refused(headers: dict[str, bytes]) -> None:
    TAKEN.notifications.clear()
    sent = [(name.encode(), value) for name, value in headers.items()]
    assert (await HTTP.post("/google", headers=sent)).status_code in (400, 403)
    assert TAKEN.notifications == []


@FEWER
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
async def test_a_handshake_of_any_text_is_echoed_as_text_that_no_browser_runs(token: str) -> None:
    answer = await HTTP.post("/outlook", params={"validationToken": token})
    assert (answer.status_code, answer.content.decode()) == (200, token)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
