"""The webhooks. Authentic notifications are answered 200 whatever happens behind them, so that providers do not retry.

Notifications of known channels are never limited; other requests count against the client address.
"""

from chassis.http.rate_limit import RateLimiter, client_network
from contracts.api.errors import ApiError, ErrorCode
from contracts.api.webhooks import WEBHOOKS_PATH
from contracts.values.enums import CalendarProvider, NotificationKind
from contracts.values.times import utc_now
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import ValidationError

from webhook_ingest import metrics
from webhook_ingest.adapters.openapi import (
    GOOGLE_EXTRA,
    GOOGLE_RESPONSES,
    MAX_VALIDATION_TOKEN,
    OUTLOOK_EXTRA,
    OUTLOOK_RESPONSES,
    operation_id,
)
from webhook_ingest.application.notification_buffer import NotificationBuffer
from webhook_ingest.domain.channel_registry import ChannelRegistry
from webhook_ingest.domain.graph import GraphNotification, GraphNotifications

_SYNC_MESSAGE = "sync"
_MAX_ITEMS = 500
"""More than Graph's items, of 600 bytes and a dozen members each, fit into a body of the limit's size."""
_MAX_COMMAS = 20 * _MAX_ITEMS


class WebhookState:
    """The channel registry, and, set at start-up, the notification buffer and a rate limit."""

    notifications: NotificationBuffer
    anonymous_limiter: RateLimiter
    """Limits requests without an authentic notification, by client address."""

    def __init__(self) -> None:
        self.channels = ChannelRegistry()


def webhook_routes(state: WebhookState) -> APIRouter:
    """The two webhooks. FastAPI describes them; what they are sent they read themselves."""
    router = APIRouter(prefix=WEBHOOKS_PATH, tags=["Webhooks"], generate_unique_id_function=operation_id)

    @router.post("/google", response_class=Response, responses=GOOGLE_RESPONSES, openapi_extra=GOOGLE_EXTRA)
    async def receive_google_notification(request: Request) -> Response:
        """A change in a watched Google calendar. The body is empty: what changed is found by pulling."""
        headers = request.headers
        channel_id = headers.get("x-goog-channel-id")
        if not channel_id:
            state.anonymous_limiter.hit(client_network(request))
            raise ApiError(ErrorCode.HEADER_MISSING, details=["x-goog-channel-id: is required"])
        secret = headers.get("x-goog-channel-token", "")
        notification = state.channels.authenticate(
            channel_id, secret, CalendarProvider.GOOGLE, NotificationKind.CHANGED, utc_now()
        )
        if notification is None:
            state.anonymous_limiter.hit(client_network(request))
            raise ApiError(ErrorCode.WEBHOOK_NOT_RECOGNISED)
        if headers.get("x-goog-resource-state") != _SYNC_MESSAGE:
            state.notifications.add(notification)
        return Response()

    @router.post("/outlook", response_class=Response, responses=OUTLOOK_RESPONSES, openapi_extra=OUTLOOK_EXTRA)
    async def receive_outlook_notifications(request: Request) -> Response:
        """Changes in watched Outlook calendars, or the handshake of a new subscription."""
        validation_token = request.query_params.get("validationToken")
        if validation_token is not None:
            state.anonymous_limiter.hit(client_network(request))
            return PlainTextResponse(_bounded(validation_token))
        any_authentic = False
        for item in _items(await request.body()):
            notification = state.channels.authenticate(
                item.channel_id, item.secret, CalendarProvider.OUTLOOK, item.kind, utc_now()
            )
            if notification is None:
                metrics.NOTIFICATIONS.labels("forged").inc()
            else:
                any_authentic = True
                state.notifications.add(notification)
        if not any_authentic:
            state.anonymous_limiter.hit(client_network(request))
        return PlainTextResponse("")

    return router


def _bounded(validation_token: str) -> str:
    if len(validation_token) > MAX_VALIDATION_TOKEN:
        details = [f"validationToken: must have at most {MAX_VALIDATION_TOKEN} characters"]
        raise ApiError(ErrorCode.VALIDATION_FAILED, details=details)
    return validation_token


def _items(body: bytes) -> list[GraphNotification]:
    """The items that can be parsed; others are dropped and counted.

    A body with more items than Graph sends is dropped unparsed. Its address is not blocked: an attacker can make Graph
    send us forged items from the same addresses as authentic ones.
    """
    items = []
    try:
        posted = GraphNotifications.model_validate_json(body).value if body.count(b",") <= _MAX_COMMAS else None
    except ValidationError:
        posted = None
    if posted is None or len(posted) > _MAX_ITEMS:
        metrics.NOTIFICATIONS.labels("unreadable").inc()
        return []
    for item in posted:
        try:
            items.append(GraphNotification.model_validate(item))
        except ValidationError:
            metrics.NOTIFICATIONS.labels("unreadable").inc()
    return items
