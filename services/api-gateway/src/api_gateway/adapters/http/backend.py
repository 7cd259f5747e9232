"""What the endpoints call. Its parts exist while the application runs; routes are declared before that."""

from chassis.queries import QueryClient

from api_gateway.adapters.http.protection import Gatekeeper
from api_gateway.application.availability import AvailabilityChecks
from api_gateway.application.meetings import MeetingCommands


class Backend:
    """The running parts of the gateway, set at start-up."""

    gatekeeper: Gatekeeper
    meetings: MeetingCommands
    availability: AvailabilityChecks
    core: QueryClient
