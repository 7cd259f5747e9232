"""HTTP responses of replies and command outcomes, and their descriptions in OpenAPI."""

from typing import Annotated, Any

import orjson
from chassis.http.openapi import RETRY_AFTER, Responses, error_responses
from contracts.messages.replies import Reply
from contracts.model import Contract
from contracts.values.ids import ForeignId
from fastapi import Path, Response
from pydantic import Field

from api_gateway.application.requests import CommandOutcome
from api_gateway.schemas.calendar import ProviderName

_ERROR_BODY = {"$ref": "#/components/schemas/ErrorBody"}

MeetingUuid = Annotated[ForeignId, Path(alias="meetingUuid", examples=["M019A16FF372A70B5A9307B00CE85E4DA"])]
ParticipantUuid = Annotated[ForeignId, Path(alias="participantUuid", examples=["MP019A16FF372A70B5A9307B00CE85E4DA"])]

Provider = Annotated[ProviderName, Path(examples=[ProviderName.GOOGLE])]


class Accepted(Contract):
    """The command was accepted, or may have been; its outcome is not known yet."""

    meeting_uuid: str
    status: str = Field(default="ACCEPTED", examples=["ACCEPTED"])


def reply_response(reply: Reply, status: int = 200) -> Response:
    """The response of a reply, with the meeting's version as its ETag.

    Raises:
        ApiError: the reply has an error.
    """
    if reply.error is not None:
        raise reply.error.refusal
    headers = {} if reply.version is None else {"ETag": f'"{reply.version}"'}
    if status == 204:
        return Response(status_code=status, headers=headers)
    return Response(orjson.dumps(reply.data), status, headers, media_type="application/json")


def command_response(sent: CommandOutcome, status: int = 200) -> Response:
    """The outcome of a command, or 202 when it is not known within the deadline."""
    if sent.reply is not None:
        return reply_response(sent.reply, status)
    return Response(
        Accepted(meeting_uuid=sent.meeting_uuid).model_dump_json(),
        202,
        {"Location": f"/api/v1/meetings/{sent.meeting_uuid}"},
        media_type="application/json",
    )


_EVERYWHERE = frozenset({400, 403, 413, 415, 429, 500, 503})
_ETAG = {
    "description": "the meeting's version, to be sent as `If-Match`",
    "required": True,
    "schema": {"type": "string"},
    "example": '"3"',
}


def errors(*statuses: int, public: bool = False) -> Responses:
    """The documented error answers of an operation: those every operation has, and these."""
    return error_responses(*_EVERYWHERE, *statuses, *(() if public else (401,)))


def versioned(status: int = 200) -> Responses:
    """The documented answer that carries the meeting's version as its ETag."""
    return {status: {"headers": {"ETag": _ETAG}}}


def documented_page(description: str) -> dict[str, Any]:
    """The documented answer that is a page for people."""
    language = {"description": "of the page", "required": True, "schema": {"type": "string"}, "example": "es"}
    return {
        "description": description,
        "headers": {"Content-Language": language},
        "content": {"text/html": {"schema": {"type": "string"}}},
    }


def shown_later(description: str) -> dict[str, Any]:
    """The documented answer that is a page, and says when to try again."""
    page = documented_page(description)
    return page | {"headers": page["headers"] | RETRY_AFTER["headers"]}


def documented_page_or_error(description: str) -> dict[str, Any]:
    """The documented answer that is a page, or the error body when the request never reached who makes pages."""
    content = {"text/html": {"schema": {"type": "string"}}, "application/json": {"schema": _ERROR_BODY}}
    return {"description": description, "content": content}


def accepted(model: type[Contract], location: str) -> Responses:
    """The documented answer to a command whose outcome is not known yet; ``location`` shows where to poll."""
    where = {
        "description": "where to see what became of it",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
        "example": location,
    }
    return {
        202: {
            "model": model,
            "description": "Accepted, or sent without an acknowledgement in time: poll `Location` (404 if it did not "
            "happen), or repeat with the same Idempotency-Key, which never does it twice",
            "headers": {"Location": where},
        }
    }


_ACCEPTED = accepted(Accepted, "/api/v1/meetings/M019A16FF372A70B5A9307B00CE85E4DA")


def decided(*refusals: int, status: int = 200, public: bool = False) -> Responses:
    """The documented answers to a command about a meeting: its outcome, accepted, and these refusals."""
    return errors(409, *refusals, public=public) | _ACCEPTED | versioned(status)
