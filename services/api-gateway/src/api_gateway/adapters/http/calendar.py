"""The endpoints of the calendar connection for callers. Where providers send browsers back: ``authorization``."""

from typing import Literal

from contracts.api.calendar import Authorization, CalendarSyncResult, ConnectionView, SyncRunStatus
from contracts.messages.replies import Reply
from contracts.model import Contract
from fastapi import APIRouter, Response
from pydantic import Field

from api_gateway.adapters.http.authentication import AuthenticatedRoute, CurrentCaller, KeyedRequest
from api_gateway.adapters.http.authorization import BrowserCookies, authorization_routes, state_of
from api_gateway.adapters.http.responses import Provider, accepted, errors, reply_response
from api_gateway.adapters.http.services import AppServices
from api_gateway.schemas.calendar import PreferencesBody

_PREFIX = "/api/v1/calendar"


class CalendarAccepted(Contract):
    """The command was accepted, or may have been; its outcome is not known yet."""

    status: str = Field(default="ACCEPTED", examples=["ACCEPTED"])


_ACCEPTED = accepted(CalendarAccepted, f"{_PREFIX}/connection")


def calendar_routes(
    services: AppServices, browsers: BrowserCookies, *, other_browser: Literal["ask", "refuse", "accept"]
) -> APIRouter:
    """Connect, look at, pull and disconnect a calendar."""
    router = APIRouter(prefix=_PREFIX, tags=["Calendar connection"])
    router.include_router(_for_callers(services, browsers))
    router.include_router(authorization_routes(services, browsers, other_browser=other_browser))
    return router


def _for_callers(services: AppServices, browsers: BrowserCookies) -> APIRouter:
    router = APIRouter(route_class=AuthenticatedRoute)

    @router.get("/connection", response_model=ConnectionView, responses=errors())
    async def get_connection(caller: CurrentCaller) -> Response:
        """The caller's calendar connection and modal preference."""
        return reply_response(await services.calendar.connection(caller))

    @router.post("/connect/{provider}", response_model=Authorization, responses=errors(409))
    async def connect_calendar(request: KeyedRequest, provider: Provider) -> Response:
        """Begin to connect a calendar: send the user's browser to `authorizationUrl` to consent.

        Sets a cookie by which the callback knows the browser; without it, the user is asked before anything is
        connected.
        """
        reply = await services.calendar.begin(request, provider.provider)
        response = reply_response(reply)
        browsers.remember(response, state_of(reply.data["authorizationUrl"]))
        return response

    @router.post("/disconnect", response_model=ConnectionView, responses=errors(409) | _ACCEPTED)
    async def disconnect_calendar(request: KeyedRequest) -> Response:
        """Disconnect: nothing further is written or read, and access is given back."""
        return _outcome(await services.calendar.disconnect(request))

    @router.post("/sync", response_model=CalendarSyncResult, responses=errors(409))
    async def sync_calendar(request: KeyedRequest) -> Response:
        """Pull what changed in the calendar; `IN_PROGRESS` when that takes longer than the request may."""
        reply = await services.calendar.sync(request)
        if reply is None:
            in_progress = CalendarSyncResult(status=SyncRunStatus.IN_PROGRESS)
            return Response(in_progress.model_dump_json(), media_type="application/json")
        return reply_response(reply)

    @router.put("/connection/preferences", response_model=ConnectionView, responses=errors(409) | _ACCEPTED)
    async def set_preferences(request: KeyedRequest, body: PreferencesBody) -> Response:
        """Set the first-time modal preference."""
        return _outcome(await services.calendar.prefer(request, body.action))

    return router


def _outcome(reply: Reply | None) -> Response:
    if reply is not None:
        return reply_response(reply)
    location = {"Location": f"{_PREFIX}/connection"}
    return Response(CalendarAccepted().model_dump_json(), 202, location, media_type="application/json")
