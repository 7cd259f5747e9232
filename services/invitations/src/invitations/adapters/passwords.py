"""The passwords of meetings that guests are mailed."""

from chassis.http.internal_queries import QueryUnavailableError
from chassis.http.meeting_passwords import MeetingPasswords

from invitations.application.mail_sender import DeferredError
from invitations.domain.guest import Guest


class GuestPasswords:
    """Defers mails while meeting-core cannot be asked."""

    def __init__(self, passwords: MeetingPasswords) -> None:
        self._passwords = passwords

    async def password_of(self, guest: Guest) -> str | None:
        """See ``Passwords.password_of``."""
        try:
            return await self._passwords.password_of(guest.meeting, guest.sequence)
        except QueryUnavailableError:
            raise DeferredError("the meeting's password cannot be had from meeting-core") from None
