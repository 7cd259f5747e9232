"""What the endpoints call. Its parts exist while the application runs; routes are declared before that."""

from collections.abc import Mapping

from chassis.http.internal_queries import QueryClient
from chassis.http.rate_limit import RateLimiter

from api_gateway.adapters.http.protection import Gatekeeper, ReadLimits
from api_gateway.application.availability import AvailabilityChecks
from api_gateway.application.calendar import CalendarConnections
from api_gateway.application.guests import Guests
from api_gateway.application.meetings import MeetingCommands


class Backend:
    """The running parts of the gateway, set at start-up."""

    gatekeeper: Gatekeeper
    meetings: MeetingCommands
    availability: AvailabilityChecks
    calendar: CalendarConnections
    core: QueryClient
    guests: Guests
    users: RateLimiter
    """What one user may ask."""
    read_limits: Mapping[str, ReadLimits]
    """By the path of the route, so that nothing waits for another kind of reading."""
    addresses: RateLimiter
    """What one client address may ask of the endpoints that need a login."""
    strangers: RateLimiter
    """What one client address may ask of the endpoints that need no login."""
