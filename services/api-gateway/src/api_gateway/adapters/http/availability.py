"""The availability endpoint."""

from contracts.api.availability import AvailabilityView
from fastapi import APIRouter

from api_gateway.adapters.http.authentication import CurrentCaller, ReadRoute
from api_gateway.adapters.http.responses import errors
from api_gateway.adapters.http.services import AppServices
from api_gateway.schemas.availability import AvailabilityBody


def availability_routes(services: AppServices) -> APIRouter:
    """See who has time."""
    router = APIRouter(prefix="/api/v1/availability", tags=["Availability"], route_class=ReadRoute)

    @router.post("/check", responses=errors())
    async def check_availability(caller: CurrentCaller, body: AvailabilityBody) -> AvailabilityView:
        """Who of these staff members is free in a window of time. It says nothing about the meetings in it."""
        return await services.availability.check(caller, body)

    return router
