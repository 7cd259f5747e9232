"""The webhooks. Whatever happens behind them, providers are answered 200, so that they do not retry."""

from typing import Annotated

from chassis import metrics
from contracts.enums import CalendarProvider, HintKind
from contracts.errors import ErrorBody, ErrorCode, Refusal
from contracts.times import utc_now
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import ValidationError

from webhook_ingest.application.hinting import Hints
from webhook_ingest.domain.channels import Channels
from webhook_ingest.domain.graph import GraphNotification, GraphNotifications

_FIRST_MESSAGE = "sync"


class Ingest:
    """What the webhooks work with: the table of channels, and where hints go. The latter is set at start-up."""

    hints: Hints

    def __init__(self) -> None:
        self.channels = Channels()


def webhook_routes(ingest: Ingest) -> APIRouter:
    """The two webhooks."""
    router = APIRouter(prefix="/api/v1/webhooks", tags=["Webhooks"])

    @router.post("/google", response_class=Response, responses={400: {"model": ErrorBody}, 403: {"model": ErrorBody}})
    async def google(
        x_goog_channel_id: Annotated[str | None, Header(examples=["019A16FF372A70B5A9307B00CE85E4DA"])] = None,
        x_goog_channel_token: Annotated[str, Header(description="the channel's secret")] = "",
        x_goog_resource_state: Annotated[str, Header(examples=["exists"])] = "",
    ) -> Response:
        """A change in a watched Google calendar. The body is empty: what changed is found by pulling."""
        if not x_goog_channel_id:
            raise Refusal(ErrorCode.HEADER_MISSING, details=["x-goog-channel-id: is required"])
        hint = ingest.channels.hint(
            x_goog_channel_id, x_goog_channel_token, CalendarProvider.GOOGLE, HintKind.CHANGED, utc_now()
        )
        if hint is None:
            raise Refusal(ErrorCode.WEBHOOK_NOT_RECOGNISED)
        if x_goog_resource_state != _FIRST_MESSAGE:
            ingest.hints.take(hint)
        return Response()

    @router.post(
        "/outlook",
        response_class=PlainTextResponse,
        openapi_extra={"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}},
    )
    async def outlook(
        request: Request,
        validation_token: Annotated[
            str | None, Query(alias="validationToken", max_length=4096, description="to be echoed: the handshake")
        ] = None,
    ) -> Response:
        """Changes in watched Outlook calendars, or the handshake of a new subscription."""
        if validation_token is not None:
            return PlainTextResponse(validation_token, headers={"X-Content-Type-Options": "nosniff"})
        for item in _items(await request.body()):
            hint = ingest.channels.hint(item.channel_id, item.secret, CalendarProvider.OUTLOOK, item.kind, utc_now())
            if hint is None:
                metrics.HINTS.labels("forged").inc()
            else:
                ingest.hints.take(hint)
        return PlainTextResponse("")

    return router


def _items(body: bytes) -> list[GraphNotification]:
    """The items that can be read; whatever else was posted is dropped and counted."""
    items = []
    try:
        posted = GraphNotifications.model_validate_json(body).value
    except ValidationError:
        metrics.HINTS.labels("unreadable").inc()
        return []
    for item in posted:
        try:
            items.append(GraphNotification.model_validate(item))
        except ValidationError:
            metrics.HINTS.labels("unreadable").inc()
    return items
