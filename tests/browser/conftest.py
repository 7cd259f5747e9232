"""Headless Chromium and the running platform."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from localrun.platform import Platform
from playwright.async_api import Browser, async_playwright

from tests.support.callers import Caller, calling

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser that CHROMIUM names, or one on PATH; without any, the test is skipped."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip(f"no Chromium: none of {', '.join(_NAMES)} is on PATH, and CHROMIUM is not set")
    return found


@pytest.fixture(scope="session")
async def chromium(chromium_path: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path, args=_QUIET)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def host(platform: Platform) -> AsyncIterator[Caller]:
    """Staff of Andes Wealth, who invites."""
    assert platform.addresses.gateway is not None
    async with calling(platform.addresses.gateway, platform.addresses.people[0]) as caller:
        yield caller
