"""Providers' descriptions as text: HTML in every form that editors store."""

import time

import pytest
from calendar_sync.providers.html_text import MAX_INPUT, html_of_text, text_of_html, tidied
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.editors import GOOGLE, OUTLOOK, Editor


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain text\nwith two lines", "plain text\nwith two lines"),
        ("a<br>b <b>c</b>", "a\nb c"),
        ("a<br>\nb\n<i>c</i>", "a\nb\nc"),
        ("<p>a</p>\n<p>b</p>", "a\n\nb"),
        ("<div>a</div><div><br></div><div>b\nc</div>", "a\n\nb c"),
        ("x <ul>\n<li>one</li>\n<li>two</li>\n</ul>", "x\n  * one\n  * two"),
        ("R&amp;D &lt;soon&gt;&nbsp;&#233;", "R&D <soon> é"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("AT&T, 3 < 4, x<y", "AT&T, 3 < 4, x<y"),
        ("Ann <ann@example.com> <b>asks</b>", "Ann <ann@example.com> asks"),
        ("<style>p {}</style><script>alert(1)</script><!-- no -->yes", "yes"),
        (
            '<a href="https://x.example/a?b=1&amp;c=2">https://x.example/a?b=1&amp;c=2</a>',
            "https://x.example/a?b=1&c=2",
        ),
        ('<a href="https://x.example/">Agenda</a>!', "Agenda <https://x.example/>!"),
        ('<a href="https://www.google.com/url?q=https://x.example/a&amp;sa=D">here</a>', "here <https://x.example/a>"),
        (
            '<a href="https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fx.example%2Fa&amp;data=1">it</a>',
            "it <https://x.example/a>",
        ),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        ("https://x.example/a<https://x.example/a>", "https://x.example/a"),
        ("<table><tr><td>1</td><td>2</td></tr></table>", "1  2"),
        ("<b>not closed", "not closed"),
        ("\x00a\x07<b>\x1b</b>\ud800", "a"),
        ("", ""),
    ],
)
def test_html_is_read_as_what_it_says(source: str, text: str) -> None:
    assert text_of_html(source) == text


_PIECES = [*" \n\tab<>&;/='\"-*", "&amp;", "&lt;", "<b>", "</p>", "<br>", "&nbsp;", "<a href='https://x.y'>", "<!--"]
_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Co", "Cn"], include_characters="\n"), max_size=60)


@given(_TEXTS | st.lists(st.sampled_from(_PIECES)).map("".join))
def test_text_comes_back_as_it_was_written(text: str) -> None:
    assert text_of_html(html_of_text(text)) == tidied(text)


def test_plain_text_is_written_as_it_is() -> None:
    assert html_of_text("R&D: 3 < 4\n\nhttps://x.example/?a=1&b=2") == "R&D: 3 < 4\n\nhttps://x.example/?a=1&b=2"
    assert html_of_text("<b> & &amp;") == "&lt;b&gt; &amp; &amp;amp;"


@pytest.mark.parametrize("editor", [*GOOGLE.values(), *OUTLOOK.values()], ids=[*GOOGLE, *OUTLOOK])
@settings(max_examples=10)
@given(text=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30))
def test_every_editors_words_are_read(editor: Editor, text: str) -> None:
    read = text_of_html(editor(f"{text}\n\nsecond line"))
    assert text in read
    assert "second" in read
    assert "<" not in read


@given(st.text(max_size=300) | st.lists(st.sampled_from(_PIECES), max_size=100).map("".join))
def test_anything_at_all_is_read(source: str) -> None:
    assert text_of_html(source) == tidied(text_of_html(source))


@pytest.mark.parametrize(
    "piece", ["<div>", "<table><tr><td>", "<ul><li>", "<b>", "<!--", "&", "<p", "<br>\n", "<a href=x>"]
)
def test_huge_and_deep_html_is_read_soon(piece: str) -> None:
    begun = time.process_time()
    text_of_html(piece * MAX_INPUT)
    assert time.process_time() - begun < 5
