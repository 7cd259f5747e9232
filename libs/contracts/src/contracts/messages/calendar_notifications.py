"""Authenticated notifications: a calendar changed. Neither provider includes the change itself."""

from contracts.model import Contract
from contracts.transport.registry import message
from contracts.transport.topics import CALENDAR_NOTIFICATIONS
from contracts.values.enums import CalendarProvider, NotificationKind
from contracts.values.personal import PersonId


@message("calendar.notification.received.v1", CALENDAR_NOTIFICATIONS)
class CalendarNotificationReceived(Contract):
    """An authenticated notification: a connected calendar changed."""

    channel_id: str
    connection_id: PersonId
    provider: CalendarProvider
    kind: NotificationKind = NotificationKind.CHANGED
