"""Names and prose keep to docs/glossary.md: what was renamed does not come back."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_SUFFIXES = {".py", ".md", ".yaml", ".yml", ".json", ".html", ".po"}
_SKIPPED = {"__pycache__", "node_modules", "generated", "released", "samples", "schemas"}

OLD_NAMES = {
    r"gaveUp|gave_up|give_back|again_in|per_lane|pause_lane|WORK_(ENDED|OVERDUE|IN_HAND|ABANDONED)": "job queue",
    r"OUTBOX_GRACE|outbox_grace|outbox_swept|webhook_hints|calendar_pulls|calendar_watches": "metrics and settings",
    r"HINTS_REST|HINTS_WAITING|REFUSED_PER_ADDRESS": "settings of webhook-ingest",
    r"(MOST|LONGEST|SHORTEST|FEWEST)_[A-Z]+": "MAX_ and MIN_ for limits",
    r"Hints|Gatekeeper|KeySet|Wish|CallerRoute|LinkRoute|ResultRoute": "gateway and webhooks",
    r"Sighting|Imported(?=\()|Listing|BusyReader|CalendarReader|StoredHosts|lengthClass|length_class": "meeting-core",
    r"Conceded|Manners|Tongue|TakingLeave|PutOff|rests_until|stands_in|asked_in|WritingDesk": "sync and mail",
    r"CopyChanged|CopyRemoved|CalendarHinted|PreferModal|BeginConsent|ResealSecrets|resealed|one_line": "contracts",
}
BANNED_PROSE = r"the house|doors?|believed|farewells?|nobody|whoever|in vain"
PROSE = (
    "libs/chassis/src",
    "libs/contracts/src",
    "services/api-gateway/src",
    "services/meeting-core/src",
    "services/webhook-ingest/src",
    "tools",
    "docs/how-to",
    "docs/README.md",
    "docs/architecture.md",
    "README.md",
    "CONTRIBUTING.md",
)


def lines(*places: str) -> Iterator[tuple[str, str]]:
    """The text of these files and folders, line by line, with where each line is."""
    for place in places:
        found = [ROOT / place] if (ROOT / place).is_file() else sorted((ROOT / place).rglob("*"))
        for path in found:
            if path.suffix in _SUFFIXES and path.is_file() and not _SKIPPED & set(path.parts):
                for number, line in enumerate(path.read_text().splitlines(), 1):
                    yield f"{path.relative_to(ROOT)}:{number}", line


@pytest.mark.parametrize("pattern", OLD_NAMES, ids=OLD_NAMES.values())
def test_an_old_name_does_not_come_back(pattern: str) -> None:
    old = re.compile(rf"(?<![A-Za-z0-9_-])({pattern})(?![A-Za-z0-9_])")
    found = [
        f"{place}: {line.strip()}" for place, line in lines("services", "libs", "deploy", "docs") if old.search(line)
    ]
    assert found == [], "docs/glossary.md has the new name"


def test_prose_has_no_banned_words() -> None:
    banned = re.compile(rf"\b({BANNED_PROSE})\b", re.IGNORECASE)
    found = [f"{place}: {line.strip()}" for place, line in lines(*PROSE) if banned.search(line)]
    assert found == [], "say who does what, in a short active sentence (CONTRIBUTING.md, Names and prose)"
