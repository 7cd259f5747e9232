"""Several requests in one (https://developers.google.com/workspace/calendar/api/guides/batch)."""

import secrets
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus

import httpx
from fastapi import APIRouter, FastAPI, Request, Response

from simulators.common.plain import PLAIN
from simulators.google.calendar.errors import ApiError, invalid

MAX_PARTS = 50
_HEADERS = ("content-type", "if-match", "if-none-match", "authorization", "accept")
_LINE_END = "\r\n"


def router(app: FastAPI) -> APIRouter:
    """``/batch/calendar/v3``: each part goes to ``app`` by itself, and the answers come in the same order."""
    routes = APIRouter()

    @routes.post("/batch/calendar/v3")
    async def batch(request: Request) -> Response:
        try:
            parts = _parts(request.headers.get("content-type", ""), await request.body())
        except ApiError as error:
            return Response(str(error), error.status)
        outer = request.headers.get("authorization", "")
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=str(request.base_url), **PLAIN) as client:
            answers = [await _answered(client, part, outer) for part in parts]
        boundary = f"batch_{secrets.token_hex(12)}"
        body = "".join(f"--{boundary}{_LINE_END}{answer}{_LINE_END}" for answer in answers) + f"--{boundary}--"
        return Response(body, media_type=f"multipart/mixed; boundary={boundary}")

    return routes


def _parts(content_type: str, body: bytes) -> list[Message]:
    """Raises ApiError 400 for what is no batch, or too many parts."""
    message = BytesParser().parsebytes(f"Content-Type: {content_type}{_LINE_END * 2}".encode() + body)
    if not message.is_multipart():
        raise invalid("Failed to parse batch request, error: not multipart.", reason="badRequest")
    parts = [part for part in message.get_payload() if isinstance(part, Message)]
    if not 0 < len(parts) <= MAX_PARTS:
        raise invalid(f"The batch request must have 1 to {MAX_PARTS} calls.", reason="badRequest")
    return parts


async def _answered(client: httpx.AsyncClient, part: Message, authorization: str) -> str:
    """One part's answer as a part."""
    payload = part.get_payload(decode=True)
    text = payload.decode(errors="replace") if isinstance(payload, bytes) else ""
    head, _, body = text.replace(_LINE_END, "\n").partition("\n\n")
    request_line, *lines = head.split("\n")
    verb, path, *_ = [*request_line.split(" "), "", ""]
    given = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    headers = {"authorization": authorization} | {name: given[name] for name in _HEADERS if name in given}
    answer = await client.request(verb, path, headers=headers, content=body.strip().encode())
    shown = [f"{name}: {value}" for name, value in answer.headers.items() if name in ("content-type", "etag")]
    status = f"HTTP/1.1 {answer.status_code} {HTTPStatus(answer.status_code).phrase}"
    content_id = str(part.get("Content-ID", "")).strip("<>")
    outside = f"Content-Type: application/http{_LINE_END}Content-ID: <response-{content_id}>"
    return _LINE_END.join([outside, "", status, *shown, "", answer.text])
