"""What holds for every page: complete in every language, escaped, and closed to everything but its own style."""

import base64
import hashlib
import re
from importlib.resources import files
from io import BytesIO

import pytest
from api_gateway.adapters.pages.rendering import HEADERS, language_of, page
from babel.messages.pofile import read_po
from chassis.i18n import LOCALES, language_tag
from contracts.values.enums import Language
from jinja2.ext import babel_extract

PAGES = files("api_gateway.adapters.pages")
TRANSLATED = [language for language in Language if language is not Language.ENGLISH]


def texts_of_the_templates() -> set[str]:
    templates = (one for one in (PAGES / "templates").iterdir() if one.name.endswith(".html"))
    return {
        str(text[0] if isinstance(text, tuple) else text)  # a text with values stands in a tuple
        for template in templates
        for _, _, text, _ in babel_extract(BytesIO(template.read_bytes()), ("_",), [], {})
    }


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_has_every_text_of_the_templates_and_no_other(language: Language) -> None:
    with (PAGES / "locales" / f"{LOCALES[language]}.po").open("rb") as source:
        catalogue = read_po(source)
    translated = {str(one.id) for one in catalogue if one.id and one.string and not one.fuzzy}
    assert translated == texts_of_the_templates()


def test_the_policy_lets_the_pages_own_style_apply_and_nothing_else() -> None:
    text = bytes(page("refusal.html", Language.ENGLISH, status=403).body).decode()
    [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = dict(part.strip().split(" ", 1) for part in HEADERS["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert "<script" not in text
    assert not re.findall(r"(?:href|src|url|style)\s*[=(]", text)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("status", [400, 403, 404, 413, 415, 429, 503])
def test_every_refusal_is_a_page_in_every_language(language: Language, status: int) -> None:
    answer = page("refusal.html", language, status=status)
    text = bytes(answer.body).decode()
    assert answer.status_code == status
    assert answer.headers["content-language"] == language_tag(language)
    assert f'<html lang="{language_tag(language)}" dir="ltr">' in text
    assert text.count("<h1") == 1
    assert "<p>" in text


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", Language.ENGLISH),
        ("es", Language.SPANISH),
        ("es-CL,es;q=0.9,en;q=0.8", Language.SPANISH),
        ("de-DE, es;q=0.5, en;q=0.7", Language.ENGLISH),
        ("de, fr;q=0.9", Language.ENGLISH),
        ("ES-419", Language.SPANISH),
        ("en;q=0, es;q=0.1", Language.SPANISH),
        ("es;q=0", Language.ENGLISH),
        ("*;q=1", Language.ENGLISH),
        ("es;q=nan, ;;;=,q,es;q=, \x00", Language.ENGLISH),
        ("es;q=0.1;q=1" + ",x" * 5000, Language.ENGLISH),
    ],
)
def test_the_reader_chooses_the_language(header: str, language: Language) -> None:
    assert language_of(header) is language
