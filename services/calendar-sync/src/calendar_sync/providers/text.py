"""Texts of events as all providers keep them. Pure."""

import re

_BLANKS = re.compile(r"[^\S\n ]")


_BLANK_LINES = re.compile(r"\n{3,}")


def normalised(text: str) -> str:
    """The text without what providers change: line ends, kinds of blanks, and blanks around lines and the whole."""
    text = _BLANKS.sub(" ", text.replace("\r\n", "\n"))
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", lines).strip()
