"""Access tokens for SASL OAUTHBEARER (RFC 7628), by client credentials (RFC 6749 section 4.4)."""

import asyncio
import ssl
import time
from base64 import b64encode
from urllib.parse import quote_plus

import aiohttp
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError
from pydantic import BaseModel, ValidationError

_TIMEOUT = 10.0
_MAX_BYTES = 64 * 1024
_RENEW_AT = 0.8
"""Share of a token's lifetime after which a new one is fetched."""


class _TokenResponse(BaseModel):
    """RFC 6749 section 5.1."""

    access_token: str
    expires_in: float = 0


class ClientCredentialsTokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is untyped
    """Fetches a token when a connection needs one, and keeps it for most of its lifetime."""

    def __init__(
        self, url: str, client_id: str, client_secret: str, *, scope: str | None, tls: ssl.SSLContext | None
    ) -> None:
        """``tls`` None: the system's authorities."""
        self._url = url
        # RFC 6749 section 2.3.1: both are form-urlencoded first.
        login = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
        self._headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}
        self._form = {"grant_type": "client_credentials"} | ({} if scope is None else {"scope": scope})
        self._tls = tls
        self._lock = asyncio.Lock()
        self._token = ""
        self._renew_at = self._expires_at = 0.0

    async def token(self) -> str:
        """Raises KafkaConnectionError when there is none: the connection is tried again later."""
        async with self._lock:
            if time.monotonic() >= self._renew_at:
                try:
                    await self._renew()
                except KafkaConnectionError:
                    if time.monotonic() >= self._expires_at:
                        raise
            return self._token

    async def _renew(self) -> None:
        began = time.monotonic()
        try:
            found = _TokenResponse.model_validate_json(await self._fetch())
        except ValidationError:
            raise KafkaConnectionError("the token endpoint answers without a token") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KafkaConnectionError(f"the token endpoint cannot be asked: {type(error).__name__}") from None
        self._token = found.access_token
        self._renew_at = began + found.expires_in * _RENEW_AT
        self._expires_at = began + found.expires_in

    async def _fetch(self) -> bytes:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as http,
            http.post(
                self._url,
                data=self._form,
                headers=self._headers,
                ssl=True if self._tls is None else self._tls,
                allow_redirects=False,  # the secret is for this address alone
            ) as answer,
        ):
            if answer.status != 200:
                raise KafkaConnectionError(f"the token endpoint answers {answer.status}")
            body = b""
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > _MAX_BYTES:
                    raise KafkaConnectionError("the token endpoint answers too much")
            return body
