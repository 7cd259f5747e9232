"""The OpenAPI description: what FastAPI derives from the endpoints, plus the platform's headers in one place."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic.alias_generators import to_camel

from api_gateway.adapters.http.examples import error_example, error_meaning, examples
from api_gateway.adapters.http.protection import CallerRoute
from api_gateway.domain.caller import MAX_HEADER

DESCRIPTION = """
Meetings between advisers, colleagues, clients and outside guests.

Every operation but the public ones takes a bearer token and the platform's headers. Every error answer carries the same
body, whose `errorCode` clients switch on. Times of meetings are local date-times in the IANA `timezone` beside them.

[Fields and operators of filters](/docs/filters)
"""

# The examples are the demo user's whose token the local run prints: pages that fill them in send a true request.
_HEADERS: tuple[tuple[str, bool, str, str], ...] = (
    ("x-tenant-uuid", True, "tenant context", "T019A16FF372A70B5A9307B00CE85E4DA"),
    ("x-user-id", True, "the current user's id", "TS019C06688AA57248B9EA5325DBDFC48E"),
    ("x-user-email", True, "the current user's e-mail", "valentina.rojas@andes.example.com"),
    ("x-user-type", True, "`TENANT_STAFF`, `PARTNER_STAFF` or `CLIENT`", "TENANT_STAFF"),
    ("x-tenant-code", False, "tenant code", "ANDES"),
    ("x-partner-uuid", False, "partner context of partner staff", ""),
)


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
        servers=app.servers,
        external_docs=app.openapi_external_docs,
    )
    components = schema.setdefault("components", {})
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    for unused in ("HTTPValidationError", "ValidationError"):  # this API never answers 422
        components.get("schemas", {}).pop(unused, None)
    shown = examples()
    for name, model in components.get("schemas", {}).items():
        if name in shown:
            model["examples"] = [shown[name]]
    protected = set(_protected(app))
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            operation["responses"].pop("422", None)
            _explain_errors(path, operation["responses"])
            if (path, method) in protected:
                operation["security"] = [{"bearer": []}]
                operation.setdefault("parameters", []).extend(_header_parameters())
    return schema


def _protected(app: FastAPI) -> Iterator[tuple[str | None, str]]:
    """Path and method of every operation for authenticated callers."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, CallerRoute):
            yield from ((route.path_format, method.lower()) for method in route.methods or ())


def _explain_errors(path: str, responses: dict[str, Any]) -> None:
    """Say which error codes a status can mean, and show an answer."""
    for status, response in responses.items():
        answer = response.get("content", {}).get("application/json")
        if status >= "400" and answer:
            response["description"] = error_meaning(int(status))
            answer["example"] = error_example(int(status), path)


def _header_parameters() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "header",
            "required": required,
            "description": description,
            "schema": {"type": "string"}
            if required
            else {"type": "string", "maxLength": MAX_HEADER, "pattern": "^[ -~]*$"},
            **({"example": example} if example else {}),
        }
        for name, required, description, example in _HEADERS
    ]
