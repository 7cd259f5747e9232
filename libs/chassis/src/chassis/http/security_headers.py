"""Security headers of every response: of endpoints, the framework and error handlers."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "content-security-policy": "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
"""Of every answer that does not say otherwise itself.

Source: https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#security-headers
"""

STRICT_TRANSPORT = {"strict-transport-security": "max-age=31536000"}
"""A year, of this host alone. It means something over TLS only (RFC 6797 section 7.2)."""


class SecurityHeaders:
    """ASGI middleware: adds ``HEADERS``; over TLS, which may end at a trusted proxy, ``STRICT_TRANSPORT`` too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._plain = _raw(HEADERS)
        self._secure = _raw(HEADERS | STRICT_TRANSPORT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        ours = self._secure if scope["scheme"] == "https" else self._plain

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(header for header in ours if header[0] not in said)]
            await send(message)

        await self._app(scope, receive, send_secured)


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]
