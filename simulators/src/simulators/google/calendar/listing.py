"""events.list and events.instances: pages, and synchronisation by token (calendar/api/guides/sync)."""

from simulators.google.calendar.access import RANK, role
from simulators.google.calendar.cursors import (
    NO_SYNC_AFTER,
    PageToken,
    SyncToken,
    question,
    read_page_token,
    read_sync_token,
    same_throughout,
    write,
)
from simulators.google.calendar.query import Found, Query, check, time_bounds
from simulators.google.calendar.resources import Viewer, etag, in_list
from simulators.google.calendar.times import instant, rfc3339, text_ms, zone
from simulators.google.state import Account, Calendar, Event, Json
from simulators.google.world import World

MAX_PAGE_SIZE = 2500
USUAL_PAGE = 250


def list_events(world: World, account: Account, calendar: Calendar, params: Json) -> Json:
    """One page of events. Raises ApiError 400 for parameters that do not go together, 410 for an expired token."""
    check(world, params)
    low, high = time_bounds(params)
    since = None
    if "syncToken" in params:
        token = read_sync_token(world, calendar, params)
        low, high = (rfc3339(bound) if bound else None for bound in (token.time_min, token.time_max))
        since = token.revision
    query = Query(world, calendar, params, since, low, high)
    answer, first_revision = _page(query, query.run(), account, params)
    if "nextPageToken" not in answer and not any(name in params for name in NO_SYNC_AFTER):
        answer["nextSyncToken"] = write(
            SyncToken(
                calendar=calendar.id,
                revision=first_revision,
                epoch=calendar.sync_epoch,
                issued=world.clock.now().timestamp(),
                same=same_throughout(params),
                time_min=low.isoformat() if low else None,
                time_max=high.isoformat() if high else None,
            )
        )
    return answer


def list_instances(world: World, account: Account, calendar: Calendar, series: Event, params: Json) -> Json:
    """One page of a series' instances; deleted ones with showDeleted only."""
    low, high = time_bounds(params)
    expanding = params | {"singleEvents": True, "orderBy": "originalStartTime"}
    query = Query(world, calendar, expanding, None, low, high)
    found = [item for item in query.run() if item.resource.get("recurringEventId") == series.id]
    if "originalStart" in params:
        wanted = rfc3339(params["originalStart"], location="originalStart")
        found = [item for item in found if instant(item.resource["originalStartTime"], calendar.time_zone) == wanted]
    answer, _ = _page(query, found, account, params)
    return answer


def viewer(account: Account, calendar: Calendar, params: Json) -> Viewer:
    """Who looks, from the request's parameters. Raises ApiError 400 for a zone that does not exist."""
    shown_in = zone(params["timeZone"], "timeZone").key if "timeZone" in params else calendar.time_zone
    private = RANK[role(calendar, account.email) or "freeBusyReader"] >= RANK["writer"]
    return Viewer(shown_in, params.get("maxAttendees"), private=private)


def _page(query: Query, found: list[Found], account: Account, params: Json) -> tuple[Json, int]:
    """The page asked for, and the revision at which its list began: what changes meanwhile comes with the next sync."""
    world, calendar = query.world, query.calendar
    asked = question(calendar, params)
    first_revision, start = world.state.revision, 0
    if "pageToken" in params:
        token = read_page_token(params["pageToken"], asked)
        first_revision = token.revision
        start = next((at for at, item in enumerate(found) if query.key(item) > token.key), len(found))
    size = min(params.get("maxResults", USUAL_PAGE), MAX_PAGE_SIZE)
    if world.faults.draw("empty_page", account=account.email, operation="events.list"):
        size = 0
    end = start + len(found[start : start + size])
    looks = viewer(account, calendar, params)
    answer: Json = {
        "kind": "calendar#events",
        "etag": etag(world.state.revision),
        "summary": calendar.summary,
        "updated": text_ms(world.clock.now()),
        "timeZone": looks.zone,
        "accessRole": role(calendar, account.email),
        "defaultReminders": [{"method": "popup", "minutes": 10}] if calendar.owner == account.email else [],
        "items": [in_list(item.resource, item.revision, calendar, looks) for item in found[start:end]],
    }
    if calendar.description:
        answer["description"] = calendar.description
    if end < len(found) or size == 0:
        key = query.key(found[end - 1]) if end else []
        answer["nextPageToken"] = write(PageToken(question=asked, revision=first_revision, key=key))
    return answer, first_revision
