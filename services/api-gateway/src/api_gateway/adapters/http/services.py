"""The application services that endpoints call; they exist while the application runs, routes before that."""

from collections.abc import Mapping

from chassis.http.internal_queries import QueryClient
from chassis.http.rate_limit import RateLimiter

from api_gateway.adapters.http.authentication import Authenticator, ReadLimits
from api_gateway.application.availability import AvailabilityChecks
from api_gateway.application.calendar import CalendarConnections
from api_gateway.application.guests import Guests
from api_gateway.application.meetings import MeetingCommands


class AppServices:
    """The gateway's application services and rate limiters, set at start-up."""

    authenticator: Authenticator
    meetings: MeetingCommands
    availability: AvailabilityChecks
    calendar: CalendarConnections
    core: QueryClient
    guests: Guests
    user_limiter: RateLimiter
    """Requests of one user."""
    read_limits: Mapping[str, ReadLimits]
    """By the path of the route: each kind of read has a limit of its own."""
    address_limiter: RateLimiter
    """Requests of one client address to endpoints that need a login."""
    anonymous_limiter: RateLimiter
    """Requests of one client address to endpoints that need no login."""
