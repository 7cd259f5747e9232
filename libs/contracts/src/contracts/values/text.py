"""Text from outside: what a line, a text, a mail address and a web link are. The only rules for them."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

import idna
from email_validator import EmailNotValidError, validate_email

from contracts.values.limits import MAX_EMAIL, MAX_LINE, MAX_TITLE

# --- lines and texts --------------------------------------------------------------------------------------------------

_KEPT_FORMATS = frozenset(
    "\u200c\u200d"  # joiners: they shape words of some scripts, and emoji
    "\u200e\u200f\u061c"  # direction marks: they order the neutral characters beside them, and have no scope
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"  # visible number signs
)
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,16}\U000e007f")
"""An emoji flag made of tag characters (UTS 51, emoji_tag_sequence)."""


def sanitize_line(text: str | None, *, max_length: int = MAX_TITLE) -> str:
    """Return the text as one line that shows what it says.

    Runs of white space, line breaks and controls become one space. Removed are characters that hide, that override the
    reading direction (UAX 9, explicit formatting) and unpaired surrogates. Joiners, direction marks and emoji flags
    stay. A line longer than ``max_length`` characters ends in an ellipsis; one without a visible character is empty.
    """
    return _cut(" ".join(_visible(text or "", line_break=" ").split()), max_length)


def sanitize_text(text: str | None, *, max_length: int | None = None) -> str:
    r"""Return the text with ``\n`` as its only line break, its lines otherwise as of ``sanitize_line``."""
    lines = (text or "").replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").split("\n")
    visible = "\n".join(_visible(line, line_break="") for line in lines).strip()
    return visible if max_length is None else _cut(visible, max_length)


def _cut(text: str, max_length: int) -> str:
    return text if len(text) <= max_length else text[: max_length - 1].rstrip() + "…"


def _visible(text: str, *, line_break: str) -> str:
    if text.isprintable():  # nearly always, and quick to see
        return text
    kept, copied = [], 0
    for flag in _FLAG.finditer(text):
        kept += [_without_hidden(text[copied : flag.start()], line_break), flag[0]]
        copied = flag.end()
    kept.append(_without_hidden(text[copied:], line_break))
    visible = "".join(kept)
    return visible if any(letter not in _KEPT_FORMATS and not letter.isspace() for letter in visible) else ""


def _without_hidden(text: str, line_break: str) -> str:
    """``line_break`` replaces controls and line separators (Unicode categories Cc, Zl, Zp)."""
    kept = []
    for letter in text:
        category = unicodedata.category(letter)
        if category in ("Cc", "Zl", "Zp"):
            kept.append(line_break)
        elif category not in ("Cf", "Cs") or letter in _KEPT_FORMATS:
            kept.append(letter)
    return "".join(kept)


# --- web links --------------------------------------------------------------------------------------------------------

_NOT_IN_HOST = frozenset("<>^|%`{}\"'")


def web_link(text: str) -> str:
    """Return the http(s) link with its scheme in lower case, and otherwise as given.

    Raises:
        ValueError: it is not a whole link that every browser reads alike: another scheme, no host, user and password
            before the host (a way to disguise it), a port out of range, a backslash, white space, a hidden character,
            or more than ``MAX_LINE`` characters (RFC 3986; https://url.spec.whatwg.org/#url-parsing).
    """
    if len(text) > MAX_LINE:
        raise ValueError(f"must have at most {MAX_LINE} characters")
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if scheme not in ("http", "https") or not separator:
        raise ValueError("must be an http(s) link")
    link = f"{scheme}://{rest}"
    if "\\" in link or any(letter.isspace() for letter in link) or sanitize_line(link, max_length=MAX_LINE) != link:
        raise ValueError("must be a link without blanks, backslashes and hidden characters")
    try:
        parts = urlsplit(link)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("must be a link") from error
    if not host or not host.strip(".") or _NOT_IN_HOST & set(host) or port == 0:
        raise ValueError("must be a link to a host")
    if "@" in parts.netloc:
        raise ValueError("must be a link without user name and password")
    return link


# --- mail addresses ---------------------------------------------------------------------------------------------------

_MAX_LOCAL_PART = 64
_LOCAL_PART = r"(?=.{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = rf"({_LABEL}\.)+(?=[A-Za-z0-9-]*[A-Za-z]){_LABEL}"
_ASCII_DOMAIN = re.compile(_DOMAIN)
_ASCII_ADDRESS = re.compile(f"{_LOCAL_PART}@{_DOMAIN}")
"""A dot-atom (RFC 5322 section 3.4.1) at a host name of several labels (RFC 1123 section 2.1)."""


def email_address(text: str) -> str:
    """Return the mail address that the text is, without blanks around it.

    The domain is in lower case and otherwise written as it was: Unicode stays Unicode, Punycode stays Punycode. Two
    ways to write one address have the same ``email_key``. Letters outside ASCII may stand before the @ (RFC 6531),
    though mail cannot be sent there (``deliverable_address``).

    Raises:
        ValueError: it is no address, has a quoted local part or an IP literal, or its domain is none under IDNA 2008
            (RFC 5891; mapped by UTS 46, non-transitional). Half of an address is somebody else's: none is shortened.
    """
    address = text.strip(" ")
    if len(address) > MAX_EMAIL:
        raise ValueError("must be an e-mail address")
    local, _, domain = address.rpartition("@")
    if "--" not in domain and _ASCII_ADDRESS.fullmatch(address):  # nearly always; two hyphens may be Punycode
        return f"{local}@{domain.lower()}"
    return _parsed(address).canonical


def deliverable_address(address: str) -> str:
    """Return the address as it goes over the wire: ASCII, an international domain as Punycode.

    Raises:
        ValueError: it is no address, or has letters outside ASCII before the @, which only mail servers with SMTPUTF8
            take.
    """
    canonical = email_address(address)
    ascii_address = canonical if canonical.isascii() else _parsed(canonical).on_the_wire
    if ascii_address is None:
        raise ValueError("must be an e-mail address with ASCII letters before the @")
    return ascii_address


def email_key(address: str | None) -> str:
    """Return what all ways to write one address have in common, for comparison only; empty for no address.

    Case does not count (no mail provider tells mailboxes apart by it), nor whether a domain is in Unicode or Punycode.
    """
    local, at, domain = unicodedata.normalize("NFC", (address or "").strip()).rpartition("@")
    return f"{local.lower()}{at}{_domain_key(domain)}"


@lru_cache(maxsize=10_000)
def _domain_key(domain: str) -> str:
    try:
        return domain.lower() if domain.isascii() else _parsed(f"x@{domain}").ascii_domain
    except ValueError:
        return domain.lower()


class _Parsed(NamedTuple):
    canonical: str
    ascii_domain: str
    on_the_wire: str | None
    """In ASCII; None for a local part outside ASCII."""


@lru_cache(maxsize=10_000)
def _parsed(address: str) -> _Parsed:
    given_local, _, given_domain = address.rpartition("@")
    try:
        local = validate_email(f"{given_local}@example.com", check_deliverability=False, strict=True).local_part
        ascii_domain = _ascii_domain(given_domain)
        domain = ascii_domain if given_domain.isascii() else idna.decode(ascii_domain)
    except (EmailNotValidError, UnicodeError) as error:
        raise ValueError("must be an e-mail address") from error
    canonical, on_the_wire = f"{local}@{domain}", f"{local}@{ascii_domain}"
    too_long = len(local.encode()) > _MAX_LOCAL_PART or max(map(_octets, (canonical, on_the_wire))) > MAX_EMAIL
    if too_long or not _ASCII_DOMAIN.fullmatch(ascii_domain):
        raise ValueError("must be an e-mail address")
    return _Parsed(canonical, ascii_domain, on_the_wire if local.isascii() else None)


def _ascii_domain(domain: str) -> str:
    """In Punycode. Joiners may belong to a name (RFC 5892, appendix A); what else is hidden must not vanish from it.

    Raises:
        UnicodeError: it is no domain.
    """
    if sanitize_line(domain, max_length=MAX_EMAIL) != domain:
        raise UnicodeError("hidden characters")
    return idna.encode(domain, uts46=True, transitional=False, std3_rules=True).decode("ascii")


def _octets(text: str) -> int:
    return len(text.encode())
