"""The availability endpoint."""

from contracts.api.availability import AvailabilityView
from fastapi import APIRouter

from api_gateway.adapters.http.answers import errors
from api_gateway.adapters.http.backend import Backend
from api_gateway.adapters.http.protection import CurrentCaller, ReadRoute
from api_gateway.domain.availability import AvailabilityBody


def availability_routes(backend: Backend) -> APIRouter:
    """See who has time."""
    router = APIRouter(prefix="/api/v1/availability", tags=["Availability"], route_class=ReadRoute)

    @router.post("/check", responses=errors())
    async def check_availability(caller: CurrentCaller, body: AvailabilityBody) -> AvailabilityView:
        """Who of these staff members is free in a window of time. Nothing about the meetings in it is told."""
        return await backend.availability.check(caller, body)

    return router
