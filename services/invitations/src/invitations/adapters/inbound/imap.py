"""One connection to a mailbox (IMAP4rev1, RFC 3501). Its methods block; they are called in a thread.

A mail leaves the folder only by MOVE (RFC 6851), which Dovecot, Exchange, Gmail and Cyrus have: there is no moment in
which it is in both folders, or in none.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from invitations.settings import MailboxSettings, MailTls


class MailboxUnavailableError(Exception):
    """The mailbox cannot be read now. Its text has no secrets, and nothing of a mail."""


class MailboxRefusedError(Exception):
    """The server does not let us in, or does not have what we need: somebody must look at the settings."""


@dataclass(frozen=True, slots=True)
class StoredMail:
    """A mail in the folder. ``content`` is None for one that is larger than the limit."""

    uid: int
    content: bytes | None


class ImapConnection:
    """An open connection, with the folder selected."""

    def __init__(self, client: Any, settings: MailboxSettings, mail_count: int) -> None:
        self._client = client
        self._settings = settings
        self._mail_count = mail_count

    @classmethod
    def open(cls, settings: MailboxSettings, secret: str, *, is_token: bool) -> Self:
        """Log in, make the folders that are missing, and select the one to read.

        ``secret``: the password, or an access token for XOAUTH2.

        Raises:
            MailboxUnavailableError, MailboxRefusedError
        """
        client = _connect(settings)
        try:
            _log_in(client, settings, secret, is_token=is_token)
            return cls(client, settings, _select(client, settings))
        except (IMAPClientError, OSError) as error:
            _shut_down(client)
            raise MailboxUnavailableError(type(error).__name__) from None
        except BaseException:
            _shut_down(client)
            raise

    def list_uids(self, position: int, count: int) -> list[int]:
        """The UIDs of up to ``count`` mails, the first of which has this position in the folder, counted from 1.

        Raises:
            MailboxUnavailableError
        """
        last = min(position + count - 1, self._mail_count)
        if position > last:
            return []
        try:
            return sorted(self._client.search(f"{position}:{last}"))
        except (IMAPClientError, OSError) as error:
            raise MailboxUnavailableError(type(error).__name__) from None

    def fetch(self, uids: Sequence[int]) -> list[StoredMail]:
        """These mails, as far as they are still there; nothing of a mail changes.

        Raises:
            MailboxUnavailableError
        """
        limit = self._settings.inbound_max_bytes
        try:
            sizes = {uid: answer.get(b"RFC822.SIZE", 0) for uid, answer in self._fetch(uids, "RFC822.SIZE").items()}
            small = [uid for uid, size in sizes.items() if size <= limit]
            # One byte more than the limit: what a server says of sizes need not be exact.
            contents = self._fetch(small, f"BODY.PEEK[]<0.{limit + 1}>")
        except (IMAPClientError, OSError) as error:
            raise MailboxUnavailableError(type(error).__name__) from None
        read = {uid: answer.get(b"BODY[]<0>") or b"" for uid, answer in contents.items()}
        return [
            StoredMail(uid, content if content is not None and len(content) <= limit else None)
            for uid in sorted(sizes)
            if (content := read.get(uid)) is not None or sizes[uid] > limit
        ]

    def _fetch(self, uids: Sequence[int], item: str) -> dict[int, Any]:
        found: dict[int, Any] = self._client.fetch(uids, [item]) if uids else {}
        return found

    def move(self, uids: Sequence[int], folder: str) -> None:
        """Move these mails.

        Raises:
            MailboxUnavailableError
        """
        if not uids:
            return
        try:
            self._client.move(uids, folder)
        except (IMAPClientError, OSError) as error:
            raise MailboxUnavailableError(type(error).__name__) from None
        self._mail_count -= len(uids)

    def close(self) -> None:
        """Close the connection, also while another thread waits for an answer."""
        _shut_down(self._client)


def _connect(settings: MailboxSettings) -> Any:
    is_plain = settings.imap_tls is MailTls.NONE
    context = None if is_plain else ssl.create_default_context(cafile=settings.imap_ca_file)
    is_implicit = settings.imap_tls is MailTls.IMPLICIT
    try:
        client = IMAPClient(
            settings.imap_host,
            port=settings.imap_port,
            ssl=is_implicit,
            ssl_context=context if is_implicit else None,
            timeout=settings.imap_timeout,
        )
    except (IMAPClientError, OSError) as error:
        raise MailboxUnavailableError(type(error).__name__) from None
    if settings.imap_tls is MailTls.STARTTLS:
        try:
            client.starttls(context)
        except (IMAPClientError, OSError) as error:
            _shut_down(client)
            raise MailboxUnavailableError(type(error).__name__) from None
    return client


def _log_in(client: Any, settings: MailboxSettings, secret: str, *, is_token: bool) -> None:
    try:
        if is_token:
            client.oauth2_login(settings.imap_username, secret)
        else:
            client.login(settings.imap_username, secret)
    except LoginError:
        raise MailboxRefusedError("the login is refused") from None
    if not client.has_capability("MOVE"):
        raise MailboxRefusedError("the server does not have MOVE (RFC 6851)")


def _select(client: Any, settings: MailboxSettings) -> int:
    for folder in (settings.imap_done_folder, settings.imap_set_aside_folder):
        if not client.folder_exists(folder):
            client.create_folder(folder)
    return int(client.select_folder(settings.imap_folder)[b"EXISTS"])


def _shut_down(client: Any) -> None:
    try:
        client.shutdown()
    except (IMAPClientError, OSError):
        return
