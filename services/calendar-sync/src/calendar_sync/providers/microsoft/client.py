"""Calls of Microsoft Graph v1.0 about the signed-in user's mailbox.

Times come in UTC and texts as text. Ids are the immutable ones, which stay when an event changes calendar, so every
request must ask for them (https://learn.microsoft.com/graph/outlook-immutable-id).
"""

from typing import Any

import httpx

from calendar_sync.providers.errors import CallFailedError, error_for_status, unavailable_failure
from calendar_sync.providers.http import retry_after

Json = dict[str, Any]


_PREFER = 'IdType="ImmutableId", outlook.timezone="UTC", outlook.body-content-type="text"'


class GraphClient:
    """Makes calls and says how they failed, in our words."""

    def __init__(self, http: httpx.AsyncClient, *, graph_url: str) -> None:
        """``graph_url`` without a slash at the end; ``http`` has the timeout of one call."""
        self._http = http
        self._base = f"{graph_url}/v1.0"
        self._host = httpx.URL(graph_url)

    async def call(
        self, method: str, path: str, token: str, *, etag: str | None = None, prefer: str = "", **options: Any
    ) -> Json:
        """Call ``path``, such as ``/me/events``; ``etag``: only in this state; ``prefer``: further preferences.

        Raises:
            CallFailedError, UnauthorizedError, PreconditionFailedError, NotFoundError, AlreadyExistsError:
                see ``providers.errors``.
        """
        return await self._call(method, f"{self._base}{path}", token, etag=etag, prefer=prefer, **options)

    async def follow(self, link: str, token: str, *, prefer: str = "") -> Json:
        """Follow a link that Graph gave; raises as ``call`` does. The token goes to Graph's own host only."""
        if not self._is_graphs(link):
            raise CallFailedError(unavailable_failure("a link that leads elsewhere"))
        return await self._call("GET", link, token, prefer=prefer)

    def _is_graphs(self, link: str) -> bool:
        try:
            url = httpx.URL(link)
        except (httpx.InvalidURL, TypeError):
            return False
        return (url.scheme, url.host, url.port) == (self._host.scheme, self._host.host, self._host.port)

    async def _call(
        self, method: str, url: str, token: str, *, etag: str | None = None, prefer: str, **options: Any
    ) -> Json:
        headers = {"Authorization": f"Bearer {token}", "Prefer": ", ".join(filter(None, (_PREFER, prefer)))}
        if etag is not None:
            headers["If-Match"] = etag
        try:
            answer = await self._http.request(method, url, headers=headers, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CallFailedError(unavailable_failure(type(error).__name__)) from None  # its request carries the token
        if answer.status_code >= 400:
            raise error_for_status(answer.status_code, _code(answer), retry_after=retry_after(answer.headers))
        try:
            body = answer.json() if answer.content else {}
        except ValueError:
            raise CallFailedError(unavailable_failure("unreadable answer")) from None
        if not isinstance(body, dict):
            raise CallFailedError(unavailable_failure("unreadable answer"))
        return body


def _code(answer: httpx.Response) -> str:
    """The code in Graph's error envelope; empty when there is none."""
    try:
        return str(answer.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""
