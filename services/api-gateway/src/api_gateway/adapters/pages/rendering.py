"""The pages that people without an account see: one design, in their language, that loads nothing and runs nothing.

A page is a template here; its texts are in English in the template, and in ``locales/<locale>.po`` for each other
language.
"""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from chassis.i18n import LOCALES, language_tag, translations
from contracts.values.enums import Language
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_HERE = files(__name__.rpartition(".")[0])
_STYLE = (_HERE / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Robots-Tag": "noindex",
}
"""Of every page, besides those of every answer: only its own style applies, only its own form is sent, and search
engines do not learn of it."""


def page(
    template: str, language: Language, *, status: int = 200, headers: dict[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """A page; ``values`` are what its template shows, escaped."""
    text = _environment(language).get_template(template).render(status=status, **values)
    return HTMLResponse(text, status, {**HEADERS, "Content-Language": language_tag(language), **(headers or {})})


def language_of(accept_language: str) -> Language:
    """The language of ours that a reader likes best (RFC 9110 section 12.5.4), or else English."""
    wanted = sorted(map(_weighed, accept_language.split(",")), reverse=True)
    ours = {locale.language: language for language, locale in LOCALES.items()}
    return next((ours[tag] for weight, tag in wanted if weight > 0 and tag in ours), Language.ENGLISH)


def _weighed(item: str) -> tuple[float, str]:
    """The primary language of one item of an Accept-Language header, behind its weight."""
    tag, _, parameter = item.partition(";")
    name, _, weight = parameter.partition("=")
    try:
        return (float(weight) if name.strip() == "q" else 1.0), tag.strip().partition("-")[0].lower()
    except ValueError:
        return 0.0, ""


@cache
def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=PackageLoader(__name__.rpartition(".")[0]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(  # type: ignore[attr-defined]  # comes with the extension
        translations(_HERE / "locales", language), newstyle=True
    )
    style = Markup(_STYLE)  # noqa: S704 our own file
    direction = LOCALES[language].text_direction
    environment.globals.update(style=style, language=language_tag(language), direction=direction)
    return environment
