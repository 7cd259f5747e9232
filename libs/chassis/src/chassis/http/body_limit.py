"""How large a request's body may be."""

from contracts.api.errors import ApiError, ErrorCode
from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.http.errors import error_response


class BodyLimit:
    """ASGI middleware: refuses bodies over ``limit`` bytes, whether announced or not, before anything reads them."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > self._limit:
            await self._refuse(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise HTTPException(413)  # FastAPI takes any other exception here for a malformed body
            return message

        await self._app(scope, counted, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = error_response(scope["path"], ApiError(ErrorCode.BODY_TOO_LARGE), {"Connection": "close"})
        await answer(scope, receive, send)
