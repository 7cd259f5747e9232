"""The reference of the API at /docs: accessible, in light and dark, and requests can be sent from it."""

from typing import Any

import pytest
from localrun.platform import Platform
from playwright.async_api import Browser, Page, expect

from tests.support.browser import DESKTOP, PHONE, is_accessible

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

IDENTITY = ("x-tenant-uuid", "x-user-id", "x-user-email", "x-user-type")


async def try_out(page: Page, summary: str) -> None:
    """Open an operation and its form."""
    await page.locator(".opblock-summary-control", has_text=summary).click()
    await page.get_by_role("button", name="Try it out").click()
    await expect(page.get_by_role("button", name="Execute")).to_be_visible()


@pytest.mark.parametrize(("viewport", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")], ids=["phone", "desktop"])
async def test_the_reference_is_accessible(platform: Platform, chromium: Browser, viewport: Any, scheme: Any) -> None:
    context = await chromium.new_context(viewport=viewport, color_scheme=scheme)
    page = await context.new_page()
    await page.goto(f"{platform.addresses.gateway}/docs")
    await expect(page.locator(".opblock-summary-control").first).to_be_visible()
    assert await page.locator("html").get_attribute("lang") == "en"
    await try_out(page, "Set Preferences")
    await is_accessible(page)
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await page.evaluate(overflow) <= 0
    await page.locator(".btn.authorize").first.click()
    await is_accessible(page)
    await context.close()


async def test_an_example_is_sent_as_it_is(platform: Platform, chromium: Browser) -> None:
    person = platform.addresses.people[0]
    context = await chromium.new_context(viewport=DESKTOP)
    page = await context.new_page()
    await page.goto(f"{platform.addresses.gateway}/docs")
    await page.locator(".btn.authorize").first.click()
    dialog = page.locator(".modal-ux")
    for index, value in enumerate([person.token, *(person.headers[name] for name in IDENTITY)]):
        form = dialog.locator(".auth-container").nth(index)
        await form.locator("input").fill(value)
        await form.get_by_role("button", name="Apply credentials").click()
    await dialog.get_by_role("button", name="Close").last.click()
    await try_out(page, "Create Meeting")
    await page.get_by_role("button", name="Execute").click()
    await expect(page.locator(".live-responses-table .response .response-col_status").first).to_contain_text(
        "201", timeout=30_000
    )
    await context.close()
