"""The two readable forms of a mail, plain and HTML, from one wording."""

from pathlib import Path

from contracts.values.enums import RsvpStatus
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from invitations.adapters.mail.content import MailContent


class MailTemplates:
    """Renders letters."""

    def __init__(self) -> None:
        environment = Environment(
            loader=FileSystemLoader(Path(__file__).with_name("templates")),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters["lines"] = _lines
        self._plain = environment.get_template("mail.txt")
        self._html = environment.get_template("mail.html")

    def plain(self, content: MailContent, links: dict[RsvpStatus, str]) -> str:
        """The letter as plain text; without links it asks for no answer."""
        return self._plain.render(words=content, links=links)

    def html(self, content: MailContent, links: dict[RsvpStatus, str]) -> str:
        """The letter as a whole HTML document that loads nothing from anywhere."""
        return self._html.render(words=content, links=links)


def _lines(text: str) -> Markup:
    """The text with its line breaks and indents, without CSS: Outlook for Windows ignores ``white-space``."""
    return Markup("<br>").join(_indented(line) for line in text.split("\n"))


def _indented(line: str) -> Markup:
    text = line.lstrip(" ")
    return Markup("&nbsp;") * (len(line) - len(text)) + escape(text)
