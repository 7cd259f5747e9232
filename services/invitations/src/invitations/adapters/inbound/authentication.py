"""Whether the receiving mail server says that a mail is from the domain in its From (RFC 8601)."""

import re

from contracts.values.text import email_key

_COMMENT = re.compile(r"\([^()]*\)")
_MAX_LENGTH = 4_000


class AuthenticationResults:
    """Reads the header field that one server, whose name operators set, adds to what it receives."""

    def __init__(self, authserv_id: str | None) -> None:
        """``authserv_id``: of the believed server; None: none is."""
        self._authserv_id = (authserv_id or "").strip().lower()

    def confirm(self, fields: tuple[str, ...], sender: str) -> bool:
        """Whether the newest field of that server confirms the sender's domain.

        By ``dmarc=pass`` for it, or by DKIM or SPF for exactly it. Older fields of the same name may be forged.
        """
        domain = email_key(sender).rpartition("@")[2]
        for text in fields:
            server, results = _read(text)
            if self._authserv_id and server == self._authserv_id:
                return bool(domain) and any(_confirms(result, domain) for result in results)
        return False


def _read(text: str) -> tuple[str, list[str]]:
    text = text[:_MAX_LENGTH]
    for _ in range(3):  # comments may be nested; deeper ones make the field unreadable, which confirms nothing
        text = _COMMENT.sub(" ", text)
    server, *results = " ".join(text.split()).lower().split(";")
    return (server.split() or [""])[0], results


def _confirms(result: str, domain: str) -> bool:
    """Whether one result, such as ``dmarc=pass header.from=example.com``, is a pass for this very domain."""
    words = dict(word.partition("=")[::2] for word in result.replace('"', "").split() if "=" in word)
    named = {
        "dmarc": words.get("header.from", ""),
        "dkim": words.get("header.d", "") or words.get("header.i", ""),
        "spf": words.get("smtp.mailfrom", ""),
    }
    return any(words.get(method) == "pass" and name.rpartition("@")[2] == domain for method, name in named.items())
