"""TLS to the brokers, with certificates that may be rotated while a process runs."""

import ssl
from pathlib import Path
from typing import Any, Self

import structlog

log = structlog.get_logger()


class ReloadingContext(ssl.SSLContext):
    """A client's context that reads its files again for the next connection when they have changed.

    Kubernetes and certificate managers replace files in place. Files that are being replaced may not fit together for
    a moment: then what was read before is used.
    """

    _ca: Path | None
    _cert: Path | None
    _key: Path | None
    _password: str
    _read: list[bytes]
    _current: ssl.SSLContext

    @classmethod
    def of(cls, ca: Path | None, cert: Path | None = None, key: Path | None = None, password: str = "") -> Self:
        """``ca``: the authorities that are trusted, None for the system's; ``password`` decrypts the key, if need be.

        Raises:
            ValueError: the files cannot be used.
        """
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context._ca, context._cert, context._key, context._password = ca, cert, key, password
        try:
            context._read = context._contents()
            context._current = context._load()
        except (OSError, ssl.SSLError) as error:
            raise ValueError(_reason(error)) from error
        return context

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """What event loops call for each connection."""
        self._refresh()
        return self._current.wrap_bio(*args, **options)

    def _refresh(self) -> None:
        try:
            contents = self._contents()
            if contents == self._read:
                return
            self._current = self._load()
            self._read = contents
        except (OSError, ssl.SSLError) as error:
            log.warning("new TLS files cannot be used; the ones before are", error=_reason(error))
        else:
            log.info("TLS files read again")

    def _contents(self) -> list[bytes]:
        return [path.read_bytes() for path in (self._ca, self._cert, self._key) if path is not None]

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._ca)
        if self._cert is not None:
            # Without a password OpenSSL would ask for one at the terminal.
            context.load_cert_chain(self._cert, self._key, password=self._password)
        return context


def _reason(error: OSError) -> str:
    """Without what files hold: OpenSSL names the rule that was broken."""
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'not PEM, or the key is encrypted with another password'}"
    return f"{error.strerror}: {error.filename}"
