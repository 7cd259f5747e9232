"""The description editor of Google's own calendar page: it shows stored HTML as text and stores what is saved as HTML.

"Description of the event. Can contain HTML." (https://developers.google.com/workspace/calendar/api/v3/reference/events)
A description that a program wrote as plain text becomes HTML as soon as its owner saves the event in the editor.
"""

import html
import re
from typing import Literal

from simulators.common.html_text import HtmlTextReader

Editor = Literal["html", "plain"]
"""How the page stores descriptions: as HTML, like Google's; or as typed, like many apps on phones."""

_TAG = re.compile(r"</?(?:a|b|br|div|em|i|li|ol|p|span|strong|u|ul)\b[^<>]*>", re.IGNORECASE)
_LINK = re.compile(r"https?://[^\s<>\"*]+")
_BOLD = re.compile(r"\*(\S(?:[^*\n]*\S)?)\*")
_BREAKING = frozenset({"br", "p", "div", "li"})
_BOLD_TAGS = ("b", "strong")


def stored(text: str, editor: Editor) -> str:
    """What is stored of a typed text; ``*word*`` is a word in bold."""
    if editor == "plain":
        return text
    escaped = html.escape(text.replace("\r\n", "\n"), quote=False)
    linked = _LINK.sub(lambda link: f'<a href="{link[0]}">{link[0]}</a>', escaped)
    bold = _BOLD.sub(r"<b>\1</b>", linked)
    return bold.replace("  ", "&nbsp; ").replace("\n", "<br>")


def saved_unchanged(description: str, editor: Editor) -> str:
    """What is stored of a description that nobody touched: HTML stays, plain text becomes HTML."""
    return description if _TAG.search(description) else stored(html.unescape(description), editor)


def shown(description: str) -> str:
    """The text that the editor shows of a stored description."""
    if not _TAG.search(description):
        return html.unescape(description)
    reader = _EditorText(breaking=_BREAKING, line_end="\n")
    reader.feed(description)
    reader.close()
    return "".join(reader.parts).replace("\N{NO-BREAK SPACE}", " ").strip("\n")


class _EditorText(HtmlTextReader):
    """Bold text stands between asterisks, as it is typed."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if tag in _BOLD_TAGS:
            self.parts.append("*")

    def handle_endtag(self, tag: str) -> None:
        if tag in _BOLD_TAGS:
            self.parts.append("*")
