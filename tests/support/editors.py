"""What calendars' editors make of a description that they open and save, by name; nothing of what it says changes."""

import html
import random
import re
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

from calendar_sync.providers.google import writer as google
from calendar_sync.providers.microsoft import writer as microsoft

Editor = Callable[[str], str]
"""Of the text that a person sees, what the provider stores."""

_LINK = re.compile(r"https?://[^\s<>]+")


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _linked(text: str) -> str:
    return _LINK.sub(lambda found: f'<a href="{found[0]}">{found[0]}</a>', _escaped(text))


def _google_link(text: str) -> str:
    def wrapped(found: re.Match[str]) -> str:
        address = quote(html.unescape(found[0]), safe=":/")
        return f'<a href="https://www.google.com/url?q={address}&amp;sa=D&amp;source=calendar">{found[0]}</a>'

    return _LINK.sub(wrapped, _escaped(text))


def _in_lines(text: str, before: str, after: str, *, empty: str = "<br>") -> str:
    return "".join(f"{before}{line or empty}{after}" for line in text.split("\n"))


def _word(text: str) -> str:
    lines = _in_lines(
        _linked(text), "<p class=MsoNormal><span lang=EN-US>", "<o:p></o:p></span></p>\r\n", empty="&nbsp;"
    )
    return (
        '<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><style><!-- p.MsoNormal {margin:0cm} --></style>'
        f"</head><body lang=EN-US><div class=WordSection1>{lines}</div></body></html>"
    )


def _as_list(text: str) -> str:
    items = "".join(f"<li>{line}</li>" for line in _escaped(text).split("\n") if line)
    return f"<ul>{items}</ul>"


GOOGLE: dict[str, Editor] = {
    "as it was": _escaped,
    "line breaks as elements": lambda text: _escaped(text).replace("\n", "<br>"),
    "line breaks twice": lambda text: _escaped(text).replace("\n", "<br>\n"),
    "a bold word": lambda text: re.sub(r"\w+", r"<b>\g<0></b>", _escaped(text), count=1),
    "links": lambda text: _linked(text).replace("\n", "<br>"),
    "links by way of google": lambda text: _google_link(text).replace("\n", "<br>"),
    "paragraphs": lambda text: _in_lines(_linked(text), "<p>", "</p>"),
    "spans": lambda text: f"<span>{_escaped(text)}</span>".replace("\n", "<br><u></u>"),
    "unbreakable blanks": lambda text: _escaped(text).replace(" ", "&nbsp;").replace("\n", "<br>"),
    "numbered entities": lambda text: re.sub("[:/.&]", lambda found: f"&#{ord(found[0])};", text).replace("\n", "<br>"),
    "a list": _as_list,
    "invisible characters": lambda text: _escaped(text).replace(" ", " \u200b").replace("\n", "<br>"),
}
OUTLOOK: dict[str, Editor] = {
    "a page": lambda text: f"<html><head></head><body>{_in_lines(_linked(text), '<div>', '</div>')}</body></html>",
    "word": _word,
    "a list": lambda text: f"<html><body>{_as_list(text)}</body></html>",
    "a table": lambda text: f"<html><body><table><tr><td>{_in_lines(_linked(text), '<p>', '</p>')}</td></tr></table>",
}
AS_TEXT: dict[str, Editor] = {
    "as it was": lambda text: text,
    "links twice": lambda text: _LINK.sub(r"\g<0><\g<0>>", text).replace("\n", "\r\n"),
    "an indented list": lambda text: "\r\n".join(f"  *   {line}" if line else "" for line in text.split("\n")),
    "unbreakable blanks": lambda text: text.replace(" ", "\u00a0"),
    "paragraphs": lambda text: text.replace("\n", "\r\n\r\n"),
}


def _read_at_google(stored: str) -> str:
    times = {"start": {"dateTime": "2038-06-01T10:00:00Z"}, "end": {"dateTime": "2038-06-01T11:00:00Z"}}
    return google.read_content({"id": "1", "description": stored, **times}).description


def _read_at_graph(stored: str, *, kind: str = "html") -> str:
    times = {"start": {"dateTime": "2038-06-01T10:00:00"}, "end": {"dateTime": "2038-06-01T11:00:00"}}
    return microsoft.read_content({"id": "1", "body": {"contentType": kind, "content": stored}, **times}).description


def _there_and_back(editor: Editor, read: Editor) -> Editor:
    return lambda text: read(editor(text))


ROUND_TRIPS: dict[str, Editor] = {
    **{f"google: {name}": _there_and_back(editor, _read_at_google) for name, editor in GOOGLE.items()},
    **{f"graph: {name}": _there_and_back(editor, _read_at_graph) for name, editor in OUTLOOK.items()},
    **{
        f"text: {name}": _there_and_back(editor, partial(_read_at_graph, kind="text"))
        for name, editor in AS_TEXT.items()
    },
}
"""Of the text that a person saves, what we read of it afterwards."""


def shuffled(text: str, order: random.Random) -> str:
    """The lines in another order."""
    lines = text.split("\n")
    order.shuffle(lines)
    return "\n".join(lines)
