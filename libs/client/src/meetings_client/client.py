"""The Meetings API, call by call."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote

import httpx
from contracts.api.availability import AvailabilityView, UserAvailability
from contracts.api.filters import Condition, SortKey
from contracts.api.meetings import MeetingSummary, MeetingView, Page, ParticipantView, ResendInvitation
from contracts.values.enums import RsvpStatus
from pydantic import TypeAdapter

from meetings_client.bodies import (
    Answer,
    AvailabilityWindow,
    MeetingUpdate,
    NewMeeting,
    filter_entry,
    sort_entry,
    to_json,
)
from meetings_client.calendar import CalendarClient
from meetings_client.caller import Caller
from meetings_client.errors import PreconditionFailedError
from meetings_client.retry import RetryPolicy
from meetings_client.transport import Transport

_MEETINGS, _SEARCH = "/api/v1/meetings", "/api/v2/meetings"
_PAGE_SIZE = 100
_RESENT = TypeAdapter(list[ResendInvitation])
_DEFAULT_POLICY = RetryPolicy()


@dataclass(frozen=True, slots=True)
class VersionedMeeting:
    """A meeting and the ``ETag`` of the version that was read."""

    meeting: MeetingView
    etag: str


class MeetingsClient:
    """Meetings as one caller sees and changes them.

    Every method raises ``ApiError`` when the API refuses; one that changes something raises ``OutcomeUnknownError``
    when its outcome is not known within the deadline. ``key`` is an ``Idempotency-Key`` of the caller's own, for
    commands that must be done once even if this process dies between asking and hearing the answer.
    """

    def __init__(self, http: httpx.AsyncClient, caller: Caller, *, policy: RetryPolicy = _DEFAULT_POLICY) -> None:
        """``http`` has the gateway as its base URL, and may be shared by the clients of many callers."""
        self._transport = Transport(http, caller, policy)
        self.calendar = CalendarClient(self._transport)
        """The connection of the caller's external calendar."""

    @classmethod
    @asynccontextmanager
    async def open(cls, base_url: str, caller: Caller, *, policy: RetryPolicy = _DEFAULT_POLICY) -> AsyncIterator[Self]:
        """A client with connections of its own."""
        async with httpx.AsyncClient(base_url=base_url) as http:
            yield cls(http, caller, policy=policy)

    async def create(self, meeting: NewMeeting, *, key: str | None = None) -> MeetingView:
        """Create a meeting; the caller becomes its host and the invitations go out by themselves."""
        return await self._decided("POST", _MEETINGS, key=key, json=to_json(meeting))

    async def get(self, meeting_uuid: str) -> VersionedMeeting:
        """One meeting in full."""
        response = await self._transport.query("GET", _path(meeting_uuid))
        return VersionedMeeting(MeetingView.model_validate_json(response.content), response.headers["ETag"])

    async def update(
        self, meeting_uuid: str, update: MeetingUpdate, *, if_match: str | None = None, key: str | None = None
    ) -> MeetingView:
        """Change a meeting; with ``if_match``, only the version with this ETag, else ``PreconditionFailedError``."""
        return await self._decided("PUT", _path(meeting_uuid), key=key, if_match=if_match, json=to_json(update))

    async def merge(
        self, meeting_uuid: str, change: Callable[[MeetingView], MeetingUpdate | None], *, attempts: int = 5
    ) -> MeetingView:
        """Read a meeting, ask ``change`` what to change of it, and write that only if it has not changed meanwhile.

        When it has, everything begins again with the newer meeting. ``change`` returns None to leave it as it is.

        Raises:
            PreconditionFailedError: it changed meanwhile at each of the attempts.
        """
        while True:
            attempts -= 1
            current = await self.get(meeting_uuid)
            update = change(current.meeting)
            if update is None:
                return current.meeting
            try:
                return await self.update(meeting_uuid, update, if_match=current.etag)
            except PreconditionFailedError:
                if attempts <= 0:
                    raise

    async def cancel(self, meeting_uuid: str, *, if_match: str | None = None, key: str | None = None) -> MeetingView:
        """Cancel a meeting; its participants are notified."""
        return await self._decided("POST", f"{_path(meeting_uuid)}/cancel", key=key, if_match=if_match)

    async def hide(self, meeting_uuid: str, *, key: str | None = None) -> None:
        """Take a canceled meeting off the caller's calendar."""
        await self._transport.command("DELETE", f"{_path(meeting_uuid)}/calendar-visibility", key=key)

    async def answer(self, meeting_uuid: str, status: RsvpStatus, *, key: str | None = None) -> ParticipantView:
        """Accept or decline as the participant that the caller is."""
        response = await self._transport.command(
            "PUT", f"{_path(meeting_uuid)}/rsvp", key=key, json=to_json(Answer(status=status))
        )
        return ParticipantView.model_validate_json(response.content)

    async def resend(self, meeting_uuid: str, *, key: str | None = None) -> list[ResendInvitation]:
        """Mail every participant their invitation again; one entry per participant."""
        response = await self._transport.command("POST", f"{_path(meeting_uuid)}/resend", key=key)
        return _RESENT.validate_json(response.content)

    async def resend_to(self, meeting_uuid: str, participant_uuid: str, *, key: str | None = None) -> ResendInvitation:
        """Mail one participant their invitation again."""
        path = f"{_path(meeting_uuid)}/participants/{quote(participant_uuid, safe='')}/resend"
        response = await self._transport.command("POST", path, key=key)
        return ResendInvitation.model_validate_json(response.content)

    async def retry_sync(self, meeting_uuid: str, *, key: str | None = None) -> MeetingView:
        """Try a failed sync with the host's external calendar again."""
        return await self._decided("POST", f"{_path(meeting_uuid)}/sync", key=key)

    def list_meetings(self) -> AsyncIterator[MeetingSummary]:
        """Every meeting on the caller's calendar, the latest start first."""

        async def page(number: int) -> httpx.Response:
            return await self._transport.query("GET", _MEETINGS, params={"page": number, "size": _PAGE_SIZE})

        return _every(page)

    def search(self, conditions: Sequence[Condition], sort: Sequence[SortKey] = ()) -> AsyncIterator[MeetingSummary]:
        """Every meeting on the caller's calendar that fulfils all conditions; see docs/generated/filters.md."""
        body = {"filters": [*map(filter_entry, conditions)], "sort": [*map(sort_entry, sort)], "size": _PAGE_SIZE}

        async def page(number: int) -> httpx.Response:
            return await self._transport.query("POST", _SEARCH, json=body | {"page": number})

        return _every(page)

    async def check_availability(
        self, user_uuids: Sequence[str], start: datetime, end: datetime, timezone: str | None = None
    ) -> list[UserAvailability]:
        """Whether staff have time between two wall-clock times of ``timezone`` (None: UTC), in the order asked."""
        window = AvailabilityWindow(
            user_uuids=[*user_uuids], start_date_time=start, end_date_time=end, timezone=timezone
        )
        response = await self._transport.query("POST", "/api/v1/availability/check", json=to_json(window))
        return AvailabilityView.model_validate_json(response.content).availabilities

    async def _decided(self, method: str, path: str, **request: Any) -> MeetingView:
        response = await self._transport.command(method, path, **request)
        return MeetingView.model_validate_json(response.content)


async def _every(fetch: Callable[[int], Awaitable[httpx.Response]]) -> AsyncIterator[MeetingSummary]:
    """The entries of all pages. A list that changes meanwhile may repeat or skip entries at the seams of pages."""
    number, pages = 0, 1
    while number < pages:
        page = Page[MeetingSummary].model_validate_json((await fetch(number)).content)
        for summary in page.content:
            yield summary
        number, pages = number + 1, page.total_pages


def _path(meeting_uuid: str) -> str:
    return f"{_MEETINGS}/{quote(meeting_uuid, safe='')}"
