"""Calls of Google's Calendar API, with Google's own client library: what is asked is the caller's, the protocol is its.

The library blocks and its transport is not thread-safe: calls run in threads, each with a transport of its own
(https://googleapis.github.io/google-api-python-client/docs/thread_safety.html). It is loaded at the first call, because
it is large. The library's own retries stay off: they ignore Retry-After.
"""

import json
import threading
from functools import cached_property
from typing import Any

from calendar_sync.providers.errors import CallFailedError, error_for_status, unavailable_failure
from calendar_sync.providers.http import ThreadPool, retry_after

Json = dict[str, Any]


class GoogleClient:
    """Makes calls and says how they failed, in our words."""

    def __init__(self, *, api_url: str, timeout: float, threads: int) -> None:
        """``api_url`` without a slash at the end; ``timeout`` in seconds, for one call; ``threads``: calls at once."""
        self._api_url = api_url
        self._timeout = timeout
        self._threads = ThreadPool("google-calendar", threads)
        self._own = threading.local()
        self._transports: list[Any] = []
        self._building = threading.Lock()

    def close(self) -> None:
        """Let threads and connections go."""
        self._threads.close()
        for transport in self._transports:
            transport.close()

    async def call(self, method: str, token: str, *, etag: str | None = None, **parameters: Any) -> Json:
        """Call a method by its name in the API's description, such as ``events.insert``; ``etag``: only in this state.

        Raises:
            CallFailedError, UnauthorizedError, PreconditionFailedError, NotFoundError, AlreadyExistsError:
                see ``providers.errors``.
        """
        return await self._threads.run(self._call, method, token, etag, parameters)

    def _call(self, method: str, token: str, etag: str | None, parameters: Json) -> Json:
        from googleapiclient.errors import HttpError  # type: ignore[import-untyped]  # noqa: PLC0415 slow to load
        from httplib2 import HttpLib2Error  # type: ignore[import-untyped]  # noqa: PLC0415

        request = self._request(method, parameters)
        request.headers["authorization"] = f"Bearer {token}"
        if etag is not None:
            request.headers["If-Match"] = etag
        try:
            answer = self._execute(request) or {}
        except HttpError as error:
            raise error_for_status(
                int(error.resp.status), _reason(error.content), retry_after=retry_after(error.resp)
            ) from None  # it carries the request
        except (OSError, HttpLib2Error) as error:
            raise CallFailedError(unavailable_failure(type(error).__name__)) from None
        except ValueError:
            raise CallFailedError(unavailable_failure("unreadable answer")) from None
        if not isinstance(answer, dict):
            raise CallFailedError(unavailable_failure("unreadable answer"))
        return answer

    def _execute(self, request: Any) -> Any:
        """Once more on a new connection when the old one, idle for long, turns out to be closed.

        Every call can be repeated, so it does not matter whether Google has got the first one.
        """
        transport = self._transport()
        try:
            return request.execute(http=transport, num_retries=0)
        except (BrokenPipeError, ConnectionResetError):
            transport.close()
            return request.execute(http=transport, num_retries=0)

    def _request(self, method: str, parameters: Json) -> Any:
        resource, _, verb = method.partition(".")
        with self._building:
            methods = getattr(self._service, resource)()
        return getattr(methods, verb)(**parameters)

    @cached_property
    def _service(self) -> Any:
        from googleapiclient.discovery import build  # type: ignore[import-untyped]  # noqa: PLC0415 slow to load
        from httplib2 import Http  # noqa: PLC0415

        # The description of the API comes with the library: nothing is downloaded.
        return build(
            "calendar",
            "v3",
            http=Http(),
            static_discovery=True,
            cache_discovery=False,
            client_options={"api_endpoint": f"{self._api_url}/calendar/v3/"},
        )

    def _transport(self) -> Any:
        from httplib2 import Http  # noqa: PLC0415 slow to load

        if not hasattr(self._own, "transport"):
            self._own.transport = Http(timeout=self._timeout)
            self._transports.append(self._own.transport)
        return self._own.transport


def _reason(content: bytes) -> str:
    """The reason in Google's error envelope; empty when there is none."""
    try:
        error = json.loads(content)["error"]
        return str(error["errors"][0]["reason"]) if error.get("errors") else ""
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return ""
