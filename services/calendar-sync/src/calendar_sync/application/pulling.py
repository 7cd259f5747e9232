"""Pulling: reading what is new in an external calendar, and what of it is to be said.

A cursor is kept last: whoever is interrupted reads the same again, and says nothing twice. Nothing here writes copies of
our own meetings; what looks changed by its host is looked at by who writes it.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from calendar_sync.application.writing import Access
from calendar_sync.domain.external import ChangesPage, Window


class Changes(Protocol):
    """What is new in one provider's calendars. May raise CallFailedError and UnauthorizedError."""

    async def page(self, access: Access, *, cursor: str | None, page: str | None, window: Window) -> ChangesPage:
        """One page of what is new since ``cursor``, or without one of everything in the ``window``.

        ``page`` asks for the next page of the same round; cursor and window are those of its first page.

        Raises:
            CursorLostError: the provider does not know the cursor, or the page, any more.
            MissingError: the calendar is not there.
        """


@dataclass(frozen=True, slots=True)
class KnownCopy:
    """A copy of ours, by the event that it is in an account."""

    meeting_uuid: str
    event_id: str
    echo: str | None
    """The fingerprint of what the platform knows the event to say; None when that is not known."""
    expected: bool
    """Whether the event ought to be there: the meeting is active and the copy was not removed by us."""


@dataclass(frozen=True, slots=True)
class Look:
    """A copy in the account ``key`` that its host may have changed or removed. ``doubted``: so many are missing at once
    that a removal is not to be believed."""

    meeting_uuid: str
    key: str
    doubted: bool = False


class Copies(Protocol):
    """The copies of our own meetings; ``key`` is the account's (``account_key``)."""

    async def of_events(self, key: str, event_ids: Sequence[str]) -> dict[str, KnownCopy]:
        """The copies that these events are, by event id; also those that were removed by us (their id is kept)."""

    def of_window(self, key: str, window: Window) -> AsyncIterator[list[KnownCopy]]:
        """Pages of the copies that are expected in the account, and of which the newest known time is in the window."""

    async def unsettled(self, key: str, meeting_uuids: Sequence[str]) -> set[str]:
        """Those of these meetings whose copy in this account is being made: its event may be there, its id unknown."""

    async def meetings(self, meeting_uuids: Sequence[str]) -> set[str]:
        """Those of these that are meetings made on the platform, whoever hosts them."""

    async def look(self, looks: Sequence[Look]) -> None:
        """Have these copies compared with their events, and taken over what their hosts did."""
