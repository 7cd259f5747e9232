"""The mail server: a few connections, kept open and used in turn.

Reply codes: RFC 5321 section 4.2. A 4xx reply defers a mail, a 5xx reply refuses it for good. While no connection can
be had, or we are not let in, no mail would get through: that is the server's outage, never a mail's failure.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from aiosmtplib import SMTP, SMTPException, SMTPResponseException, SMTPServerDisconnected
from chassis.tasks import cancel_and_wait
from contracts.values.enums import DeliveryFailureCode
from contracts.values.text import sanitize_line

from invitations.application.mail_sender import DeferredError, Mail, UndeliverableError
from invitations.settings import MailTls, SmtpSettings

log = structlog.get_logger()

_AUTH_REQUIRED = (530, 534, 535, 538)  # RFC 4954 section 6
_SERVICE_CLOSING = 421
_MAX_REASON = 200


class SmtpUnavailableError(ConnectionError):
    """No mail gets through now: the server is not reachable, closes, or does not let us in."""


@dataclass(slots=True)
class _Connection:
    client: SMTP
    sent: int = 0
    used_at: float = 0.0


class SmtpMailer:
    """Sends mails over at most ``smtp_connections`` connections."""

    def __init__(self, settings: SmtpSettings, *, sender: str) -> None:
        """``sender``: our own address, by whose domain we greet the server."""
        self._settings = settings
        self._sender = sender
        self._tls = _tls_context(settings)
        self._idle: list[_Connection] = []
        self._free = asyncio.Semaphore(settings.smtp_connections)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["SmtpMailer"]:
        """Close idle connections in the background, and all of them at the end."""
        closing = asyncio.create_task(self._close_unused())
        try:
            yield self
        finally:
            await cancel_and_wait(closing)
            while self._idle:
                await _quit(self._idle.pop())

    async def send(self, mail: Mail) -> None:
        """See ``Mailer.send``."""
        async with self._free:
            connection = await self._greeted(mail)
            try:
                await self._hand_over(connection.client, mail)
            except (UndeliverableError, DeferredError):
                await self._put_back(connection, transaction_open=True)
                raise
            except BaseException:
                connection.client.close()
                raise
            connection.sent += 1
            await self._put_back(connection)

    async def _greeted(self, mail: Mail) -> _Connection:
        """A connection whose server has accepted our MAIL FROM.

        A connection from the pool may have been closed by the server meanwhile; then the next one is tried, and in
        the end a new one. Nothing was sent yet, so that is safe.
        """
        while self._idle:
            connection = self._idle.pop()
            try:
                await self._mail_from(connection.client, mail)
            except BaseException as error:
                connection.client.close()
                if not isinstance(error.__cause__, SMTPServerDisconnected):
                    raise
            else:
                return connection
        connection = _Connection(await self._connect())
        try:
            await self._mail_from(connection.client, mail)
        except BaseException:
            connection.client.close()
            raise
        return connection

    async def _connect(self) -> SMTP:
        settings = self._settings
        password = settings.smtp_password
        client = SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            timeout=settings.smtp_timeout,
            use_tls=settings.smtp_tls is MailTls.IMPLICIT,
            start_tls=settings.smtp_tls is MailTls.STARTTLS,
            tls_context=self._tls,
            local_hostname=self._sender.rpartition("@")[2],
            username=settings.smtp_username,
            password=password.get_secret_value() if password else None,
        )
        try:
            await client.connect()
        except (SMTPException, OSError) as error:
            client.close()
            log.warning("no connection to the mail server", reason=_said(error))
            raise SmtpUnavailableError(_said(error)) from error
        return client

    async def _mail_from(self, client: SMTP, mail: Mail) -> None:
        options = [f"SIZE={len(mail.content)}"] if client.supports_extension("size") else []
        try:
            await client.mail(mail.return_address, options=options)
        except SMTPResponseException as reply:
            if reply.code == _SERVICE_CLOSING or reply.code in _AUTH_REQUIRED:
                raise SmtpUnavailableError(_said(reply)) from reply
            raise _verdict(reply, DeliveryFailureCode.MAIL_REJECTED) from reply
        except (SMTPException, OSError) as error:
            raise SmtpUnavailableError(_said(error)) from error

    async def _hand_over(self, client: SMTP, mail: Mail) -> None:
        try:
            await client.rcpt(mail.recipient)
        except SMTPResponseException as reply:
            raise _verdict(reply, DeliveryFailureCode.ADDRESS_REJECTED) from reply
        except (SMTPException, OSError) as error:
            raise DeferredError(_said(error)) from error
        try:
            await client.data(mail.content)
        except SMTPResponseException as reply:
            raise _verdict(reply, DeliveryFailureCode.MAIL_REJECTED) from reply
        except (SMTPException, OSError) as error:
            # The end of the mail may have arrived and only its acknowledgement got lost.
            raise DeferredError(_said(error), may_have_been_sent=True) from error

    async def _put_back(self, connection: _Connection, *, transaction_open: bool = False) -> None:
        try:
            if transaction_open and connection.client.is_connected:
                await connection.client.rset()
            if connection.sent >= self._settings.smtp_mails_per_connection:
                await connection.client.quit()
        except (SMTPException, OSError):
            connection.client.close()
        if connection.client.is_connected:
            connection.used_at = time.monotonic()
            self._idle.append(connection)

    async def _close_unused(self) -> None:
        while True:
            await asyncio.sleep(self._settings.smtp_idle / 2)
            unused_since = time.monotonic() - self._settings.smtp_idle
            for connection in [one for one in self._idle if one.used_at < unused_since]:
                self._idle.remove(connection)
                await _quit(connection)


def _tls_context(settings: SmtpSettings) -> ssl.SSLContext | None:
    if settings.smtp_tls is MailTls.NONE:
        return None
    return ssl.create_default_context(cafile=settings.smtp_ca_file)


def _verdict(reply: SMTPResponseException, code: DeliveryFailureCode) -> UndeliverableError | DeferredError:
    """What a negative reply means for the mail; ``code`` is what to call it when it is final."""
    permanent = reply.code >= 500
    return UndeliverableError(code, _said(reply)) if permanent else DeferredError(_said(reply))


def _said(error: Exception) -> str:
    """The server's words, or else the kind of error, as one line."""
    if isinstance(error, SMTPResponseException):
        return sanitize_line(f"{error.code} {error.message}", max_length=_MAX_REASON)
    return sanitize_line(f"{type(error).__name__}: {error}", max_length=_MAX_REASON)


async def _quit(connection: _Connection) -> None:
    try:
        await connection.client.quit()
    except (SMTPException, OSError):
        connection.client.close()
