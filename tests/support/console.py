"""The demo console in a browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from localrun.platform import Platform
from playwright.async_api import Browser, Page, expect

from tests.support.browser import DESKTOP, browsing

ZONE = "America/Santiago"


@asynccontextmanager
async def console(
    platform: Platform, chromium: Browser, name: str = "Valentina Rojas", **options: Any
) -> AsyncIterator[Page]:
    """The console in English on a desktop, with somebody logged in."""
    settings = {"viewport": DESKTOP, "locale": "en-US", "timezone_id": ZONE} | options
    async with browsing(chromium, app=platform.addresses.console, **settings) as page:
        await page.goto(platform.addresses.console)
        await page.evaluate("localStorage.setItem('meetings-console-language', 'en')")
        await page.reload()
        await page.get_by_role("button", name=name).click()
        await expect(page.locator("#stream")).to_have_text("Live", timeout=20_000)
        yield page
