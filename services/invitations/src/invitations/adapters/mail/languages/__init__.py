"""The languages of mails: one gettext catalogue for each, ``<LANGUAGE>.po``, read at start.

To add a language, add its name to the contracts' ``Language`` and its catalogue here: copy ``SPANISH.po``, set the
``Language`` header to the locale by which dates are written, and translate. A test fails for every text that is
missing.
"""

import gettext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from contracts.enums import Language


@dataclass(frozen=True)
class Tongue:
    """A language as mails speak it: the locale of dates and times, and the texts."""

    locale: Locale
    texts: gettext.NullTranslations

    def say(self, text: str, **fields: str) -> str:
        """The text in this language, with its ``%(field)s`` filled in."""
        said = self.texts.gettext(text)
        return said % fields if fields else said


def read_tongues() -> dict[Language, Tongue]:
    """Every language of the contracts.

    Raises:
        FileNotFoundError: one has no catalogue.
    """
    return {language: _read(Path(__file__).with_name(f"{language}.po")) for language in Language}


def _read(path: Path) -> Tongue:
    with path.open("rb") as source:
        catalogue = read_po(source)
    if catalogue.locale is None:
        raise ValueError(f"{path.name} has no Language header")
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Tongue(catalogue.locale, gettext.GNUTranslations(compiled))
