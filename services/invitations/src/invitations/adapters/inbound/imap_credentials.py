"""What we log in to a mailbox with: a password, or an access token of an application (RFC 6749 section 4.4)."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
from contracts.values.times import utc_now

from invitations.adapters.inbound.imap import MailboxRefusedError, MailboxUnavailableError
from invitations.settings import MailboxSettings

_RENEW_BEFORE = timedelta(seconds=60)
_DEFAULT_LIFETIME = 300


class ImapCredentials:
    """Gives the secret of these settings; a token is used until shortly before it expires."""

    def __init__(self, settings: MailboxSettings) -> None:
        self._settings = settings
        self._token = ""
        self._expires_at: datetime | None = None

    @property
    def is_token(self) -> bool:
        """Whether it is for XOAUTH2."""
        return self._settings.imap_token_url is not None

    async def secret(self) -> str:
        """The password, or an access token.

        Raises:
            MailboxUnavailableError: the token endpoint is away.
            MailboxRefusedError: it refuses, or the file of the password cannot be read.
        """
        if self._settings.imap_token_url is not None:
            return await self._access_token(self._settings.imap_token_url)
        if self._settings.imap_password_file is not None:
            try:
                return (await asyncio.to_thread(self._settings.imap_password_file.read_text)).strip()
            except (OSError, UnicodeError):
                raise MailboxRefusedError("IMAP_PASSWORD_FILE cannot be read") from None
        return self._settings.imap_password.get_secret_value() if self._settings.imap_password else ""

    def forget(self) -> None:
        """The server refused what it was given: ask for a new token next time."""
        self._expires_at = None

    async def _access_token(self, url: str) -> str:
        if self._expires_at is None or utc_now() >= self._expires_at - _RENEW_BEFORE:
            answer = await self._request_token(url)
            self._token = answer["access_token"]
            self._expires_at = utc_now() + timedelta(seconds=int(answer.get("expires_in", _DEFAULT_LIFETIME)))
        return self._token

    async def _request_token(self, url: str) -> dict[str, Any]:
        settings = self._settings
        form = {
            "grant_type": "client_credentials",
            "client_id": settings.imap_client_id,
            "client_secret": settings.imap_client_secret.get_secret_value() if settings.imap_client_secret else "",
            "scope": settings.imap_scope,
        }
        try:
            async with httpx.AsyncClient(timeout=settings.imap_timeout) as http:
                answer = await http.post(url, data=form)
        except httpx.HTTPError as error:
            raise MailboxUnavailableError(f"token endpoint: {type(error).__name__}") from None
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
            raise MailboxUnavailableError(f"token endpoint: {answer.status_code}")
        body: Any = None
        try:
            body = answer.json()
            int(body.get("expires_in", 0))
        except (ValueError, TypeError, AttributeError):
            raise MailboxRefusedError("the token endpoint's answer cannot be read") from None
        if not answer.is_success or not isinstance(body.get("access_token"), str):
            raise MailboxRefusedError(f"the token endpoint refuses: {answer.status_code}")
        return dict(body)
