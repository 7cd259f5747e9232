"""Descriptions of providers' events: HTML in, text out, and back.

Google's descriptions "can contain HTML" (https://developers.google.com/workspace/calendar/api/v3/reference/events):
its own editor stores it, other programs write plain text with line breaks, and some mix both. Graph gives HTML or text
and says which (https://learn.microsoft.com/graph/api/resources/itembody).
"""

import html
import re
from urllib.parse import parse_qs, urlsplit

from inscriptis.css_profiles import STRICT_CSS_PROFILE  # type: ignore[import-untyped]
from inscriptis.html_engine import Inscriptis  # type: ignore[import-untyped]
from inscriptis.model.config import ParserConfig  # type: ignore[import-untyped]
from lxml import etree  # type: ignore[import-untyped]
from lxml.html import HtmlElement, HTMLParser, document_fromstring  # type: ignore[import-untyped]

from calendar_sync.providers.text import normalised

MAX_INPUT = 200_000
"""Characters of a description that are read; what we keep of it is much less."""


_NO_TAG = re.compile(r"<(?![a-zA-Z/!?])|<(?![^<>]*>)|<(?=[^<>\s]*(?:@|://))")
"""A ``<`` that begins no tag: of a comparison, or around an address."""


_MARKUP = re.compile(r"<[a-zA-Z/!?][^<>]*>|&(?:#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);")


_LAYS_OUT_LINES = re.compile(r"<(?:html|body|p|div)\b", re.IGNORECASE)


_BROKEN_TWICE = re.compile(r"(<br\s*/?>)[ \t]*\r?\n", re.IGNORECASE)


_AROUND_BLOCKS = re.compile(r"\s*(</?(?:ul|ol|li|table|tbody|thead|tr|td|th|h[1-6]|hr)\b[^<>]*>)\s*", re.IGNORECASE)


_DOUBLED_LINK = re.compile(r"(\b(?:https?://|mailto:)[^\s<>]+)\s?<(?:\1/?)>")


_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


_AS_BROWSERS_DO = ParserConfig(css=STRICT_CSS_PROFILE)


_WRAPPERS = ((".google.com", "/url", "q"), (".safelinks.protection.outlook.com", "/", "url"))
"""Hosts that providers lead links through, with the path and the parameter that holds the link."""


_LINE_BREAK, _BLANK = "\ue000", "\ue001"
"""Stand for what HTML would fold while a text is rendered."""


_HELD = str.maketrans({"\n": _LINE_BREAK, " ": _BLANK, _LINE_BREAK: None, _BLANK: None})


_RELEASED = str.maketrans({_LINE_BREAK: "\n", _BLANK: " "})


def text_of_html(source: str) -> str:
    """What a description says, as text; text without markup stays as it is.

    Links are kept: as ``name <address>``, or once where they are their own name. Line breaks of the source count where
    no element lays out lines, as Google shows them.
    """
    source = normalised(_NOT_XML.sub("", source[:MAX_INPUT]))
    if _MARKUP.search(source):
        source = _rendered(_NO_TAG.sub("&lt;", source))
    return tidied(source)


def tidied(text: str) -> str:
    """Text that a provider may have made of HTML: with each link once."""
    return normalised(_DOUBLED_LINK.sub(r"\1", normalised(text)))


def html_of_text(text: str) -> str:
    """A description that reads as this text; the text itself wherever that does."""
    return text if text_of_html(text) == tidied(text) else html.escape(text, quote=False)


def _rendered(source: str) -> str:
    """Raises nothing: what no parser can read says nothing."""
    laid_out = _LAYS_OUT_LINES.search(source) is not None
    if not laid_out:
        source = _AROUND_BLOCKS.sub(r"\1", _BROKEN_TWICE.sub(r"\1", source))
    try:
        document = document_fromstring(source if laid_out else f"<body>{source}", parser=_parser())
    except (etree.ParserError, etree.XMLSyntaxError):
        return ""
    for link in document.iter("a"):
        _show_address(link)
    for element in document.iter():
        element.text, element.tail = (_shielded(text, laid_out) for text in (element.text, element.tail))
    return str(Inscriptis(document, _AS_BROWSERS_DO).get_text()).translate(_RELEASED)


def _shielded(text: str | None, laid_out: bool) -> str | None:
    """The renderer decodes entities, which the parser has done already, and folds line breaks and blanks."""
    if not text:
        return text
    text = text.replace("&", "&amp;")
    return text if laid_out else text.translate(_HELD)


def _parser() -> HTMLParser:
    return HTMLParser(remove_comments=True, remove_pis=True)


def _show_address(link: HtmlElement) -> None:
    """Write the address of a link behind its name, unless that is the name, or it leads to no page."""
    address = _target(link.get("href") or "")
    name = "".join(link.itertext()).strip()
    if address and not _is_same(name, address):
        link.tail = f" <{address}>{link.tail or ''}" if name else f"{address}{link.tail or ''}"


def _target(address: str) -> str:
    """Where a link leads in the end; empty for what is no web address."""
    try:
        url = urlsplit(address.strip())
        if url.scheme not in ("http", "https"):
            return ""
        for host, path, parameter in _WRAPPERS:
            inner = parse_qs(url.query).get(parameter)
            if inner and f".{url.hostname or ''}".endswith(host) and url.path == path:
                return _target(inner[0]) or address.strip()
    except ValueError:
        return ""
    return address.strip()


def _is_same(name: str, address: str) -> bool:
    bare = [re.sub(r"^(https?://)?(www\.)?", "", text.casefold()).rstrip("/") for text in (name, address)]
    return bare[0] == bare[1]
