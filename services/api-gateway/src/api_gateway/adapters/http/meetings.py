"""The meetings endpoints."""

from typing import Annotated

from contracts.api.meetings import MeetingPage, MeetingView, ParticipantView, ResendInvitation
from contracts.api.queries import GetMeeting, ListCalendar
from fastapi import APIRouter, Query, Response

from api_gateway.adapters.http.answers import MeetingUuid, ParticipantUuid, answer, decided, errors, outcome, versioned
from api_gateway.adapters.http.backend import Backend
from api_gateway.adapters.http.protection import CallerRoute, CurrentCaller, CurrentWish, KeyedWish, ReadRoute
from api_gateway.domain.bodies import CreateMeetingBody, RsvpBody, UpdateMeetingBody

PageNumber = Annotated[int, Query(ge=0, le=10_000_000, description="zero-based")]
PageSize = Annotated[int, Query(ge=1, le=100)]


def meeting_routes(backend: Backend) -> APIRouter:
    """Create, read, change, answer, cancel and hide meetings, and do again what did not reach its aim."""
    router = APIRouter(prefix="/api/v1/meetings", tags=["Meetings"], route_class=CallerRoute)

    @router.post("", status_code=201, response_model=MeetingView, responses=decided(status=201))
    async def create_meeting(wish: KeyedWish, body: CreateMeetingBody) -> Response:
        """Create a meeting. The caller becomes its host; the invitations go out by themselves."""
        return outcome(await backend.meetings.create(wish, body), 201)

    @router.get("/{meetingUuid}", response_model=MeetingView, responses=errors(404) | versioned())
    async def get_meeting(caller: CurrentCaller, meeting_uuid: MeetingUuid) -> Response:
        """One meeting in full, for its host, creator and participants."""
        return answer(await backend.core.ask(GetMeeting(actor=caller.actor(), meeting_uuid=meeting_uuid)))

    @router.put("/{meetingUuid}", response_model=MeetingView, responses=decided(404, 412))
    async def update_meeting(wish: CurrentWish, meeting_uuid: MeetingUuid, body: UpdateMeetingBody) -> Response:
        """Change a meeting: what is omitted or null stays, an empty string clears, a list replaces its kind."""
        return outcome(await backend.meetings.update(wish, meeting_uuid, body))

    @router.post("/{meetingUuid}/cancel", response_model=MeetingView, responses=decided(404, 412))
    async def cancel_meeting(wish: CurrentWish, meeting_uuid: MeetingUuid) -> Response:
        """Cancel a meeting; its participants are told."""
        return outcome(await backend.meetings.cancel(wish, meeting_uuid))

    @router.delete(
        "/{meetingUuid}/calendar-visibility",
        status_code=204,
        response_model=None,
        responses=decided(404, status=204),
    )
    async def hide_meeting(wish: KeyedWish, meeting_uuid: MeetingUuid) -> Response:
        """Take a canceled meeting off the caller's calendar."""
        return outcome(await backend.meetings.hide(wish, meeting_uuid), 204)

    @router.put("/{meetingUuid}/rsvp", response_model=ParticipantView, responses=decided(404, 412))
    async def answer_invitation(wish: CurrentWish, meeting_uuid: MeetingUuid, body: RsvpBody) -> Response:
        """Accept or decline as the participant that the caller is."""
        return outcome(await backend.meetings.answer(wish, meeting_uuid, body))

    _add_repeats(router, backend)
    return router


def meeting_list_routes(backend: Backend) -> APIRouter:
    """The list of meetings."""
    router = APIRouter(prefix="/api/v1/meetings", tags=["Meetings"], route_class=ReadRoute)

    @router.get("", response_model=MeetingPage, responses=errors())
    async def list_meetings(caller: CurrentCaller, page: PageNumber = 0, size: PageSize = 20) -> Response:
        """The meetings on the caller's calendar, the latest start first."""
        return answer(await backend.core.ask(ListCalendar(actor=caller.actor(), page=page, size=size)))

    return router


def _add_repeats(router: APIRouter, backend: Backend) -> None:
    """Doing again what did not reach its aim: invitations, and the copy in the host's calendar."""

    @router.post(
        "/{meetingUuid}/resend",
        response_model=list[ResendInvitation],
        responses=decided(404, 412),
    )
    async def resend_invitations(wish: CurrentWish, meeting_uuid: MeetingUuid) -> Response:
        """Mail every participant their invitation again. Skipped: who has no address, or was mailed again just now."""
        return outcome(await backend.meetings.resend(wish, meeting_uuid))

    @router.post(
        "/{meetingUuid}/participants/{participantUuid}/resend",
        response_model=ResendInvitation,
        responses=decided(404, 412),
    )
    async def resend_invitation(
        wish: CurrentWish, meeting_uuid: MeetingUuid, participant_uuid: ParticipantUuid
    ) -> Response:
        """Mail one participant their invitation again, with the same skips."""
        return outcome(await backend.meetings.resend(wish, meeting_uuid, participant_uuid))

    @router.post("/{meetingUuid}/sync", response_model=MeetingView, responses=decided(404, 412))
    async def retry_sync(wish: CurrentWish, meeting_uuid: MeetingUuid) -> Response:
        """Try a failed sync with the host's external calendar again; the meeting is PENDING until it is known how."""
        return outcome(await backend.meetings.retry_sync(wish, meeting_uuid))
