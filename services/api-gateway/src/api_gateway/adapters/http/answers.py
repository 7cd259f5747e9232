"""From outcomes to HTTP answers."""

from typing import Annotated, Any

import orjson
from contracts.api.errors import ErrorBody
from contracts.messages.replies import Reply
from contracts.model import Contract
from contracts.values.ids import ForeignId
from fastapi import Path, Response
from pydantic import Field

from api_gateway.application.wishes import Sent

MeetingUuid = Annotated[ForeignId, Path(alias="meetingUuid", examples=["M019A16FF372A70B5A9307B00CE85E4DA"])]
ParticipantUuid = Annotated[ForeignId, Path(alias="participantUuid", examples=["MP019A16FF372A70B5A9307B00CE85E4DA"])]


class Accepted(Contract):
    """The command was accepted, or may have been; its outcome is not known yet."""

    meeting_uuid: str
    status: str = Field(default="ACCEPTED", examples=["ACCEPTED"])


def answer(reply: Reply, status: int = 200) -> Response:
    """What a reply says, as an answer with the meeting's version as its ETag.

    Raises:
        ApiError: the reply tells of one.
    """
    if reply.error is not None:
        raise reply.error.refusal
    headers = {} if reply.version is None else {"ETag": f'"{reply.version}"'}
    if status == 204:
        return Response(status_code=status, headers=headers)
    return Response(orjson.dumps(reply.data), status, headers, media_type="application/json")


def outcome(sent: Sent, status: int = 200) -> Response:
    """The outcome of a command, or 202 when it is not known within the deadline."""
    if sent.reply is not None:
        return answer(sent.reply, status)
    return Response(
        Accepted(meeting_uuid=sent.meeting_uuid).model_dump_json(),
        202,
        {"Location": f"/api/v1/meetings/{sent.meeting_uuid}"},
        media_type="application/json",
    )


RETRY_LATER: dict[str, Any] = {"headers": {"Retry-After": {"description": "in seconds", "schema": {"type": "integer"}}}}


def errors(*statuses: int, public: bool = False) -> dict[int | str, dict[str, Any]]:
    """The documented error answers of an operation: those every operation has, and these."""
    always = {400, 403, 413, 415, 429, 503} if public else {400, 401, 403, 413, 415, 429, 503}
    return {
        status: {"model": ErrorBody} | (RETRY_LATER if status in (429, 503) else {})
        for status in sorted({*always, *statuses})
    }


def shown(description: str) -> dict[str, Any]:
    """The documented answer that is a page for people."""
    return {"description": description, "content": {"text/html": {"schema": {"type": "string"}}}}


def shown_or_told(description: str) -> dict[str, Any]:
    """The documented answer that is a page, or the error body when the request never reached who makes pages."""
    return {"model": ErrorBody} | shown(description)


ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": Accepted,
        "description": "Accepted, or sent without an acknowledgement in time: poll `Location` (404 if it did not "
        "happen), or repeat with the same Idempotency-Key, which never does it twice",
    }
}
