"""Passwords of meetings: asked of meeting-core when they are shown, and kept in memory for one version of a meeting."""

from collections import OrderedDict

from contracts.api.meetings import MeetingPassword
from contracts.api.queries import GetMeetingPassword
from contracts.values.meeting import MeetingState

from chassis.http.internal_queries import QueryClient, QueryUnavailableError

_KEPT = 256


class MeetingPasswords:
    """Asks meeting-core, once for each version of a meeting (docs/decisions/0031)."""

    def __init__(self, core: QueryClient) -> None:
        self._core = core
        self._kept: OrderedDict[tuple[str, int], str | None] = OrderedDict()

    async def password_of(self, meeting: MeetingState, version: int) -> str | None:
        """The password, at least as new as this version of the meeting; None when it has none.

        Raises:
            QueryUnavailableError: it cannot be had now.
        """
        if not meeting.has_meeting_password:
            return None
        key = (meeting.meeting_uuid, version)
        if key not in self._kept:
            self._kept[key] = await self._ask(meeting)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]

    async def _ask(self, meeting: MeetingState) -> str | None:
        query = GetMeetingPassword(tenant_uuid=meeting.tenant_uuid, meeting_uuid=meeting.meeting_uuid)
        reply = await self._core.ask(query)
        if reply.error is not None:
            raise QueryUnavailableError(reply.error.code)
        return MeetingPassword.model_validate(reply.data).meeting_password
