"""How others see a connection: the events that say how it is, and the view of its user."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from contracts.api.calendar import ConnectionView
from contracts.messages.calendar_events import CalendarCoverageChanged, ConnectionChanged
from contracts.values.enums import CalendarProvider

if TYPE_CHECKING:
    from calendar_sync.connections.model import Connection


def change_of(connection: Connection, provider: CalendarProvider, now: datetime) -> ConnectionChanged:
    """The event that says how the connection is now."""
    return ConnectionChanged(
        tenant_uuid=connection.tenant_uuid,
        user_id=connection.user_id,
        provider=provider,
        status=connection.status,
        generation=connection.generation,
        at=now,
        error_code=connection.ended_because,
    )


def coverage_of(connection: Connection) -> CalendarCoverageChanged:
    """The event that says how much of the calendar is known."""
    return CalendarCoverageChanged(
        tenant_uuid=connection.tenant_uuid,
        user_id=connection.user_id,
        generation=connection.generation,
        known_from=connection.known_from,
        known_until=connection.known_until,
    )


def view_of(connection: Connection) -> ConnectionView:
    """The connection as its user sees it."""
    return ConnectionView(
        provider=connection.provider,
        status=connection.status,
        calendar_email=connection.calendar_email,
        connected_at=connection.connected_at,
        last_synced_at=connection.last_synced_at,
        first_time_modal_pref=connection.first_time_modal_pref,
        last_error_code=connection.last_error_code,
        last_error_reason=connection.last_error_reason,
    )
