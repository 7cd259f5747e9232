"""The pages that explain the API: the reference of its operations, and that of its filter language."""

from importlib.resources import files
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from markupsafe import Markup, escape

from api_gateway.schemas import filter_reference

DOCS_PATH, FILTERS_PATH, DESCRIPTION_PATH = "/docs", "/docs/filters", "/openapi.json"
SWAGGER_UI_PATH = "/static-offline-docs"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def reference_routes(title: str) -> APIRouter:
    """The pages. ``title`` is that of the API."""
    router = APIRouter(include_in_schema=False)
    docs = _rendered("docs.html", title=title, static=SWAGGER_UI_PATH, description=DESCRIPTION_PATH)
    filters = _filter_page()

    @router.get(DOCS_PATH)
    async def operation_reference() -> HTMLResponse:
        return HTMLResponse(docs)

    @router.get(FILTERS_PATH)
    async def filter_reference_page() -> HTMLResponse:
        return HTMLResponse(filters, headers={"Content-Security-Policy": _POLICY})

    return router


def _filter_page() -> str:
    return _rendered(
        "filters.html",
        rules=filter_reference.RULES,
        example=filter_reference.EXAMPLE,
        tables=[
            ("Fields", filter_reference.FIELD_HEAD, filter_reference.field_rows()),
            ("Kinds", filter_reference.KIND_HEAD, filter_reference.kind_rows()),
            ("Operators", filter_reference.OPERATOR_HEAD, filter_reference.operator_rows()),
        ],
    )


def _rendered(template: str, **values: Any) -> str:
    templates = Environment(autoescape=True)
    templates.filters["code"] = _with_code
    source = files("api_gateway.adapters.http").joinpath("templates", template).read_text(encoding="utf-8")
    return templates.from_string(source).render(values)


def _with_code(text: str) -> Markup:
    """Text whose parts in backticks are code."""
    parts = text.split("`")
    return Markup("").join(  # every part is escaped
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part) for index, part in enumerate(parts)
    )
