"""What guests read: texts from catalogues, and times in words, in their language.

English is the language of the source, so its texts are the message ids and it needs no catalogue.
"""

from datetime import datetime, timedelta
from gettext import GNUTranslations, NullTranslations
from importlib.resources.abc import Traversable
from io import BytesIO
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time, get_timezone_name
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from contracts.values.enums import Language
from contracts.values.times import Schedule

LOCALES = {Language.ENGLISH: Locale("en"), Language.SPANISH: Locale("es")}


def language_tag(language: Language) -> str:
    """The language as HTML and HTTP name it (BCP 47)."""
    return str(LOCALES[language]).replace("_", "-")


def translations(folder: Traversable, language: Language) -> NullTranslations:
    """The texts of the gettext catalogue ``<locale>.po`` in this folder."""
    if language is Language.ENGLISH:
        return NullTranslations()
    locale = LOCALES[language]
    with (folder / f"{locale}.po").open("rb") as source:
        catalogue = read_po(source, locale=locale)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


def format_schedule(schedule: Schedule, language: Language) -> str:
    """When a meeting is, in its own zone, which is named; an all-day meeting has days only.

    "Monday, June 15, 2026, 3:00 PM – 3:45 PM (Chile Standard Time, America/Santiago)"
    """
    locale, zone = LOCALES[language], ZoneInfo(schedule.zone)
    start, end = schedule.starts_at.astimezone(zone), schedule.ends_at.astimezone(zone)
    if schedule.all_day:
        first, last = _day(start, locale), _day(end - timedelta(days=1), locale)
        return first if first == last else f"{first} – {last}"
    begins, ends = (f"{_day(moment, locale)}, {format_time(moment, 'short', locale=locale)}" for moment in (start, end))
    if start.date() == end.date():
        ends = format_time(end, "short", locale=locale)
    return f"{begins} – {ends} ({get_timezone_name(start, 'long', locale=locale)}, {schedule.zone})"


def _day(moment: datetime, locale: Locale) -> str:
    return format_date(moment, "full", locale=locale)
