"""Commands about a user's calendar connection: api-gateway writes them, calendar-sync executes them.

Authorization codes, tokens and the OAuth state are in no record: an authorization is started and completed over the
internal HTTP API."""

from contracts.messages.command import Actor
from contracts.model import Contract
from contracts.transport.registry import message
from contracts.transport.topics import CALENDAR_COMMANDS
from contracts.values.enums import FirstTimeModalPreference


class CalendarCommand(Contract):
    """A command about the actor's own connection.

    ``command_id`` is the same each time the same thing is asked for (from the ``Idempotency-Key``), ``fingerprint``
    tells a repeat from another request under the same key.
    """

    command_id: str
    fingerprint: str
    actor: Actor


@message("calendar.connection.disconnect.v1", CALENDAR_COMMANDS)
class DisconnectCalendar(CalendarCommand):
    """Disconnect; answered with a ``ConnectionView``."""


@message("calendar.connection.sync.v1", CALENDAR_COMMANDS)
class SyncCalendar(CalendarCommand):
    """Pull what changed in the calendar; answered with a ``CalendarSyncResult`` when that is done."""


@message("calendar.connection.set-modal-preference.v1", CALENDAR_COMMANDS)
class SetModalPreference(CalendarCommand):
    """Set the first-time modal preference; answered with a ``ConnectionView``."""

    action: FirstTimeModalPreference
