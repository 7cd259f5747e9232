"""The OpenAPI description of the webhooks, in the words of the providers' documentation."""

from collections.abc import Sequence
from typing import Any

from chassis.http.openapi import Responses, error_responses, explain_errors
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

MAX_VALIDATION_TOKEN = 4096
"""Characters of a validation token that are echoed."""

_DESCRIPTION = """
Where Google Calendar and Microsoft Graph tell of changes. Only the providers call this; it is under the same address as
the API of the meetings, whose description is at [/openapi.json](/openapi.json).

A notification is proved by the secret of its channel. It says that something changed, never what: the change is read
from the calendar. Answers are 200 whatever happens behind them, so that providers do not send again.
"""
_TAGS = [{"name": "Webhooks", "description": "Notifications of the calendar providers."}]
_NO_BODY: Responses = {200: {"description": "Taken; there is no body"}}
_ECHO: Responses = {
    200: {
        "description": "Taken, with an empty body; or the validation token, echoed",
        "content": {"text/plain": {"schema": {"type": "string"}, "example": "Validation: Testing client application"}},
    }
}

GOOGLE_RESPONSES = _NO_BODY | error_responses(400, 403, 413, 429, 500)
GOOGLE_EXTRA: dict[str, Any] = {
    "parameters": [
        {
            "name": name,
            "in": "header",
            "required": required,
            "description": description,
            "schema": {"type": "string", "minLength": 1} if required else {"type": "string"},
            "example": example,
        }
        for name, required, description, example in (
            ("x-goog-channel-id", True, "the channel", "019A16FF372A70B5A9307B00CE85E4DA"),
            ("x-goog-channel-token", False, "the channel's secret", "oV1Fz0bT7mJYk2cQ"),
            ("x-goog-resource-state", False, "`sync` in the first message of a channel", "exists"),
        )
    ]
}

OUTLOOK_RESPONSES = _ECHO | error_responses(400, 413, 429, 500)
OUTLOOK_EXTRA: dict[str, Any] = {
    "parameters": [
        {
            "name": "validationToken",
            "in": "query",
            "required": False,
            "description": "to be echoed: the handshake of a new subscription, which has no body",
            "schema": {"type": "string", "maxLength": MAX_VALIDATION_TOKEN},
        }
    ],
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/GraphNotifications"}}},
    },
}
_SCHEMAS: dict[str, Any] = {
    "GraphNotification": {
        "type": "object",
        "title": "GraphNotification",
        "description": "A change, or a lifecycle event of a subscription. Other members are ignored.",
        "properties": {
            "clientState": {"type": "string", "description": "the channel's id, a dot, and its secret"},
            "lifecycleEvent": {
                "type": ["string", "null"],
                "description": "`reauthorizationRequired`, `subscriptionRemoved`, `missed`; absent for a change",
            },
        },
    },
    "GraphNotifications": {
        "type": "object",
        "title": "GraphNotifications",
        "description": "What Graph posts: notifications of several subscriptions may come together.",
        "properties": {"value": {"type": "array", "items": {"$ref": "#/components/schemas/GraphNotification"}}},
        "examples": [{"value": [{"clientState": "019A16FF372A70B5A9307B00CE85E4DA.oV1Fz0bT7mJYk2cQ"}]}],
    },
}


def operation_id(route: APIRoute) -> str:
    """The endpoint's name as clients call it."""
    return to_camel(route.name)


def description(app: FastAPI, routes: Sequence[APIRoute]) -> dict[str, Any]:
    """The description of these routes."""
    document = get_openapi(
        title=app.title, version=app.version, description=_DESCRIPTION, routes=routes, tags=_TAGS, servers=app.servers
    )
    document["components"]["schemas"] |= _SCHEMAS
    for path, operations in document["paths"].items():
        for operation in operations.values():
            explain_errors(path, operation["responses"], {})
    return document
