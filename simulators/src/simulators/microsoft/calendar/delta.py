"""Delta rounds over a calendar view.

Sources: https://learn.microsoft.com/graph/delta-query-events, https://learn.microsoft.com/graph/delta-query-overview
("Token duration", "Synchronization reset"); microsoftgraph/microsoft-graph-docs#6599 for events outside the window,
which come as removed.
"""

import base64
import binascii
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from simulators.microsoft.calendar import recurrence
from simulators.microsoft.calendar.rendering import View, delta_json, removed_json
from simulators.microsoft.graph.errors import GraphError
from simulators.microsoft.state.records import Account, Calendar, Event, Timing

JsonObject = dict[str, Any]
Place = tuple[int, int]
"""Where an item stands in a round: the creation of its event, then its number within the event."""


class Round(BaseModel):
    """What a token holds: whose view, which window, which changes (after ``since``), how far this round has come."""

    user: str
    calendar: str
    start: datetime
    end: datetime
    generation: int
    since: int | None = None
    until: int = 0
    after: Place = (-1, -1)
    page_size: int = 50

    def token(self) -> str:
        """The round as an opaque token."""
        return base64.urlsafe_b64encode(zlib.compress(self.model_dump_json().encode())).decode().rstrip("=")

    @classmethod
    def of_token(cls, token: str) -> "Round":
        """The round of a token. Raises GraphError (400) for what is none."""
        try:
            unpacker = zlib.decompressobj()
            packed = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
            return cls.model_validate_json(unpacker.decompress(packed, 4096))
        except (binascii.Error, zlib.error, ValidationError, ValueError):
            raise GraphError(400, "BadRequest", "Badly formed token.") from None


def check(asked: Round, account: Account, calendar: Calendar, restart: str) -> None:
    """Raises GraphError when the token is out of date or belongs elsewhere; ``restart`` begins a full round."""
    if (asked.user, asked.calendar) != (account.user_id, calendar.calendar_id):
        raise GraphError(400, "BadRequest", "The token does not belong to this calendar view.")
    newest, refusal = account.sync_generation, account.sync_refusal
    if asked.generation != newest:
        message = f"The sync state generation is not found; generation={asked.generation};[highest={newest}][{newest}]."
        headers = {"Location": restart} if refusal.status == 410 else {}
        raise GraphError(refusal.status, refusal.code, message, headers)


def items(account: Account, asked: Round, view: View) -> list[tuple[Place, JsonObject]]:
    """What is left of a round, in order."""
    found: list[tuple[Place, JsonObject]] = []
    for event in sorted(account.events.values(), key=lambda event: event.created_change):
        if asked.since is None:
            entries = _present(event, asked, view) if _here(event, asked) else iter(())
        else:
            entries = _changed(event, asked, asked.since, view)
        places = (((event.created_change, number), entry) for number, entry in enumerate(entries))
        found += [(place, entry) for place, entry in places if place > asked.after]
    return found


def _here(event: Event, asked: Round) -> bool:
    return not event.deleted and event.calendar_id == asked.calendar


def _present(event: Event, asked: Round, view: View) -> Iterator[JsonObject]:
    """The event as the view holds it: itself, or its series and the occurrences in the window."""
    inside = list(recurrence.occurrences(event.timing, asked.start, asked.end))
    if event.timing.recurrence is not None and inside:
        yield delta_json(event, view, None)
    for occurrence in inside:
        yield delta_json(event, view, occurrence)


def _changed(event: Event, asked: Round, since: int, view: View) -> Iterator[JsonObject]:
    here = _here(event, asked)
    for departure in event.departures:
        if departure.change > since and departure.calendar_id == asked.calendar and not (here and view.immutable_ids):
            yield removed_json(event.immutable_id if view.immutable_ids else departure.item_id)
    if event.latest_change <= since or event.calendar_id != asked.calendar:
        return
    present = list(_present(event, asked, view)) if here else []
    yield from present
    if not present:
        yield removed_json(view.event_id(event))
    before = {date for timing in _timings(event, since) for date in _dates(timing, asked)}
    now = _dates(event.timing, asked) if here else set()
    for date in sorted(before - now):
        yield removed_json(view.event_id(event, date))


def _timings(event: Event, since: int) -> list[Timing]:
    former = [former.timing for former in event.former_timings if former.until > since]
    return [*former, event.timing] if event.deleted else former


def _dates(timing: Timing, asked: Round) -> set[str]:
    return {entry.date for entry in recurrence.occurrences(timing, asked.start, asked.end) if entry.date is not None}
