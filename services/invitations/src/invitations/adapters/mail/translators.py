"""The languages of mails.

To add one: its name in the contracts' ``Language``, its locale in the chassis' ``LOCALES``, and its catalogue here, as
``locales/<locale>.po``. A test fails for every text that a catalogue lacks.
"""

from dataclasses import dataclass
from functools import lru_cache
from gettext import NullTranslations
from pathlib import Path

from chassis.i18n import format_schedule, language_tag, translations
from contracts.values.enums import Language
from contracts.values.times import Schedule

CATALOGUES = Path(__file__).with_name("locales")


@dataclass(frozen=True, slots=True)
class Translator:
    """Translates into one language."""

    language: Language
    texts: NullTranslations

    @property
    def tag(self) -> str:
        """The language for HTML, as BCP 47 has it."""
        return language_tag(self.language)

    def translate(self, text: str, **fields: str) -> str:
        """The text in this language, with its ``%(field)s`` filled in."""
        said = self.texts.gettext(text)
        return said % fields if fields else said

    def when(self, schedule: Schedule) -> str:
        """When a meeting is, in its own zone, which is named."""
        return _when(schedule, self.language)


@lru_cache(maxsize=1024)  # the guests of a meeting are mailed one after the other
def _when(schedule: Schedule, language: Language) -> str:
    # Unicode's locale data has a narrow no-break space before AM and PM, which old mail programs show as a box.
    return format_schedule(schedule, language).replace("\u202f", "\u00a0")


def load_translators() -> dict[Language, Translator]:
    """Every language of the contracts.

    Raises:
        FileNotFoundError: one has no catalogue.
    """
    return {language: Translator(language, translations(CATALOGUES, language)) for language in Language}
