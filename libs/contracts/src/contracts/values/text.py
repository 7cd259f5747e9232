"""Making text that strangers wrote safe to stand in a header, a calendar property, a field or a line."""

import unicodedata

_JOINERS = "\u200c\u200d"  # they shape words of some scripts, and emoji


def sanitize_line(text: str | None, *, max_length: int = 255) -> str:
    """The text as one line: no control, no line break, no character that turns reading direction or hides.

    Runs of white space become one space; what is longer than ``max_length`` characters ends in an ellipsis.
    """
    return _cut(" ".join(_harmless(text or "", line_break=" ").split()), max_length)


def sanitize_text(text: str | None, *, max_length: int | None = None) -> str:
    """The text with its line breaks, as ``\\n``, and otherwise as harmless, and as long, as ``sanitize_line``."""
    lines = (text or "").replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").split("\n")
    harmless = "\n".join(_harmless(line, line_break="") for line in lines).strip()
    return harmless if max_length is None else _cut(harmless, max_length)


def _cut(text: str, max_length: int) -> str:
    return text if len(text) <= max_length else text[: max_length - 1].rstrip() + "…"


def _harmless(text: str, *, line_break: str) -> str:
    if text.isprintable():  # nearly always, and quick to see
        return text
    return "".join(line_break if _breaks(letter) else letter for letter in text if _shows(letter))


def _breaks(letter: str) -> bool:
    """Controls, line and paragraph separators (Unicode categories Cc, Zl, Zp)."""
    return unicodedata.category(letter) in ("Cc", "Zl", "Zp")


def _shows(letter: str) -> bool:
    """Not a format character, bidi controls among them, and not half of a surrogate pair (categories Cf, Cs)."""
    return letter in _JOINERS or unicodedata.category(letter) not in ("Cf", "Cs")
