"""What the console's modules know: words in both languages, and instants of wall-clock times."""

import re
from datetime import datetime

import pytest
from contracts.values.times import to_instant
from localrun.platform import Platform
from playwright.async_api import Browser

from tests.support.console import console

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


async def test_both_languages_have_every_text(platform: Platform, chromium: Browser) -> None:
    async with console(platform, chromium) as page:
        texts = await page.evaluate("import('/console/texts.js').then(({ TEXTS }) => TEXTS)")
        parameters = [{key: sorted(re.findall(r"{\w+}", text)) for key, text in texts[name].items()} for name in texts]
        assert parameters[0] == parameters[1]


async def test_the_page_and_the_platform_agree_about_instants(platform: Platform, chromium: Browser) -> None:
    cases = [
        ("2026-06-15T15:00:00", "America/Santiago"),
        ("2026-03-08T02:30:00", "America/New_York"),  # in the gap
        ("2026-03-08T03:00:00", "America/New_York"),
        ("2026-11-01T01:30:00", "America/New_York"),  # happens twice
        ("2026-10-04T02:15:00", "Australia/Lord_Howe"),  # a gap of half an hour
        ("2026-04-05T01:45:00", "Australia/Lord_Howe"),
        ("2026-01-01T00:00:00", "Asia/Kathmandu"),
        ("2026-09-06T00:00:00", "America/Santiago"),  # midnight does not exist
    ]
    async with console(platform, chromium) as page:
        shown = await page.evaluate(
            """async (cases) => {
                const { toInstant } = await import("/console/zones.js");
                return cases.map(([local, zone]) => toInstant(local, zone).toISOString());
            }""",
            cases,
        )
    expected = [to_instant(datetime.fromisoformat(local), zone) for local, zone in cases]
    assert [datetime.fromisoformat(instant) for instant in shown] == expected
