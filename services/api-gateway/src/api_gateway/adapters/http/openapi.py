"""The OpenAPI description: what FastAPI derives from the endpoints, plus what all of them have in common."""

from collections.abc import Iterator
from typing import Any

from chassis.http.openapi import explain_errors
from contracts.api.webhooks import WEBHOOKS_DESCRIPTION
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic.alias_generators import to_camel

from api_gateway.adapters.http.authentication import AuthenticatedRoute
from api_gateway.adapters.http.examples import PATH_EXAMPLES, examples
from api_gateway.adapters.http.public import PageRoute
from api_gateway.domain.caller import MAX_HEADER

DESCRIPTION = f"""
Meetings between advisers, colleagues, clients and outside guests.

**Who calls.** Every operation but the public ones takes a bearer token and the headers that say who the caller is. They
are the security schemes of this description: set them once, for all requests of a client.

**Errors.** Every error answer carries the same body, whose `errorCode` clients switch on.

**Times** of meetings are local date-times in the IANA `timezone` beside them; other times are UTC.

**Commands** (what changes something) take an `Idempotency-Key`: the same key and body again gives the first answer
again. Where the outcome is not known in time the answer is 202: repeat with the same key, or poll `Location`. Answers
about a meeting carry its version as `ETag`; send it as `If-Match` to change only what you have seen.

[Fields and operators of filters](/docs/filters) · The providers' webhooks have
[their own description]({WEBHOOKS_DESCRIPTION}), under the same address.
"""
TAGS: list[dict[str, Any]] = [
    {"name": "Meetings", "description": "Create, find, read, change, answer, cancel and hide meetings."},
    {"name": "RSVP by link", "description": "What the links in guests' mails lead to. Public: the link is the proof."},
    {
        "name": "Availability",
        "description": "Which staff members are free, by their meetings here and their connected calendars.",
    },
    {"name": "Calendar connection", "description": "Connect a Google or Outlook calendar, read it, disconnect it."},
]

# The values are the demo user's whose token the local run prints: who fills them in sends a true request.
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "the access token of the platform's login",
}
_IDENTITY: tuple[tuple[str, str, str], ...] = (
    ("tenant", "x-tenant-uuid", "the tenant, like `T019A16FF372A70B5A9307B00CE85E4DA`"),
    ("userId", "x-user-id", "the current user's id, like `TS019C06688AA57248B9EA5325DBDFC48E`"),
    ("userEmail", "x-user-email", "the current user's e-mail, like `valentina.rojas@andes.example.com`"),
    ("userType", "x-user-type", "`TENANT_STAFF`, `PARTNER_STAFF` or `CLIENT`"),
)
_SECURITY_SCHEMES = {"bearer": _BEARER} | {
    name: {"type": "apiKey", "in": "header", "name": header, "description": description}
    for name, header, description in _IDENTITY
}
_SECURITY: list[dict[str, list[str]]] = [{name: [] for name in _SECURITY_SCHEMES}]
_CALLER_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string", "maxLength": MAX_HEADER, "pattern": "^[ -~]*$"},
    }
    for name, description in (("x-tenant-code", "tenant code"), ("x-partner-uuid", "partner context of partner staff"))
]
_PAGE_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "Accept-Language",
        "in": "header",
        "required": False,
        "description": "the language of the page, English or Spanish, where the guest's own is not known",
        "schema": {"type": "string"},
        "example": "es-CL, en;q=0.5",
    }
]


def operation_id(route: APIRoute) -> str:
    """The endpoint's name as clients call it: stable while paths change, and short."""
    return to_camel(route.name)


def describe(app: FastAPI) -> None:
    """Give the application its description, made once, at first use."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _described(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title,
        version=app.version,
        description=DESCRIPTION,
        routes=app.routes,
        tags=TAGS,
        servers=app.servers,
        external_docs=app.openapi_external_docs,
    )
    components = schema.setdefault("components", {})
    components["securitySchemes"] = _SECURITY_SCHEMES
    for unused in ("HTTPValidationError", "ValidationError"):  # this API never answers 422
        components.get("schemas", {}).pop(unused, None)
    shown = examples()
    for name, model in components.get("schemas", {}).items():
        if name in shown:
            model["examples"] = [shown[name]]
    for_callers, pages = set(_operations_of(app, AuthenticatedRoute)), set(_operations_of(app, PageRoute))
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            operation["responses"].pop("422", None)
            explain_errors(path, operation["responses"], PATH_EXAMPLES)
            if (path, method) in for_callers:
                operation["security"] = _SECURITY
                operation.setdefault("parameters", []).extend(_CALLER_PARAMETERS)
            if (path, method) in pages:
                operation.setdefault("parameters", []).extend(_PAGE_PARAMETERS)
    return schema


def _operations_of(app: FastAPI, kind: type[APIRoute]) -> Iterator[tuple[str | None, str]]:
    """Path and method of every operation whose route is of a kind."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, kind):
            yield from ((route.path_format, method.lower()) for method in route.methods or ())
