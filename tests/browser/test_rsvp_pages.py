"""A guest reads the mail, presses its button, confirms, sees the answer recorded, and changes it: in a real browser."""

from dataclasses import dataclass
from typing import Any

import pytest
from contracts.values.ids import uuid7_hex
from localrun.platform import Platform
from playwright.async_api import Browser, expect

from tests.support.browser import DESKTOP, PHONE, browsing, is_readable
from tests.support.callers import Caller, Json
from tests.support.inbox import Inbox

pytestmark = pytest.mark.browser


@dataclass
class Guest:
    """An invited guest: the meeting, the mails, and where to read them."""

    host: Caller
    meeting: Json
    inbox: Inbox
    sink: str

    async def answer(self) -> str:
        """What the host sees."""
        return str((await self.host.sees(self.meeting))["participants"][0]["rsvpStatus"])


async def invite(platform: Platform, host: Caller, *, language: str = "ENGLISH", title: str = "Review") -> Guest:
    sink, address = platform.addresses.mail, f"guest-{uuid7_hex().lower()}@example.com"
    assert sink is not None
    meeting = await host.creates(
        title=title,
        startDateTime="2031-06-16T15:00:00",
        endDateTime="2031-06-16T15:45:00",
        externalAttendees=[{"email": address, "name": "Jane Roe", "language": language}],
    )
    return Guest(host, meeting, Inbox(sink, address), sink)


async def test_from_the_mail_to_a_changed_answer(platform: Platform, host: Caller, chromium: Browser) -> None:
    guest = await invite(platform, host)
    [mail] = await guest.inbox.mails(1)
    async with browsing(chromium, viewport=DESKTOP) as reader:
        await reader.goto(f"{guest.sink}/messages/{mail['id']}")
        async with reader.context.expect_page() as opened:
            await reader.frame_locator("iframe").locator('a[href*="status=ACCEPTED"]').click()
        page = await opened.value
        await expect(page.get_by_role("heading", level=1)).to_have_text("Do you accept this invitation?")
        assert await guest.answer() == "UNKNOWN"

        await page.get_by_role("button", name="Yes, accept").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("You have accepted")
        await expect(page.get_by_role("status")).to_contain_text("The host can see your answer.")
        assert await guest.answer() == "ACCEPTED"

        await page.get_by_role("button", name="Decline instead").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("You have declined")
        await expect(page.get_by_role("status")).to_contain_text("has been changed")
        assert await guest.answer() == "DECLINED"

        await page.reload()  # sends the same answer again, which changes nothing
        await expect(page.get_by_role("heading", level=1)).to_have_text("You have declined")
        assert await guest.answer() == "DECLINED"


async def test_the_keyboard_and_no_script_are_enough(platform: Platform, host: Caller, chromium: Browser) -> None:
    guest = await invite(platform, host, language="SPANISH")
    async with browsing(chromium, viewport=PHONE, java_script_enabled=False, locale="en-US") as page:
        await page.goto((await guest.inbox.rsvp_links())["DECLINED"])
        await expect(page.get_by_role("heading", level=1)).to_have_text("¿Rechaza esta invitación?")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name="Sí, rechazar")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Ha rechazado")
    assert await guest.answer() == "DECLINED"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_pages_are_readable_on_every_screen(
    platform: Platform, host: Caller, chromium: Browser, viewport: Any, scheme: Any
) -> None:
    guest = await invite(platform, host, title="Anlageausschusssitzungsprotokoll" * 6)
    links = await guest.inbox.rsvp_links()
    async with browsing(chromium, viewport=viewport, color_scheme=scheme) as page:
        await page.goto(links["ACCEPTED"])
        await is_readable(page)
        await page.get_by_role("button", name="Yes, accept").click()
        await is_readable(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_refusals_are_readable_too(platform: Platform, host: Caller, chromium: Browser, scheme: Any) -> None:
    guest = await invite(platform, host)
    link = (await guest.inbox.rsvp_links())["ACCEPTED"]
    context = await chromium.new_context(viewport=PHONE, color_scheme=scheme)
    page = await context.new_page()
    for query, heading in (
        (("token=", "token=x"), "This link is not valid"),
        (("ACCEPTED", "x"), "This link is incomplete"),
    ):
        await page.goto(link.replace(*query))
        await expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        await is_readable(page)
    await context.close()
