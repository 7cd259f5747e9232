"""A user connects a calendar in a browser: consent at the provider, and the page that says what became of it."""

from http.cookies import SimpleCookie
from typing import Any

import pytest
from localrun.platform import Platform
from playwright.async_api import Browser, Page, expect

from tests.support.browser import DESKTOP, PHONE, browsing, is_accessible, is_readable
from tests.support.callers import Caller, done

pytestmark = pytest.mark.browser

CALENDAR = "/api/v1/calendar"
ALLOW = {"google": "Continue", "outlook": "Accept"}
NAMES = {"google": "Google Calendar", "outlook": "Outlook"}
FAILURES = ("declined", "incomplete", "expired", "already-connected", "refused", "unavailable", "other-browser")


async def consent(page: Page, host: Caller, provider: str, email: str, *, same_browser: bool = True) -> None:
    """Open the provider's page, as the product's frontend would, and name the account there."""
    answer = await host.post(f"{CALENDAR}/connect/{provider}")
    if same_browser:
        cookie = SimpleCookie(answer.headers["set-cookie"])
        url = f"{host.http.base_url}{CALENDAR}/callback/"
        await page.context.add_cookies([{"name": one.key, "value": one.value, "url": url} for one in cookie.values()])
    await page.goto(done(answer)["authorizationUrl"])
    if provider == "google":
        await page.get_by_label("Use another account").check()
    await page.locator('input[name="other"]').fill(email)
    await is_accessible(page)


@pytest.mark.parametrize("provider", ["google", "outlook"])
async def test_a_user_connects(host: Caller, chromium: Browser, provider: str) -> None:
    email = f"browser@{provider}.example.com"
    async with browsing(chromium, viewport=DESKTOP) as page:
        await consent(page, host, provider, email)
        await page.get_by_role("button", name=ALLOW[provider]).click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your calendar is connected")
        await expect(page.get_by_role("status")).to_contain_text(NAMES[provider])
        await expect(page.get_by_role("main")).to_contain_text(email)
        await is_readable(page)
        came_back = page.url
        connection = done(await host.get(f"{CALENDAR}/connection"))
        assert (connection["status"], connection["calendarEmail"]) == ("CONNECTED", email)

        await page.go_back()
        await page.goto(came_back)  # looking at the page again changes nothing
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your calendar is connected")
    assert done(await host.post(f"{CALENDAR}/disconnect"))["status"] == "DISCONNECTED"


@pytest.mark.parametrize("provider", ["google", "outlook"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_a_user_who_was_sent_the_link_of_another_is_asked(
    host: Caller, chromium: Browser, provider: str, viewport: Any
) -> None:
    email = f"victim@{provider}.example.com"
    async with browsing(chromium, viewport=viewport) as page:
        for button, heading in (
            ("No, do not connect", "Your calendar was not connected"),
            ("Yes, connect", "Your calendar is connected"),
        ):
            await consent(page, host, provider, email, same_browser=False)
            await page.get_by_role("button", name=ALLOW[provider]).click()
            await expect(page.get_by_role("heading", level=1)).to_have_text("Do you want to connect this calendar?")
            for shown in (email, host.person.email):
                await expect(page.get_by_role("main")).to_contain_text(shown)
            await is_readable(page)
            assert done(await host.get(f"{CALENDAR}/connection"))["status"] != "CONNECTED"
            await page.get_by_role("button", name=button).click()
            await expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        await expect(page.get_by_role("main")).to_contain_text(email)
    assert done(await host.post(f"{CALENDAR}/disconnect"))["status"] == "DISCONNECTED"


@pytest.mark.parametrize("provider", ["google", "outlook"])
async def test_a_user_declines_in_spanish(host: Caller, chromium: Browser, provider: str) -> None:
    async with browsing(chromium, viewport=PHONE, locale="es-CL") as page:
        await consent(page, host, provider, "browser@example.com")
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("No se ha conectado su calendario")
        await is_readable(page)
    assert done(await host.get(f"{CALENDAR}/connection"))["status"] != "CONNECTED"


async def test_a_user_grants_too_little(host: Caller, chromium: Browser) -> None:
    async with browsing(chromium, viewport=DESKTOP) as page:
        await consent(page, host, "google", "browser@example.com")
        await page.locator('input[name="scope"][value$="calendar.events"]').uncheck()
        await page.get_by_role("button", name="Continue").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your calendar was not connected")
        await expect(page.get_by_role("main")).to_contain_text("Not every permission that is needed was granted.")
    assert done(await host.get(f"{CALENDAR}/connection"))["status"] != "CONNECTED"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_every_result_is_readable(platform: Platform, chromium: Browser, viewport: Any, scheme: Any) -> None:
    callback = f"{platform.addresses.gateway}{CALENDAR}/callback"
    async with browsing(chromium, viewport=viewport, color_scheme=scheme) as page:
        texts = set()
        for path in ("success?provider=google", *(f"oauth-failed?reason={reason}" for reason in FAILURES)):
            await page.goto(f"{callback}/{path}")
            await is_readable(page)
            texts.add(await page.get_by_role("main").inner_text())
        assert len(texts) == 1 + len(FAILURES)
