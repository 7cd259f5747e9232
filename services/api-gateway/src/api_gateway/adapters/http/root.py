"""The page at the root, which leads a person with a browser to the documentation."""

from contracts.api.errors import ApiError, ErrorCode
from fastapi import APIRouter, Request, Response

from api_gateway.adapters.http.public import PublicRoute, language_asked
from api_gateway.adapters.http.reference import FILTERS_PATH
from api_gateway.adapters.pages.rendering import page


def root_routes(docs_site: str) -> APIRouter:
    """``/``, for browsers alone: to programs it is a path like any other that does not exist.

    ``docs_site`` is the URL of the documentation site, empty where there is none.
    """
    router = APIRouter(route_class=PublicRoute, include_in_schema=False)

    @router.get("/")
    async def root(request: Request) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            raise ApiError(ErrorCode.NOT_FOUND)
        headers = {"Vary": "Accept, Accept-Language"}
        return page("root.html", language_asked(request), headers=headers, filters=FILTERS_PATH, site=docs_site)

    return router
