"""What calendar-sync tells of users' external calendars, as it would tell it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.messages.calendar_events import (
    CalendarOwner,
    EventDetails,
    ExternalEventDeleted,
    ExternalEventUpserted,
    MirroredEventChanged,
    MirroredEventDeleted,
    meeting_uuid_of_external_event,
)
from contracts.values.enums import CalendarProvider, RsvpStatus, UserType

from tests.support.commands import MEETING, TENANT

OUTSIDE = meeting_uuid_of_external_event(TENANT, "event@example.org", "")
"""The meeting that the event is."""
_BEGINNING = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def owner(user_id: str = "TS-A", *, email: str | None = None) -> CalendarOwner:
    kind = UserType.PARTNER_STAFF if user_id.startswith("PS") else UserType.TENANT_STAFF
    address = email or f"{user_id.lower()}@example.com"
    return CalendarOwner(user_id=user_id, user_type=kind, name=f"Name of {user_id}", email=address)


def texts(**changes: Any) -> EventDetails:
    """A lunch in Santiago, changed as asked."""
    given: dict[str, Any] = {
        "title": "Lunch",
        "start_date_time": "2026-06-18T13:00:00",
        "end_date_time": "2026-06-18T14:00:00",
        "timezone": "America/Santiago",
        "location": "Plaza de Armas",
        "description": "With the fund desk.",
    }
    return EventDetails(**given | changes)


def seen(
    user_id: str = "TS-A", sequence: int = 1, *, email: str | None = None, **changes: Any
) -> ExternalEventUpserted:
    """The event in this user's calendar, organised by somebody elsewhere; other fields as asked."""
    event = {name: changes.pop(name) for name in list(changes) if name in EventDetails.model_fields}
    given: dict[str, Any] = {
        "tenant_uuid": TENANT,
        "meeting_uuid": OUTSIDE,
        "owner": owner(user_id, email=email),
        "sequence": sequence,
        "at": _BEGINNING + timedelta(seconds=sequence),
        "provider": CalendarProvider.GOOGLE,
        "event": texts(**event),
        "private": False,
        "busy": True,
        "answer": RsvpStatus.UNKNOWN,
        "organized_by_owner": False,
        "organizer_email": "desk@example.org",
        "organizer_name": "Fund Desk",
    }
    return ExternalEventUpserted(**given | changes)


def organised(user_id: str = "TS-A", sequence: int = 1, **changes: Any) -> ExternalEventUpserted:
    """The same, organised by this user."""
    own = {"organized_by_owner": True, "organizer_email": f"{user_id.lower()}@example.com", "organizer_name": None}
    return seen(user_id, sequence, **own | changes)


def gone(user_id: str = "TS-A", sequence: int = 2, *, tenant_uuid: str = TENANT) -> ExternalEventDeleted:
    at = _BEGINNING + timedelta(seconds=sequence)
    return ExternalEventDeleted(
        tenant_uuid=tenant_uuid, meeting_uuid=OUTSIDE, user_id=user_id, sequence=sequence, at=at
    )


def copy_changed(user_id: str = "TS-HOST", *, change_id: str = "1", **changes: Any) -> MirroredEventChanged:
    """What the host changed in their calendar's copy of our meeting."""
    given = {"change_id": change_id, "tenant_uuid": TENANT, "meeting_uuid": MEETING, "user_id": user_id}
    return MirroredEventChanged(**given | {"provider": CalendarProvider.GOOGLE, "at": _BEGINNING} | changes)


def copy_removed(user_id: str = "TS-HOST", *, change_id: str = "1", **changes: Any) -> MirroredEventDeleted:
    """The host deleted the copy."""
    given = {"change_id": change_id, "tenant_uuid": TENANT, "meeting_uuid": MEETING, "user_id": user_id}
    return MirroredEventDeleted(**given | {"provider": CalendarProvider.GOOGLE, "at": _BEGINNING} | changes)
