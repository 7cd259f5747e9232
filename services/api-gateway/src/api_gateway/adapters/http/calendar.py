"""The endpoints of the calendar connection: for callers as JSON, and where providers send browsers back as pages."""

from typing import Annotated, Any
from urllib.parse import urlencode

from chassis.error_answers import retry_headers
from contracts.api.calendar import Authorization, AuthorizationResult, CalendarSyncResult, ConnectionView, SyncRunStatus
from contracts.api.errors import ApiError
from contracts.messages.replies import Reply
from contracts.model import Contract
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import Field

from api_gateway.adapters.http.answers import RETRY_LATER, answer, errors, shown, shown_or_told
from api_gateway.adapters.http.backend import Backend
from api_gateway.adapters.http.protection import CallerRoute, CurrentCaller, CurrentWish
from api_gateway.adapters.http.public import PageRoute, language_asked
from api_gateway.adapters.pages.rendering import HEADERS, page
from api_gateway.domain.calendar import PreferencesBody, ProviderName

_PREFIX = "/api/v1/calendar"
_NAMES = {ProviderName.GOOGLE: "Google Calendar", ProviderName.OUTLOOK: "Outlook"}
_VISIBLE = "^[ -~]*$"  # all that a state, a code and an error may consist of (RFC 6749 appendix A)
_SUCCESS, _FAILED = f"{_PREFIX}/callback/success", f"{_PREFIX}/callback/oauth-failed"


class CalendarAccepted(Contract):
    """The command was accepted, or may have been; its outcome is not known yet."""

    status: str = Field(default="ACCEPTED", examples=["ACCEPTED"])


_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": CalendarAccepted,
        "description": "Accepted, or sent without an acknowledgement in time: poll `Location`, or repeat with the "
        "same Idempotency-Key",
    }
}


_CROWDED: dict[int | str, dict[str, Any]] = {429: shown("Too many requests") | RETRY_LATER}
_BACK: dict[int | str, dict[str, Any]] = _CROWDED | {
    302: {"description": "To the page that says what became of it"},
    400: shown_or_told("The provider's answer is incomplete"),
    503: shown("Temporarily unavailable; nothing was connected") | RETRY_LATER,
}


class ResultRoute(PageRoute):
    """A public route for people who come from a provider."""

    def refused(self, request: Request, refusal: ApiError) -> Response:
        code = refusal.code.status
        result = AuthorizationResult.UNAVAILABLE if code in (429, 503) else AuthorizationResult.EXPIRED
        return _page(request, result, status=code, headers=retry_headers(refusal))


def calendar_routes(backend: Backend) -> APIRouter:
    """Connect, look at, pull and disconnect a calendar."""
    router = APIRouter(prefix=_PREFIX, tags=["Calendar connection"])
    router.include_router(_for_callers(backend))
    router.include_router(_for_browsers(backend))
    return router


def _for_callers(backend: Backend) -> APIRouter:
    router = APIRouter(route_class=CallerRoute)

    @router.get("/connection", response_model=ConnectionView, responses=errors())
    async def get_connection(caller: CurrentCaller) -> Response:
        """The caller's calendar connection and modal preference."""
        return answer(await backend.calendar.connection(caller))

    @router.post("/connect/{provider}", response_model=Authorization, responses=errors(409))
    async def connect_calendar(wish: CurrentWish, provider: ProviderName) -> Response:
        """Begin to connect a calendar: send the user's browser to `authorizationUrl` to consent."""
        return answer(await backend.calendar.begin(wish, provider.provider))

    @router.post("/disconnect", response_model=ConnectionView, responses=errors(409) | _ACCEPTED)
    async def disconnect_calendar(wish: CurrentWish) -> Response:
        """Disconnect: nothing further is written or read, and access is given back."""
        return _outcome(await backend.calendar.disconnect(wish))

    @router.post("/sync", response_model=CalendarSyncResult, responses=errors(409))
    async def pull_calendar(wish: CurrentWish) -> Response:
        """Pull what changed in the calendar; `IN_PROGRESS` when that takes longer than the request may."""
        reply = await backend.calendar.sync(wish)
        if reply is None:
            in_progress = CalendarSyncResult(status=SyncRunStatus.IN_PROGRESS)
            return Response(in_progress.model_dump_json(), media_type="application/json")
        return answer(reply)

    @router.put("/connection/preferences", response_model=ConnectionView, responses=errors(409) | _ACCEPTED)
    async def set_preferences(wish: CurrentWish, body: PreferencesBody) -> Response:
        """Set the first-time modal preference."""
        return _outcome(await backend.calendar.prefer(wish, body.action))

    return router


def _for_browsers(backend: Backend) -> APIRouter:
    router = APIRouter(route_class=ResultRoute)

    @router.get("/callback/success", response_class=HTMLResponse, responses=_CROWDED)
    async def connected(request: Request, provider: str = "") -> Response:
        """The page that says that a calendar is connected."""
        name = next((_NAMES[one] for one in ProviderName if one == provider), None)
        return _page(request, AuthorizationResult.CONNECTED, calendar=name)

    @router.get("/callback/oauth-failed", response_class=HTMLResponse, responses=_CROWDED)
    async def not_connected(request: Request, reason: str = "") -> Response:
        """The page that says why no calendar was connected."""
        failures = [one for one in AuthorizationResult if one is not AuthorizationResult.CONNECTED]
        return _page(request, next((one for one in failures if one == reason), AuthorizationResult.EXPIRED))

    @router.get("/callback/{provider}", status_code=302, response_class=RedirectResponse, responses=_BACK)
    async def complete_consent(
        provider: ProviderName,
        state: Annotated[str | None, Query(max_length=256, pattern=_VISIBLE)] = None,
        code: Annotated[str | None, Query(max_length=8192, pattern=_VISIBLE)] = None,
        error: Annotated[str | None, Query(max_length=256, pattern=_VISIBLE)] = None,
    ) -> Response:
        """Where a provider sends the user's browser back; leads on to a result page."""
        result = await backend.calendar.complete(provider.provider, state=state, code=code, error=error)
        to = (
            f"{_SUCCESS}?{urlencode({'provider': provider})}"
            if result is AuthorizationResult.CONNECTED
            else f"{_FAILED}?{urlencode({'reason': result})}"
        )
        return Response(status_code=302, headers={"Location": to, **HEADERS})

    return router


def _outcome(reply: Reply | None) -> Response:
    if reply is not None:
        return answer(reply)
    location = {"Location": f"{_PREFIX}/connection"}
    return Response(CalendarAccepted().model_dump_json(), 202, location, media_type="application/json")


def _page(
    request: Request,
    result: AuthorizationResult,
    *,
    calendar: str | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    return page(
        "calendar.html", language_asked(request), status=status, headers=headers, result=result, calendar=calendar
    )
