"""Page tokens and sync tokens: opaque to clients, self-contained here."""

import base64
import hashlib
import json
from datetime import timedelta

from pydantic import BaseModel, ValidationError

from simulators.google.calendar.errors import ApiError, invalid
from simulators.google.state import Calendar, Json
from simulators.google.world import World

# Google does not publish how long a sync token lives, only that it expires.
SYNC_TOKEN_LIFE = timedelta(days=28)
# calendar/api/v3/reference/events/list, parameter syncToken
FORBIDDEN_WITH_SYNC = (
    "iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "timeMin", "timeMax", "updatedMin",
)  # fmt: skip
# With these a list is no mirror of the calendar, so it ends without a sync token.
NO_SYNC_AFTER = tuple(name for name in FORBIDDEN_WITH_SYNC if name not in ("timeMin", "timeMax"))
SAME_THROUGHOUT = ("singleEvents", "eventTypes")


class SyncToken(BaseModel):
    """Where a synchronisation stands. Times are those of the first, full list, if it had any."""

    calendar: str
    revision: int
    epoch: int
    issued: float
    same: Json
    time_min: str | None = None
    time_max: str | None = None


class PageToken(BaseModel):
    """Where the next page starts: after ``key``; ``revision`` is that of the first page."""

    question: str
    revision: int
    key: list[str]


def question(calendar: Calendar, params: Json) -> str:
    """A digest of everything that must not change from page to page."""
    fixed = {name: value for name, value in params.items() if name not in ("pageToken", "maxResults", "fields")}
    return hashlib.sha256(json.dumps([calendar.id, fixed], sort_keys=True).encode()).hexdigest()[:16]


def write(token: BaseModel) -> str:
    """The token as clients see it."""
    text = token.model_dump_json().encode()
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()[:6] + text).decode().rstrip("=")


def read_page_token(text: str, asked: str) -> PageToken:
    """Raises ApiError 400 for a token of another list, or none at all."""
    try:
        token = PageToken.model_validate_json(_decoded(text))
    except (ValueError, ValidationError):
        raise invalid("Invalid page token value.", location="pageToken") from None
    if token.question != asked:
        raise invalid("Invalid page token value.", location="pageToken")
    return token


def read_sync_token(world: World, calendar: Calendar, params: Json) -> SyncToken:
    """Raises ApiError 400 for parameters that exclude ``syncToken`` or differ from the first list's, 410 if expired."""
    for name in FORBIDDEN_WITH_SYNC:
        if name in params:
            raise invalid(f"Sync token cannot be used with {name}.", location=name)
    if params.get("showDeleted") is False:
        raise invalid("Sync token cannot be used with showDeleted=false.", location="showDeleted")
    try:
        token = SyncToken.model_validate_json(_decoded(params["syncToken"]))
    except (ValueError, ValidationError):
        raise invalid("Invalid sync token value.", location="syncToken") from None
    if token.calendar != calendar.id:
        raise invalid("Invalid sync token value.", location="syncToken")
    if (
        token.epoch != calendar.sync_epoch
        or world.clock.now().timestamp() - token.issued > SYNC_TOKEN_LIFE.total_seconds()
    ):
        raise full_sync_required(bare=calendar.bare_gone)
    if token.same != same_throughout(params):
        # Undefined behaviour in the documents; refusing shows the mistake.
        raise invalid("Sync token cannot be used with parameters other than those of the initial list.")
    return token


def same_throughout(params: Json) -> Json:
    """The parameters that every list of one synchronisation must share."""
    return {
        name: sorted(params[name]) if isinstance(params.get(name), list) else params.get(name)
        for name in SAME_THROUGHOUT
    }


def full_sync_required(*, bare: bool) -> ApiError:
    """410: start again without a token. ``bare`` leaves out the reason, as some real answers do."""
    if bare:
        return ApiError(410, None, "Gone")
    message = "Sync token is no longer valid, a full sync is required."
    return ApiError(410, "fullSyncRequired", message, domain="calendar", location="syncToken")


def _decoded(text: str) -> bytes:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if hashlib.sha256(raw[6:]).digest()[:6] != raw[:6]:
        raise ValueError("not a token of this simulator")
    return raw[6:]
