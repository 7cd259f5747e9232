"""Calendar views: the events and occurrences that overlap a window."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from fastapi import Request

from simulators.microsoft.calendar import recurrence
from simulators.microsoft.calendar.exchange import Exchange
from simulators.microsoft.graph.errors import GraphError
from simulators.microsoft.state.records import Account, Calendar, Event

_WIDEST = timedelta(days=1825)


def window(request: Request) -> tuple[datetime, datetime]:
    """``startDateTime`` and ``endDateTime`` as instants; without an offset they are UTC, whatever Prefer says.

    Source: https://learn.microsoft.com/graph/api/calendar-list-calendarview, "Query parameters".
    Raises GraphError (400) when one is missing or unreadable, or when they span more than 1,825 days.
    """
    options = {name.lower(): value for name, value in request.query_params.items()}
    start, end = options.get("startdatetime"), options.get("enddatetime")
    if not start or not end:
        raise GraphError(
            400,
            "ErrorInvalidParameter",
            "This request requires a time window specified by the query string parameters StartDateTime and "
            "EndDateTime.",
        )
    since, until = _instant("StartDateTime", start), _instant("EndDateTime", end)
    if until < since:
        raise GraphError(400, "ErrorInvalidParameter", "The EndDateTime value must not be earlier than StartDateTime.")
    if until - since > _WIDEST:
        raise GraphError(
            400,
            "ErrorInvalidParameter",
            "Your request can't be completed. The range between the start and end dates is greater than the allowed "
            "range. Maximum number of days: 1825",
        )
    return since, until


def view(
    exchange: Exchange, account: Account, calendar: Calendar, since: datetime, until: datetime
) -> Iterator[tuple[Event, recurrence.Occurrence]]:
    """Single events and occurrences of series in the window, by start."""
    found = [
        (event, occurrence)
        for event in exchange.events(account, calendar)
        for occurrence in recurrence.occurrences(event.timing, since, until)
    ]
    yield from sorted(found, key=lambda pair: pair[1].start)


def _instant(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        message = f"The value '{text}' of parameter '{name}' is invalid."
        raise GraphError(400, "ErrorInvalidParameter", message) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
