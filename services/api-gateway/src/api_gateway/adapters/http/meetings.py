"""The meetings endpoints."""

from typing import Annotated

from contracts.api.history import MeetingHistoryPage
from contracts.api.meetings import MeetingPage, MeetingView, ParticipantView, ResendInvitation
from contracts.api.queries import GetMeeting, GetMeetingHistory, ListCalendar
from fastapi import APIRouter, Query, Response

from api_gateway.adapters.http.authentication import (
    AuthenticatedRoute,
    CurrentCaller,
    CurrentRequest,
    KeyedRequest,
    ReadRoute,
)
from api_gateway.adapters.http.responses import (
    MeetingUuid,
    ParticipantUuid,
    command_response,
    decided,
    errors,
    reply_response,
    versioned,
)
from api_gateway.adapters.http.services import AppServices
from api_gateway.schemas.bodies import CreateMeetingBody, RsvpBody, UpdateMeetingBody

PageNumber = Annotated[int, Query(ge=0, le=10_000_000, description="zero-based")]
PageSize = Annotated[int, Query(ge=1, le=100)]


def meeting_routes(services: AppServices) -> APIRouter:
    """Create, read, change, answer, cancel and hide meetings, and do again what did not reach its aim."""
    router = APIRouter(prefix="/api/v1/meetings", tags=["Meetings"], route_class=AuthenticatedRoute)

    @router.post("", status_code=201, response_model=MeetingView, responses=decided(status=201))
    async def create_meeting(request: KeyedRequest, body: CreateMeetingBody) -> Response:
        """Create a meeting. The caller becomes its host; the invitations go out by themselves."""
        return command_response(await services.meetings.create(request, body), 201)

    @router.get("/{meetingUuid}", response_model=MeetingView, responses=errors(404) | versioned())
    async def get_meeting(caller: CurrentCaller, meeting_uuid: MeetingUuid) -> Response:
        """One meeting in full, for its host, creator and participants."""
        return reply_response(await services.core.ask(GetMeeting(actor=caller.actor(), meeting_uuid=meeting_uuid)))

    @router.put("/{meetingUuid}", response_model=MeetingView, responses=decided(404, 412))
    async def update_meeting(request: CurrentRequest, meeting_uuid: MeetingUuid, body: UpdateMeetingBody) -> Response:
        """Change a meeting: what is omitted or null stays, an empty string clears, a list replaces its kind."""
        return command_response(await services.meetings.update(request, meeting_uuid, body))

    @router.post("/{meetingUuid}/cancel", response_model=MeetingView, responses=decided(404, 412))
    async def cancel_meeting(request: CurrentRequest, meeting_uuid: MeetingUuid) -> Response:
        """Cancel a meeting; its guests are mailed."""
        return command_response(await services.meetings.cancel(request, meeting_uuid))

    @router.delete(
        "/{meetingUuid}/calendar-visibility",
        status_code=204,
        response_model=None,
        responses=decided(404, status=204),
    )
    async def hide_meeting(request: KeyedRequest, meeting_uuid: MeetingUuid) -> Response:
        """Take a canceled meeting off the caller's calendar."""
        return command_response(await services.meetings.hide(request, meeting_uuid), 204)

    @router.put("/{meetingUuid}/rsvp", response_model=ParticipantView, responses=decided(404, 412))
    async def answer_invitation(request: CurrentRequest, meeting_uuid: MeetingUuid, body: RsvpBody) -> Response:
        """Accept or decline as the participant that the caller is."""
        return command_response(await services.meetings.answer(request, meeting_uuid, body))

    _add_history(router, services)
    _add_repeats(router, services)
    return router


def meeting_list_routes(services: AppServices) -> APIRouter:
    """The list of meetings."""
    router = APIRouter(prefix="/api/v1/meetings", tags=["Meetings"], route_class=ReadRoute)

    @router.get("", response_model=MeetingPage, responses=errors())
    async def list_meetings(caller: CurrentCaller, page: PageNumber = 0, size: PageSize = 20) -> Response:
        """The meetings on the caller's calendar, the latest start first."""
        return reply_response(await services.core.ask(ListCalendar(actor=caller.actor(), page=page, size=size)))

    return router


def _add_history(router: APIRouter, services: AppServices) -> None:
    """Who changed a meeting."""

    @router.get("/{meetingUuid}/history", response_model=MeetingHistoryPage, responses=errors(404) | versioned())
    async def get_meeting_history(
        caller: CurrentCaller, meeting_uuid: MeetingUuid, page: PageNumber = 0, size: PageSize = 20
    ) -> Response:
        """Who changed a meeting, by which way, and what it said before, for staff who may read it; 403 for clients.

        One entry for each version, the first version first.
        """
        query = GetMeetingHistory(actor=caller.actor(), meeting_uuid=meeting_uuid, page=page, size=size)
        return reply_response(await services.core.ask(query))


def _add_repeats(router: APIRouter, services: AppServices) -> None:
    """Doing again what did not reach its aim: invitations, and the copy in the host's calendar."""

    @router.post(
        "/{meetingUuid}/resend",
        response_model=list[ResendInvitation],
        responses=decided(404, 412),
    )
    async def resend_invitations(request: CurrentRequest, meeting_uuid: MeetingUuid) -> Response:
        """Mail every participant their invitation again. Skipped: who has no address, or was mailed again just now."""
        return command_response(await services.meetings.resend(request, meeting_uuid))

    @router.post(
        "/{meetingUuid}/participants/{participantUuid}/resend",
        response_model=ResendInvitation,
        responses=decided(404, 412),
    )
    async def resend_invitation(
        request: CurrentRequest, meeting_uuid: MeetingUuid, participant_uuid: ParticipantUuid
    ) -> Response:
        """Mail one participant their invitation again, with the same skips."""
        return command_response(await services.meetings.resend(request, meeting_uuid, participant_uuid))

    @router.post("/{meetingUuid}/sync", response_model=MeetingView, responses=decided(404, 412))
    async def retry_sync(request: CurrentRequest, meeting_uuid: MeetingUuid) -> Response:
        """Try a failed sync with the host's external calendar again; the meeting is PENDING until it is known how."""
        return command_response(await services.meetings.retry_sync(request, meeting_uuid))
