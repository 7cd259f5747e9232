"""The text of an HTML fragment, as calendars show it."""

from collections.abc import Collection
from html.parser import HTMLParser


class HtmlTextReader(HTMLParser):
    """Collects the text in ``parts``; each of the ``breaking`` tags begins a new line."""

    def __init__(self, *, breaking: Collection[str], line_end: str) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._breaking = breaking
        self._line_end = line_end

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._breaking:
            self.parts.append(self._line_end)
