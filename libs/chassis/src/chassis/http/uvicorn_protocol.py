"""HTTP/1.1 as uvicorn speaks it, but also what is no HTTP, and so reaches no application, gets the standard error body.

Source: https://github.com/Kludex/uvicorn, `uvicorn/protocols/http/httptools_impl.py`.
"""

from contracts.api.errors import ApiError, ErrorCode
from contracts.values.ids import uuid7_hex
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from chassis.http.app import CORRELATION_HEADER
from chassis.http.errors import error_response
from chassis.http.security_headers import HEADERS


class PlatformProtocol(HttpToolsProtocol):
    """A connection."""

    def send_400_response(self, msg: str) -> None:
        """Tell of a request that cannot be parsed, and close. Its path is not known."""
        told = {**HEADERS, CORRELATION_HEADER: uuid7_hex(), "connection": "close"}
        answer = error_response("", ApiError(ErrorCode.MALFORMED_REQUEST, details=[msg]), told)
        lines = (name + b": " + value + b"\r\n" for name, value in answer.raw_headers)
        self.transport.write(b"".join((STATUS_LINE[400], *lines, b"\r\n", bytes(answer.body))))
        self.transport.close()
