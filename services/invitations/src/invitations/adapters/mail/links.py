"""The links by which a guest answers from a mail."""

from datetime import datetime, timedelta
from urllib.parse import quote, urlencode

from contracts.rsvp_tokens import RsvpKeys, expiry_of, sign
from contracts.values.enums import RsvpStatus

from invitations.domain.guest import Guest


class RsvpLinks:
    """Makes links to the RSVP page, which asks before it records (``confirm=1``), since mail scanners open every link.

    ``confirm`` comes first and ``status`` last: a link that is cut, wherever, either still asks or has no answer in it.
    """

    def __init__(self, base_url: str, keys: RsvpKeys, *, grace: timedelta) -> None:
        """``base_url``: of the gateway. ``grace``: how long after the meeting's end a link works."""
        self._base_url = base_url.rstrip("/")
        self._keys = keys
        self._grace = grace

    def of(self, guest: Guest, *, now: datetime) -> dict[RsvpStatus, str]:
        """The guest's links, one for each answer, in a mail that leaves now."""
        token = sign(
            self._keys,
            meeting_uuid=guest.meeting_uuid,
            participant_uuid=guest.participant_uuid,
            tenant_uuid=guest.tenant_uuid,
            expires_at=expiry_of(ends_at=guest.meeting.ends_at, sent_at=now, grace=self._grace),
        )
        path = f"/api/v1/meetings/{quote(guest.meeting_uuid)}/participants/{quote(guest.participant_uuid)}/rsvp"
        return {
            status: f"{self._base_url}{path}?{urlencode({'confirm': 1, 'token': token, 'status': status})}"
            for status in (RsvpStatus.ACCEPTED, RsvpStatus.DECLINED)
        }
