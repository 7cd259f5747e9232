"""The search endpoint, and the reference page of its filter language."""

from importlib.resources import files

from contracts.api.meetings import MeetingPage
from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from markupsafe import Markup, escape

from api_gateway.adapters.http.authentication import CurrentCaller, ReadRoute
from api_gateway.adapters.http.responses import errors, reply_response
from api_gateway.adapters.http.services import AppServices
from api_gateway.schemas import filter_reference
from api_gateway.schemas.search import SearchBody

REFERENCE_PATH = "/docs/filters"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def search_routes(services: AppServices) -> APIRouter:
    """Find meetings."""
    router = APIRouter(prefix="/api/v2/meetings", tags=["Meetings"], route_class=ReadRoute)

    @router.post(
        "",
        response_model=MeetingPage,
        responses=errors(),
        description=f"The meetings on the caller's calendar that fulfil all filters, in summary form. "
        f"Fields, operators and rules: [the filter reference]({REFERENCE_PATH}).",
    )
    async def search_meetings(caller: CurrentCaller, body: SearchBody) -> Response:
        return reply_response(await services.core.ask(body.query(caller.actor())))

    return router


def reference_routes() -> APIRouter:
    """The page that explains the filters."""
    router = APIRouter()
    page = _reference_page()

    @router.get(REFERENCE_PATH, include_in_schema=False)
    async def filter_reference_page() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})

    return router


def _reference_page() -> str:
    templates = Environment(autoescape=True)
    templates.filters["code"] = _with_code
    source = files("api_gateway.adapters.http").joinpath("templates/filters.html").read_text()
    return templates.from_string(source).render(
        rules=filter_reference.RULES,
        example=filter_reference.EXAMPLE,
        tables=[
            ("Fields", filter_reference.FIELD_HEAD, filter_reference.field_rows()),
            ("Kinds", filter_reference.KIND_HEAD, filter_reference.kind_rows()),
            ("Operators", filter_reference.OPERATOR_HEAD, filter_reference.operator_rows()),
        ],
    )


def _with_code(text: str) -> Markup:
    """Text whose parts in backticks are code."""
    parts = text.split("`")
    return Markup("").join(  # every part is escaped
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part) for index, part in enumerate(parts)
    )
