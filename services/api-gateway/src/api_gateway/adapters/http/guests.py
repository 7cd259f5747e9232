"""The public endpoints of guests: answering by a mailed link, for programs as JSON and for people as pages."""

from typing import Annotated, Literal

from chassis.http.errors import retry_headers
from chassis.http.openapi import Responses
from chassis.i18n import format_schedule
from contracts.api.errors import ApiError, ErrorCode
from contracts.api.meetings import Invitation, ParticipantView
from contracts.model import Contract
from contracts.values.enums import MeetingStatus, RsvpStatus
from contracts.values.text import sanitize_line, web_link
from contracts.values.times import utc_now
from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse
from starlette.datastructures import QueryParams

from api_gateway.adapters.http.authentication import CurrentPreconditions
from api_gateway.adapters.http.public import PageRoute, PublicJsonRoute, language_asked
from api_gateway.adapters.http.responses import (
    MeetingUuid,
    ParticipantUuid,
    command_response,
    decided,
    documented_page,
    documented_page_or_error,
    shown_later,
)
from api_gateway.adapters.http.services import AppServices
from api_gateway.adapters.pages.rendering import page
from api_gateway.application.guests import Guest
from api_gateway.application.requests import RequestPreconditions
from api_gateway.schemas.bodies import RsvpAnswer, RsvpBody

_PATH = "/api/v1/meetings/{meetingUuid}/participants/{participantUuid}/rsvp"
_STATUS = {"pending": 202, "canceled": 409}
State = Literal["confirm", "recorded", "changed", "pending", "canceled"]
Token = Annotated[str | None, Query(description="of the mailed link; whether it may be missing is a setting")]

_TEXTS = ("title", "host_name", "participant_name", "meeting_password")


class RsvpPageRoute(PageRoute):
    """A route that mailed links lead to."""

    def refused(self, request: Request, refusal: ApiError) -> Response:
        headers = retry_headers(refusal)
        return page("refusal.html", language_asked(request), status=refusal.code.status, headers=headers)


class RsvpForm(Contract):
    """What the page's form sends."""

    status: RsvpAnswer
    token: str | None = None


_PAGES: Responses = {
    200: documented_page("The answer as it is recorded now, or a page that asks whether to record it"),
    202: documented_page("The answer was sent and should be recorded in a moment; answering again does no harm"),
    400: documented_page_or_error("The link is incomplete"),
    403: documented_page("The token does not hold, or the participant is gone"),
    404: documented_page("There is no such invitation"),
    409: documented_page("The meeting is canceled"),
    413: documented_page_or_error("The body is too large"),
    429: shown_later("Too many requests"),
    500: documented_page_or_error("Something went wrong on our side"),
    503: shown_later("Nothing was recorded"),
}


def guest_routes(services: AppServices) -> APIRouter:
    """RsvpAnswer an invitation by the link in a mail."""
    router = APIRouter(tags=["RSVP by link"])
    router.include_router(_for_programs(services))
    router.include_router(_for_people(services))
    return router


def _for_programs(services: AppServices) -> APIRouter:
    router = APIRouter(route_class=PublicJsonRoute)

    @router.put(_PATH, response_model=ParticipantView, responses=decided(404, 412, public=True))
    async def answer_invitation_by_link(
        *,
        request: Request,
        meeting_uuid: MeetingUuid,
        participant_uuid: ParticipantUuid,
        preconditions: CurrentPreconditions,
        body: RsvpBody,
        token: Token = None,
    ) -> Response:
        """Accept or decline as the participant that the link names."""
        if token is None and _has_damaged_token(request.query_params):
            raise ApiError(ErrorCode.RSVP_TOKEN_INVALID)
        guest = services.guests.authenticate(meeting_uuid, participant_uuid, token)
        return command_response(await services.guests.answer(guest, body.status, preconditions))

    return router


def _for_people(services: AppServices) -> APIRouter:
    router = APIRouter(route_class=RsvpPageRoute)

    @router.head(_PATH, include_in_schema=False)
    @router.get(_PATH, response_class=HTMLResponse, responses=_PAGES)
    async def show_rsvp_page(
        *,
        request: Request,
        meeting_uuid: MeetingUuid,
        participant_uuid: ParticipantUuid,
        status: Annotated[RsvpAnswer, Query(examples=[RsvpStatus.ACCEPTED])],
        token: Token = None,
        confirm: Annotated[bool, Query(description="ask first; the form of the links in our mails")] = False,
    ) -> Response:
        """A page that records the answer and shows it; with `confirm=1` it records nothing and asks first.

        A query with anything besides `status` and `token` is a link of our mails that arrived damaged or wrapped: it
        asks first, too.
        """
        guest = services.guests.authenticate(meeting_uuid, participant_uuid, token)
        if confirm or request.method == "HEAD" or not _is_recording_form(request.query_params):
            invitation = await services.guests.invitation(guest)
            return _page(request, invitation, "confirm", status, token)
        return await _record(request, guest, status, token)

    @router.post(_PATH, response_class=HTMLResponse, responses=_PAGES)
    async def submit_rsvp_form(
        request: Request,
        meeting_uuid: MeetingUuid,
        participant_uuid: ParticipantUuid,
        form: Annotated[RsvpForm, Form()],
    ) -> Response:
        """What the page's form sends: records the answer and shows it."""
        guest = services.guests.authenticate(meeting_uuid, participant_uuid, form.token)
        return await _record(request, guest, form.status, form.token)

    async def _record(request: Request, guest: Guest, status: RsvpAnswer, token: str | None) -> Response:
        before = await services.guests.invitation(guest)
        sent = await services.guests.answer(guest, status, RequestPreconditions())
        if sent.reply is None:
            return _page(request, before, "pending", status, token)
        if sent.reply.error is not None:
            refusal = sent.reply.error.refusal
            if refusal.code is ErrorCode.MEETING_CANCELED:
                return _page(request, before, "canceled", status, token)
            raise refusal
        changed = before.rsvp_status not in (RsvpStatus.UNKNOWN, status)
        return _page(request, before, "changed" if changed else "recorded", status, token)

    return router


def _is_recording_form(query: QueryParams) -> bool:
    """Whether the query is the contract's recording form and nothing else: `status`, perhaps `token`, once each."""
    names = [name for name, _ in query.multi_items()]
    return set(names) <= {"status", "token"} and len(names) == len(set(names))


def _has_damaged_token(query: QueryParams) -> bool:
    """Whether a token was meant: its name was cut, or arrived in other letters or with some before it."""
    return any("token" in name.lower() or "token".startswith(name.lower()) for name in query)


def _page(request: Request, invitation: Invitation, state: State, choice: RsvpAnswer, token: str | None) -> Response:
    """The page of an invitation, in the guest's language or else the browser's. A canceled one has one state only."""
    if invitation.status is MeetingStatus.CANCELED:
        state = "canceled"
    language = invitation.language or language_asked(request)
    shown = {name: sanitize_line(getattr(invitation, name)) for name in _TEXTS}
    shown["meeting_link"] = _web_link(invitation.meeting_link)
    return page(
        "rsvp.html",
        language,
        status=_STATUS.get(state, 200),
        state=state,
        choice=choice,
        invitation=invitation.model_copy(update=shown),
        when=format_schedule(invitation.schedule, language),
        over=invitation.ends_at <= utc_now(),
        token=token,
    )


def _web_link(text: str | None) -> str:
    try:
        return web_link(text or "")
    except ValueError:
        return ""
