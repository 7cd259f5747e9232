"""What the webhooks answer, and which notifications are authentic; without a broker."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from chassis.http.rate_limit import RateLimiter
from chassis.http.security_headers import HEADERS
from chassis.telemetry.health import Health
from contracts.messages.calendar_channels import ChannelActivated, ChannelDeactivated, secret_hash
from contracts.messages.calendar_notifications import CalendarNotificationReceived
from contracts.values.enums import CalendarProvider, NotificationKind
from contracts.values.times import utc_now
from fastapi import FastAPI
from pydantic import SecretStr
from webhook_ingest.adapters.http import WebhookState
from webhook_ingest.bootstrap import assemble
from webhook_ingest.domain.graph import GraphNotifications
from webhook_ingest.settings import Settings

SECRET = "the secret of a channel"
GOOGLE, OUTLOOK, OVER = "google-1", "outlook-1", "google-over"


class Taken:
    """Stands where notifications are taken."""

    def __init__(self) -> None:
        self.notifications: list[CalendarNotificationReceived] = []

    def add(self, notification: CalendarNotificationReceived) -> None:
        self.notifications.append(notification)


def channel(channel_id: str, provider: CalendarProvider, *, lives: timedelta = timedelta(days=7)) -> ChannelActivated:
    return ChannelActivated(
        channel_id=channel_id,
        provider=provider,
        connection_id=f"connection of {channel_id}",
        secret_hash=secret_hash(SECRET),
        expires_at=utc_now() + lives,
    )


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
def state(taken: Taken) -> WebhookState:
    made = WebhookState()
    made.notifications = taken  # type: ignore[assignment]
    made.channels.apply(channel(GOOGLE, CalendarProvider.GOOGLE))
    made.channels.apply(channel(OUTLOOK, CalendarProvider.OUTLOOK))
    made.channels.apply(channel(OVER, CalendarProvider.GOOGLE, lives=timedelta(seconds=-1)))
    return made


@asynccontextmanager
async def no_bus(_app: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture
def http(state: WebhookState) -> httpx.AsyncClient:
    app = assemble(Settings(internal_token=SecretStr("internal")), Health(), state, no_bus)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ingest/api/v1/webhooks")


def google(channel_id: str | None = GOOGLE, token: str = SECRET, state: str = "exists") -> dict[str, str]:
    headers = {"x-goog-channel-token": token, "x-goog-resource-state": state, "x-goog-message-number": "7"}
    return headers if channel_id is None else headers | {"x-goog-channel-id": channel_id}


def item(channel_id: str = OUTLOOK, secret: str = SECRET, **more: Any) -> dict[str, Any]:
    return {"subscriptionId": "s", "clientState": f"{channel_id}.{secret}", "changeType": "updated"} | more


async def test_an_authentic_google_notification_is_published(http: httpx.AsyncClient, taken: Taken) -> None:
    answer = await http.post("/google", headers=google())
    assert answer.status_code == 200
    [notification] = taken.notifications
    assert (notification.connection_id, notification.provider, notification.kind) == (
        f"connection of {GOOGLE}",
        CalendarProvider.GOOGLE,
        NotificationKind.CHANGED,
    )


async def test_googles_first_message_is_accepted_and_publishes_nothing(http: httpx.AsyncClient, taken: Taken) -> None:
    assert (await http.post("/google", headers=google(state="sync"))).status_code == 200
    assert taken.notifications == []
    assert (await http.post("/google", headers=google(state="sync", token="wrong"))).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (google(channel_id=None), 400),
        (google(channel_id=""), 400),
        (google(channel_id="unknown"), 403),
        (google(channel_id=OUTLOOK), 403),
        (google(channel_id=OVER), 403),
        (google(token="wrong"), 403),
        (google(token=""), 403),
    ],
    ids=["no channel", "empty channel", "unknown channel", "Outlook's", "expired", "wrong token", "no token"],
)
async def test_what_google_did_not_send_changes_nothing(
    http: httpx.AsyncClient, taken: Taken, headers: dict[str, str], status: int
) -> None:
    answer = await http.post("/google", headers=headers)
    assert answer.status_code == status
    assert answer.json()["status"] == status
    assert answer.json()["path"] == "/api/v1/webhooks/google"
    assert taken.notifications == []


async def test_a_deactivated_channel_is_rejected(http: httpx.AsyncClient, state: WebhookState, taken: Taken) -> None:
    state.channels.apply(ChannelDeactivated(channel_id=GOOGLE))
    assert (await http.post("/google", headers=google())).status_code == 403
    assert taken.notifications == []


async def test_the_handshake_is_echoed_as_text(http: httpx.AsyncClient) -> None:
    token = "Validation: <b>é</b> & more"
    answer = await http.post("/outlook", params={"validationToken": token})
    assert answer.status_code == 200
    assert answer.text == token
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_every_item_of_a_post_is_checked_by_itself(http: httpx.AsyncClient, taken: Taken) -> None:
    items = [
        item(),
        item(secret="wrong"),
        item(channel_id="unknown"),
        item(channel_id=GOOGLE),
        item(lifecycleEvent="reauthorizationRequired"),
        item(lifecycleEvent="subscriptionRemoved"),
        item(lifecycleEvent="missed"),
        item(lifecycleEvent="somethingNew"),
        "garbage",
        {"clientState": 7},
        {},
    ]
    assert (await http.post("/outlook", json={"value": items})).status_code == 200
    kinds = [notification.kind for notification in taken.notifications]
    assert kinds == [
        NotificationKind.CHANGED,
        NotificationKind.RENEW,
        NotificationKind.REMOVED,
        NotificationKind.MISSED,
        NotificationKind.CHANGED,
    ]
    assert {notification.connection_id for notification in taken.notifications} == {f"connection of {OUTLOOK}"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"value": 7}', b"\xff", b'{"value":' + b"[" * 5000])
async def test_garbage_is_answered_200_and_changes_nothing(http: httpx.AsyncClient, taken: Taken, body: bytes) -> None:
    assert (await http.post("/outlook", content=body)).status_code == 200
    assert taken.notifications == []


@pytest.mark.parametrize("many", [b"{}", b"1", b"[]", b'{"clientState":"x"}'])
async def test_more_items_than_providers_send_are_not_even_looked_at(
    http: httpx.AsyncClient, taken: Taken, monkeypatch: pytest.MonkeyPatch, many: bytes
) -> None:
    genuine = json.dumps(item()).encode()
    body = b'{"value":[' + genuine + (b"," + many) * (250_000 // (len(many) + 1)) + b"]}"
    monkeypatch.setattr(GraphNotifications, "model_validate_json", lambda _: pytest.fail("read"))
    assert (await http.post("/outlook", content=body)).status_code == 200
    assert taken.notifications == []


async def test_as_many_items_as_fit_are_taken(http: httpx.AsyncClient, taken: Taken) -> None:
    large = item(resourceData={"@odata.type": "#Microsoft.Graph.Event", "id": "x" * 152}, resource="y" * 200)
    items = [large] * (250_000 // len(json.dumps(large)))
    assert len(items) > 300
    assert (await http.post("/outlook", json={"value": items})).status_code == 200
    assert len(taken.notifications) == len(items)


async def test_other_paths_methods_and_sizes_get_the_standard_body(http: httpx.AsyncClient) -> None:
    for answer, status in (
        (await http.get("/google"), 405),
        (await http.post("/yahoo"), 404),
        (await http.post("/google/"), 404),
        (await http.post("/outlook", content=b"x" * (256 * 1024 + 1)), 413),
    ):
        assert answer.status_code == status
        assert answer.json()["errorCode"].startswith("BE")


def of_outlook(*items: Any) -> dict[str, Any]:
    return {"json": {"value": items}}


@pytest.fixture
def few_strangers(http: httpx.AsyncClient, state: WebhookState) -> httpx.AsyncClient:
    """Of which one address may send two."""
    state.anonymous_limiter = RateLimiter(2)
    return http


@pytest.mark.parametrize(
    ("path", "sent", "status"),
    [
        ("/google", {"headers": google(token="wrong")}, 403),
        ("/google", {"headers": google(channel_id=None)}, 400),
        ("/outlook", of_outlook(item(secret="wrong")), 200),
        ("/outlook", of_outlook(), 200),
        ("/outlook", {"content": b"{"}, 200),
        ("/outlook", {"params": {"validationToken": "echo"}}, 200),
    ],
    ids=["forged", "no channel", "forged for Outlook", "nothing", "garbage", "echo"],
)
async def test_an_address_may_send_so_much_that_is_no_notification_and_its_notifications_count_for_nothing(
    few_strangers: httpx.AsyncClient, taken: Taken, path: str, sent: dict[str, Any], status: int
) -> None:
    """A stranger can have a provider send us forged ones: they must not crowd out those that it sends for us."""
    for _ in range(2):
        for _ in range(5):
            assert (await few_strangers.post("/google", headers=google())).status_code == 200
            assert (await few_strangers.post("/outlook", **of_outlook(item(), item(secret="wrong")))).status_code == 200
        assert (await few_strangers.post(path, **sent)).status_code == status
    refused = await few_strangers.post(path, **sent)
    assert (refused.status_code, refused.json()["errorCode"]) == (429, "BE0429")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert (await few_strangers.post("/google", headers=google())).status_code == 200
    assert (await few_strangers.post("/outlook", **of_outlook(item()))).status_code == 200
    assert len(taken.notifications) == 22


async def test_every_answer_tells_browsers_to_be_careful_and_names_its_correlation(http: httpx.AsyncClient) -> None:
    for answer, status in (
        (await http.post("/google", headers=google()), 200),
        (await http.post("/google"), 400),
        (await http.post("/google", headers=google(token="wrong")), 403),
        (await http.get("/google"), 405),
        (await http.post("/yahoo"), 404),
        (await http.post("/outlook", content=b"x" * (256 * 1024 + 1)), 413),
        (await http.post("/outlook", params={"validationToken": "x"}), 200),
        (await http.post("/outlook", params={"validationToken": "x" * 5000}), 400),
    ):
        assert answer.status_code == status
        assert HEADERS.items() <= dict(answer.headers).items()
        assert answer.headers["x-correlation-id"]


async def test_requests_are_measured_by_their_webhook() -> None:
    @asynccontextmanager
    async def nothing(_app: FastAPI) -> AsyncIterator[None]:
        yield

    settings = Settings(internal_token=SecretStr("internal"))
    transport = httpx.ASGITransport(assemble(settings, Health(), WebhookState(), nothing))
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
        assert (await client.post("/api/v1/webhooks/google")).status_code == 400
        measured = (await client.get("/metrics")).text
    assert 'http_requests_total{method="POST",route="/api/v1/webhooks/google",status="400"}' in measured
