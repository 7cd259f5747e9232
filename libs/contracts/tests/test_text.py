"""Whatever strangers write, it stays within its line."""

import unicodedata

import pytest
from contracts.values.text import sanitize_line, sanitize_text
from hypothesis import given
from hypothesis import strategies as st

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@given(st.text())
def test_one_line_is_one_line_without_controls(text: str) -> None:
    line = sanitize_line(text)
    assert len(line.splitlines()) <= 1
    assert not {unicodedata.category(letter) for letter in line} & {"Cc", "Zl", "Zp", "Cs"}
    assert not set(line) & set(BIDI)
    assert line == line.strip()


@given(st.text())
def test_many_lines_break_only_at_newlines(text: str) -> None:
    lines = sanitize_text(text)
    assert not {unicodedata.category(letter) for letter in lines if letter not in "\n\t"} & {"Cc", "Zl", "Zp", "Cs"}
    assert not set(lines) & set(BIDI)


@given(st.text(st.characters(exclude_categories=["C", "Z"])))
def test_harmless_words_stay_as_they_are(word: str) -> None:
    assert sanitize_line(word, max_length=1_000_000) == word
    assert sanitize_text(word) == word


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, ""),
        ("a\r\nBcc: victim@example.com", "a Bcc: victim@example.com"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("one\u2028two", "one two"),
        ("  much   space\t", "much space"),
        ("👩\u200d💻 at work", "👩\u200d💻 at work"),
        ("x" * 300, "x" * 254 + "…"),
    ],
)
def test_examples(text: str | None, line: str) -> None:
    assert sanitize_line(text) == line


def test_line_breaks_of_every_system_are_kept() -> None:
    assert sanitize_text("a\r\nb\rc\nd\x00e") == "a\nb\nc\nde"


def test_many_lines_are_cut_to_a_length_only_when_one_is_given() -> None:
    assert sanitize_text("ab\n" * 100, max_length=7) == "ab\nab…"
    assert len(sanitize_text("x" * 20_000)) == 20_000
