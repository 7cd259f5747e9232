"""The pages of the simulated world and the gateway's own, readable on every screen."""

from functools import partial
from typing import Any

import pytest
from contracts.values.ids import uuid7_hex
from localrun.platform import Platform
from playwright.async_api import Browser, expect

from tests.support.browser import DESKTOP, PHONE, browsing, is_readable
from tests.support.callers import Caller
from tests.support.inbox import Inbox
from tests.support.outside import Outside, disconnect, outsides
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

LONG = "Anlageausschusssitzungsprotokoll" * 3


@pytest.fixture(scope="module")
async def pages(platform: Platform, host: Caller) -> list[str]:
    """A mail with all its parts, and a calendar of each provider with our meeting in it."""
    addresses, found = platform.addresses, [platform.addresses.mail]
    found += [platform.addresses.gateway, f"{platform.addresses.gateway}/docs/filters"]
    with outsides(platform) as providers:
        for name, simulator in (("google", addresses.google), ("outlook", addresses.microsoft)):
            email = f"{uuid7_hex().lower()}@{name}.example.com"
            await disconnect(host)
            await providers[name].connect(host, email)
            guest = f"guest-{uuid7_hex().lower()}@example.com"
            await host.creates(
                title=LONG, description="https://example.com/" + "x" * 200, externalAttendees=[{"email": guest}]
            )
            [mail] = await Inbox(addresses.mail, guest).mails(1)
            await until(partial(_is_shown, providers[name], email), what="our meeting in the calendar", within=30)
            found += [f"{addresses.mail}/messages/{mail['id']}", simulator, f"{simulator}/accounts/{email}"]
        await disconnect(host)
    return found


async def _is_shown(provider: Outside, email: str) -> bool:
    """Whether the meeting is there, beside others that the host may have from other tests."""
    return LONG in [event.title for event in provider.events(email)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_every_page_is_readable(pages: list[str], chromium: Browser, viewport: Any, scheme: Any) -> None:
    async with browsing(chromium, viewport=viewport, color_scheme=scheme) as page:
        for address in pages:
            await page.goto(address)
            for summary in await page.locator("summary").all():
                await summary.click()
            await is_readable(page)


async def test_mails_are_found_by_their_recipient(platform: Platform, host: Caller, chromium: Browser) -> None:
    guest = f"guest-{uuid7_hex().lower()}@example.com"
    await host.creates(title="Sought", externalAttendees=[{"email": guest}])
    await Inbox(platform.addresses.mail, guest).mails(1)
    async with browsing(chromium, viewport=PHONE) as page:
        await page.goto(platform.addresses.mail)
        await page.get_by_role("searchbox").fill(guest.upper())
        await page.get_by_role("button", name="Search").click()
        await expect(page.locator("[role=status]")).to_contain_text("1 found")
        await expect(page.get_by_role("article")).to_have_count(1)
