"""What the endpoints call. Its parts exist while the application runs; routes are declared before that."""

from chassis.queries import QueryClient

from api_gateway.adapters.http.protection import Gatekeeper
from api_gateway.application.availability import AvailabilityChecks
from api_gateway.application.calendar import CalendarConnections
from api_gateway.application.guests import Guests
from api_gateway.application.meetings import MeetingCommands
from api_gateway.domain.throttle import Throttle


class Backend:
    """The running parts of the gateway, set at start-up."""

    gatekeeper: Gatekeeper
    meetings: MeetingCommands
    availability: AvailabilityChecks
    calendar: CalendarConnections
    core: QueryClient
    guests: Guests
    strangers: Throttle
    """What one client address may ask of the endpoints that need no login."""
