"""What reading both providers' events has in common. What they give may be missing, null, huge or of a wrong type."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog
from contracts.values.enums import CalendarProvider, RsvpStatus, SyncFailureCode
from contracts.values.limits import MAX_NAME
from contracts.values.text import email_address, sanitize_line, web_link

from calendar_sync import metrics
from calendar_sync.providers.errors import (
    AlreadyExistsError,
    CallFailedError,
    NotFoundError,
    PreconditionFailedError,
    unavailable_failure,
)
from calendar_sync.providers.event_content import EventContent
from calendar_sync.providers.external_event import ChangesPage, EventChange, SyncTokenExpiredError

log = structlog.get_logger()


Json = dict[str, Any]


MAX_ATTENDEES = 500


_LONGEST_UID = 1024


_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError)


@contextmanager
def full_sync_on_expired_token(sync_token: str | None, page: str | None) -> Iterator[None]:
    """A refusal of a sync token or page counts as expired: a full sync needs neither.

    Documented are 410 and, of Graph, several 40x with codes of their own (delta-query-overview, "Synchronization
    reset"); both have been seen without any reason.
    """
    begun = sync_token is not None or page is not None
    try:
        yield
    except NotFoundError:
        if not begun:
            raise
    except (PreconditionFailedError, AlreadyExistsError):
        if not begun:
            raise malformed_response_error() from None
    except CallFailedError as error:
        if not begun or error.failure.code is not SyncFailureCode.INVALID_REQUEST:
            raise
        log.warning("a sync token is refused", reason=error.failure.reason)
    else:
        return
    raise SyncTokenExpiredError


def read_items(provider: CalendarProvider, answer: Json, read: Callable[[Json], EventChange | None]) -> ChangesPage:
    """The page with what ``read`` makes of each item; one that cannot be read is skipped, and counted.

    Raises:
        CallFailedError: the answer has no items.
    """
    page = ChangesPage()
    for item in items_of(answer):
        event_id = item.get("id") if isinstance(item, dict) else None
        try:
            if not isinstance(event_id, str) or not event_id:
                raise ValueError("an event without an id")
            found = read(item)
        except _UNREADABLE as error:
            metrics.EVENTS_UNREADABLE.labels(provider.value).inc()
            log.warning("an external event cannot be read", provider=provider.value, error=type(error).__name__)
            if isinstance(event_id, str) and event_id:
                page.unparsable_ids.append(event_id)
            continue
        if found is not None:
            page.found.append(found)
    return page


def with_continuation(page: ChangesPage, next_page: object, sync_token: object) -> ChangesPage:
    """The page with where to go on. Raises CallFailedError when the provider says neither way."""
    if isinstance(next_page, str) and next_page:
        return replace(page, next_page=next_page)
    if isinstance(sync_token, str) and sync_token:
        return replace(page, sync_token=sync_token)
    raise malformed_response_error()


def items_of(answer: Json) -> list[Any]:
    """Raises CallFailedError when there are none in the answer, not even an empty list."""
    items = answer.get("items", answer.get("value"))
    if not isinstance(items, list):
        raise malformed_response_error()
    return items


def malformed_response_error() -> CallFailedError:
    """The provider answered something else than it documents."""
    return CallFailedError(unavailable_failure("unreadable answer"))


def in_zone(content: EventContent, zone: str | None) -> EventContent:
    """The same, shown in this zone."""
    return content.model_copy(update={"when": content.when.model_copy(update={"zone": zone})})


def has_duration(content: EventContent) -> bool:
    """False for an event without length, such as a reminder."""
    return content.when.ends_at > content.when.starts_at


def email_or_none(value: object) -> str | None:
    """A mail address, or None for what is none: Exchange also gives directory names, Google ids of profiles."""
    try:
        return email_address(value) if isinstance(value, str) else None
    except ValueError:
        return None


def person_name(value: object) -> str | None:
    """What somebody is called."""
    return (sanitize_line(value, max_length=MAX_NAME) or None) if isinstance(value, str) else None


def ical_uid(value: object) -> str | None:
    """An iCalendar UID; None for one that is missing, or so long that it is none."""
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_UID else None


def rsvp_status(known: dict[str, RsvpStatus], value: object) -> RsvpStatus:
    """What somebody answered, in the provider's words; tentatively, or not yet, is UNKNOWN."""
    return known.get(value, RsvpStatus.UNKNOWN) if isinstance(value, str) else RsvpStatus.UNKNOWN


def recurrence_id(original_start: datetime) -> str:
    """Names an instance of a series by the UTC instant at which it was to begin, ``2026-06-15T10:30:00Z``."""
    return original_start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def first_web_link(*values: object) -> str | None:
    """The first of these that is a web address."""
    for value in values:
        try:
            return web_link(value.strip() if isinstance(value, str) else "")
        except ValueError:
            continue
    return None


def dicts_in(value: object) -> Iterable[Json]:
    """The objects in what ought to be a list of them."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def dict_at(event: Json, field: str) -> Json:
    """The object in this field, empty when there is none."""
    found = event.get(field)
    return found if isinstance(found, dict) else {}
