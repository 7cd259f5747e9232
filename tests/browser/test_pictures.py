"""The pictures of README, taken from the running platform, so that they are true.

`make pictures` keeps them in docs/pictures; without PICTURES they are only taken.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from localrun.platform import Platform
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.support.browser import PHONE, browsing
from tests.support.callers import Caller
from tests.support.inbox import Inbox
from tests.support.outside import disconnect, outsides

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

ZONE, SCREEN = "America/Santiago", ViewportSize(width=1280, height=860)
ROOT = Path(__file__).parents[2]
WEEK = [
    (0, 9, "Portfolio review: Whitfield family"),
    (1, 11, "Onboarding"),
    (2, 15, "Quarterly portfolio review"),
    (3, 10, "Tax planning"),
    (4, 12, "Team lunch"),
]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ["PICTURES"]) if "PICTURES" in os.environ else tmp_path
    folder.mkdir(exist_ok=True)
    return folder


async def take(page: Page, folder: Path, name: str) -> None:
    await page.screenshot(path=folder / f"{name}.png", animations="disabled")


async def fill_week(platform: Platform, host: Caller, guest: str) -> None:
    """A week of meetings, one of them accepted by a guest from outside."""
    today = datetime.now(UTC).date()
    monday = today - timedelta(days=today.weekday())
    for day, hour, title in WEEK:
        start = f"{monday + timedelta(days=day)}T{hour:02}:00:00"
        end = f"{monday + timedelta(days=day)}T{hour + 1:02}:00:00"
        guests = [{"email": guest, "name": "Jane Roe"}] if title == "Quarterly portfolio review" else []
        await host.creates(
            title=title,
            startDateTime=start,
            endDateTime=end,
            timezone=ZONE,
            contactIds=platform.addresses.contacts[:1],
            staffIds=platform.addresses.staff[:1],
            externalAttendees=guests,
        )
    accept = (await Inbox(platform.addresses.mail, guest).rsvp_links())["ACCEPTED"]
    async with httpx.AsyncClient(trust_env=False) as http:
        (await http.put(accept.replace("&confirm=1", ""), json={"status": "ACCEPTED"})).raise_for_status()


async def log_in(page: Page, app: str) -> None:
    await page.goto(app)
    await page.evaluate("localStorage.setItem('meetings-console-language', 'en')")
    await page.reload()
    await page.get_by_role("button", name="Valentina Rojas").click()
    await expect(page.locator("#stream")).to_have_text("Live", timeout=20_000)


async def test_the_pictures_of_readme(platform: Platform, host: Caller, chromium: Browser, pictures: Path) -> None:
    app, guest, account = platform.addresses.console, "jane.roe@pictures.example.com", host.person.email
    await disconnect(host)
    with outsides(platform) as providers:
        await providers["google"].connect(host, account)
        await fill_week(platform, host, guest)
        async with browsing(chromium, app=app, viewport=SCREEN, locale="en-US", timezone_id=ZONE) as page:
            await log_in(page, app)
            await page.get_by_role("button", name="New meeting").click()
            await page.locator("#editor").get_by_role("textbox", name="Title").fill("Portfolio review: González")
            await page.locator("#editor").get_by_role("checkbox", name="Ana González").check()
            await page.locator("#editor").get_by_role("button", name="Save").click()
            created = page.locator(".activity-card", has_text="POST /api/v1/meetings")
            await expect(created.get_by_text("calendar-sync → calendar.events").first).to_be_visible(timeout=20_000)
            await page.evaluate("document.getElementById('notice').textContent = ''")
            await take(page, pictures, "console")
            await page.locator(".ec-event", has_text="Quarterly portfolio review").focus()
            await page.keyboard.press("Enter")
            await expect(page.locator("#meeting li", has_text="Jane Roe")).to_contain_text("accepted")
            await expect(page.locator("#meeting")).to_contain_text("in the host's calendar", timeout=20_000)
            await take(page, pictures, "meeting")
            [mail, *_] = await Inbox(platform.addresses.mail, guest).mails(1)
            await page.goto(f"{platform.addresses.mail}/messages/{mail['id']}")
            await take(page, pictures, "mail")
            await page.goto(f"{platform.addresses.google}/accounts/{account}")
            await take(page, pictures, "google")
        options = {"viewport": PHONE, "color_scheme": "dark", "locale": "en-US", "timezone_id": ZONE}
        async with browsing(chromium, app=app, **options) as page:
            await log_in(page, app)
            await expect(page.locator(".ec-event").first).to_be_visible()
            await take(page, pictures, "console-phone-dark")
    await disconnect(host)
    readme = (ROOT / "README.md").read_text()
    for name in ("console", "meeting"):
        assert (pictures / f"{name}.png").stat().st_size > 10_000
        assert f"docs/pictures/{name}.png" in readme
        assert (ROOT / "docs" / "pictures" / f"{name}.png").exists()
