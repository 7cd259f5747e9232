"""Times in words and texts from catalogues, in every language."""

from datetime import datetime
from pathlib import Path

import pytest
from chassis.i18n import LOCALES, format_schedule, translations
from contracts.values.enums import Language
from contracts.values.times import Schedule

SANTIAGO, MADRID = "America/Santiago", "Europe/Madrid"


def schedule(start: str, end: str, zone: str, *, all_day: bool = False) -> Schedule:
    return Schedule(datetime.fromisoformat(start), datetime.fromisoformat(end), zone, all_day)


@pytest.mark.parametrize(
    ("meeting", "english", "spanish"),
    [
        (
            schedule("2026-06-15T15:00", "2026-06-15T15:45", SANTIAGO),
            "Monday, June 15, 2026, 3:00 PM – 3:45 PM (Chile Standard Time, America/Santiago)",
            "lunes, 15 de junio de 2026, 15:00 – 15:45 (hora estándar de Chile, America/Santiago)",
        ),
        (
            schedule("2026-06-15T23:00", "2026-06-16T00:45", "UTC"),
            "Monday, June 15, 2026, 11:00 PM – Tuesday, June 16, 2026, 12:45 AM (Coordinated Universal Time, UTC)",
            "lunes, 15 de junio de 2026, 23:00 – martes, 16 de junio de 2026, 0:45 (tiempo universal coordinado, UTC)",
        ),
        (  # a start in the gap of the night to summer time is shown as the time it is
            schedule("2026-03-29T02:30", "2026-03-29T04:00", MADRID),
            "Sunday, March 29, 2026, 3:30 AM – 4:00 AM (Central European Summer Time, Europe/Madrid)",
            "domingo, 29 de marzo de 2026, 3:30 – 4:00 (hora de verano de Europa central, Europe/Madrid)",
        ),
        (
            schedule("2026-06-15T09:00", "2026-06-15T23:59:59", MADRID, all_day=True),
            "Monday, June 15, 2026",
            "lunes, 15 de junio de 2026",
        ),
        (
            schedule("2026-06-15T00:00", "2026-06-17T00:00", MADRID, all_day=True),
            "Monday, June 15, 2026 – Tuesday, June 16, 2026",
            "lunes, 15 de junio de 2026 – martes, 16 de junio de 2026",
        ),
    ],
    ids=["one day", "over midnight", "DST gap", "all day", "two whole days"],
)
def test_a_meeting_is_said_in_its_own_zone(meeting: Schedule, english: str, spanish: str) -> None:
    assert format_schedule(meeting, Language.ENGLISH).replace("\u202f", " ") == english
    assert format_schedule(meeting, Language.SPANISH) == spanish


def test_every_language_has_a_locale() -> None:
    assert set(LOCALES) == set(Language)


def test_a_catalogue_translates_and_english_needs_none(tmp_path: Path) -> None:
    (tmp_path / "es.po").write_text('msgid "Accept"\nmsgstr "Aceptar"\n')
    assert translations(tmp_path, Language.SPANISH).gettext("Accept") == "Aceptar"
    assert translations(tmp_path, Language.ENGLISH).gettext("Accept") == "Accept"


def test_a_missing_catalogue_is_found_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        translations(tmp_path, Language.SPANISH)
