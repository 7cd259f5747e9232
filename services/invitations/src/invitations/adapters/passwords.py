"""The passwords of meetings: asked of meeting-core when a mail leaves, kept in memory for the guests of one meeting."""

from collections import OrderedDict

from chassis.http.internal_queries import QueryClient, QueryUnavailableError
from contracts.api.meetings import MeetingPassword
from contracts.api.queries import GetMeetingPassword

from invitations.application.mail_sender import DeferredError
from invitations.domain.guest import Guest

_KEPT = 256


class PasswordClient:
    """Asks meeting-core, once for each version of a meeting that guests are mailed about."""

    def __init__(self, core: QueryClient) -> None:
        self._core = core
        self._kept: OrderedDict[tuple[str, int], str | None] = OrderedDict()

    async def password_of(self, guest: Guest) -> str | None:
        """See ``Passwords.password_of``. What was asked for another version may be older than the guest's."""
        if not guest.meeting.has_meeting_password:
            return None
        version = (guest.meeting_uuid, guest.sequence)
        if version not in self._kept:
            self._kept[version] = await self._ask(guest)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[version]

    async def _ask(self, guest: Guest) -> str | None:
        query = GetMeetingPassword(tenant_uuid=guest.tenant_uuid, meeting_uuid=guest.meeting_uuid)
        try:
            reply = await self._core.ask(query)
        except QueryUnavailableError:
            raise DeferredError("the meeting's password cannot be had from meeting-core") from None
        if reply.error is not None:
            raise DeferredError(f"no password of the meeting: {reply.error.code}")
        return MeetingPassword.model_validate(reply.data).meeting_password
