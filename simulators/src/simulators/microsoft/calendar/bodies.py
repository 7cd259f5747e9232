"""Event bodies: what is stored as text or HTML and read as the other, and the online meeting blob inside.

Sources: https://learn.microsoft.com/graph/api/resources/itembody (HTML is returned unless
``Prefer: outlook.body-content-type="text"``) and https://learn.microsoft.com/graph/api/event-update, "body property
and online meetings" (whoever removes the blob removes the online meeting).
"""

import html
import re
from typing import Any

from simulators.common.html_text import HtmlTextReader

JsonObject = dict[str, Any]

_JOIN_URL = re.compile(r"https://teams\.microsoft\.example/l/meetup-join/[\w-]+")
_PREVIEW = 255
_BREAKING = frozenset({"br", "p", "div", "li", "tr"})


def as_text(body: JsonObject) -> str:
    """The body as plain text with Exchange's line ends."""
    if body["contentType"] == "text":
        return str(body["content"])
    reader = HtmlTextReader(breaking=_BREAKING, line_end="\r\n")
    reader.feed(body["content"])
    return "".join(reader.parts).strip("\r\n")


def as_html(body: JsonObject) -> str:
    """The body as the whole HTML document that Exchange makes of it."""
    if body["contentType"] == "html":
        content = str(body["content"])
        if not content or content.lower().lstrip().startswith("<html"):
            return content
    else:
        lines = html.escape(body["content"], quote=False).replace("\r\n", "\n").replace("\n", "<br>\r\n")
        content = f'<div class="PlainText">{lines}</div>'
    head = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
    return f"<html>\r\n<head>\r\n{head}\r\n</head>\r\n<body>\r\n{content}\r\n</body>\r\n</html>\r\n"


def rendered(body: JsonObject, *, text: bool) -> JsonObject:
    """The ``itemBody`` of an answer."""
    if not text:
        return {"contentType": "html", "content": as_html(body)}
    content = as_text(body)
    return {"contentType": "text", "content": f"{content}\r\n" if content else ""}


def preview(body: JsonObject) -> str:
    """The first 255 characters of the text."""
    return as_text(body).strip()[:_PREVIEW]


def with_blob(body: JsonObject, key: str) -> JsonObject:
    """The body with the join information of a Teams meeting appended."""
    url = f"https://teams.microsoft.example/l/meetup-join/{key}"
    join = f'<div class="me-email-text"><a href="{url}">Join the meeting now</a></div>'
    inner = as_html(body) if body["content"] else ""
    before, tag, after = inner.rpartition("</body>")
    return {"contentType": "html", "content": f"{before}{join}{tag}{after}" if tag else join}


def join_url(body: JsonObject) -> str | None:
    """The address in the blob, None once the blob is gone."""
    found = _JOIN_URL.search(body["content"])
    return found[0] if found else None
