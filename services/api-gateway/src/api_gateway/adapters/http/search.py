"""The search endpoint."""

from contracts.api.meetings import MeetingPage
from fastapi import APIRouter, Response

from api_gateway.adapters.http.authentication import CurrentCaller, ReadRoute
from api_gateway.adapters.http.reference import FILTERS_PATH
from api_gateway.adapters.http.responses import errors, reply_response
from api_gateway.adapters.http.services import AppServices
from api_gateway.schemas.search import SearchBody


def search_routes(services: AppServices) -> APIRouter:
    """Find meetings."""
    router = APIRouter(prefix="/api/v2/meetings", tags=["Meetings"], route_class=ReadRoute)

    @router.post(
        "",
        response_model=MeetingPage,
        responses=errors(),
        description=f"The meetings on the caller's calendar that fulfil all filters, in summary form. "
        f"Fields, operators and rules: [the filter reference]({FILTERS_PATH}).",
    )
    async def search_meetings(caller: CurrentCaller, body: SearchBody) -> Response:
        return reply_response(await services.core.ask(body.query(caller.actor())))

    return router
