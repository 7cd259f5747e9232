"""Answering questions about one meeting, as the asking person may see it."""

from typing import Protocol

from contracts.api.errors import ApiError, ErrorCode
from contracts.api.meetings import MeetingPassword
from contracts.api.queries import GetInvitation, GetMeeting, GetMeetingPassword
from contracts.messages.replies import Outcome, Reply

from meeting_core.domain.access import require_visible
from meeting_core.domain.meeting import Meeting
from meeting_core.domain.views import Viewer, invitation_of


class MeetingReader(Protocol):
    """Finds meetings. Every search is within one tenant, but for one."""

    async def find(self, tenant: str, meeting_uuid: str) -> Meeting | None: ...

    async def find_anywhere(self, meeting_uuid: str) -> Meeting | None:
        """A meeting of any tenant, for a guest whose link proves none."""


class Queries:
    """One method per question."""

    def __init__(self, meetings: MeetingReader) -> None:
        self._meetings = meetings

    async def get_meeting(self, query: GetMeeting) -> Reply:
        meeting = await self._meetings.find(query.actor.tenant_uuid, query.meeting_uuid)
        if meeting is None:
            raise ApiError(ErrorCode.MEETING_NOT_FOUND)
        require_visible(meeting, query.actor)
        return Reply(outcome=Outcome.OK, version=meeting.version, data=Viewer(meeting, query.actor).full())

    async def get_meeting_password(self, query: GetMeetingPassword) -> Reply:
        meeting = await self._meetings.find(query.tenant_uuid, query.meeting_uuid)
        if meeting is None:
            raise ApiError(ErrorCode.MEETING_NOT_FOUND)
        password = MeetingPassword(meeting_password=meeting.content.meeting_password)
        return Reply(outcome=Outcome.OK, version=meeting.version, data=password)

    async def get_invitation(self, query: GetInvitation) -> Reply:
        if query.tenant_uuid is None:
            meeting = await self._meetings.find_anywhere(query.meeting_uuid)
        else:
            meeting = await self._meetings.find(query.tenant_uuid, query.meeting_uuid)
        if meeting is None:
            raise ApiError(ErrorCode.MEETING_NOT_FOUND)
        participant = meeting.participant(query.participant_uuid)
        invitation = invitation_of(meeting, participant, is_proved=query.tenant_uuid is not None)
        return Reply(outcome=Outcome.OK, version=meeting.version, data=invitation)
