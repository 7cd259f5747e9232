"""What people do, done over the addresses that the demonstration publishes; run where its localhost is.

python -m tests.deployment.rehearsal.drive first|again
"""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx
from contracts.values.ids import uuid7_hex
from localrun.people import log_in_as
from playwright.async_api import Browser, Page, async_playwright, expect
from simulators.google.settings import Settings as GoogleSettings
from simulators.google.testing import Google
from simulators.microsoft.settings import Settings as MicrosoftSettings
from simulators.microsoft.testing import Microsoft
from simulators.platform import seed

from tests.support.calendars import GoogleConsents, MicrosoftConsents
from tests.support.callers import MEETINGS, Caller, Json, calling, done, path_of
from tests.support.deployment import demo_environment
from tests.support.gateway import body
from tests.support.inbox import Inbox
from tests.support.outside import CALENDAR, Outside
from tests.support.owners import LENGTH, Owner, in_days
from tests.support.waiting import Found, until

GATEWAY, MAIL, PLATFORM = "http://localhost:8080", "http://localhost:8025", "http://localhost:8070"
GOOGLE, MICROSOFT = "http://localhost:8071", "http://localhost:8072"
_PATIENCE = 240.0
_PAGE_SECONDS = 60.0
_REPEAT = frozenset({202, 502, 503, 504})
"""What a client repeats with the same key: accepted and not known yet, or not accepted."""
_HOSTS = {"google": seed.VALENTINA, "outlook": seed.DANIEL}
_ALLOW = {"google": "Continue", "outlook": "Accept"}


@dataclass(frozen=True)
class World:
    """The people and the calendars around the platform."""

    hosts: dict[str, Caller]
    """By the provider of their calendars."""
    owners: dict[str, Owner]


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long it took, one line each for the table."""
    began = time.monotonic()
    yield
    print(f"{what}\t{time.monotonic() - began:.1f}", flush=True)


@asynccontextmanager
async def opened() -> AsyncIterator[World]:
    with ExitStack() as closing:
        google = closing.enter_context(Google(GOOGLE, GoogleSettings.model_validate(_client("google"))))
        microsoft = closing.enter_context(Microsoft(MICROSOFT, MicrosoftSettings.model_validate(_client("microsoft"))))
        outsides = {
            "google": Outside("google", google, GoogleConsents(google)),
            "outlook": Outside("outlook", microsoft, MicrosoftConsents(microsoft)),
        }
        owners = {name: Owner(outside, f"host@{name}.example.com") for name, outside in outsides.items()}
        people = {name: log_in_as(PLATFORM, who) for name, who in _HOSTS.items()}
        async with calling(GATEWAY, people["google"]) as valentina, calling(GATEWAY, people["outlook"]) as daniel:
            yield World({"google": valentina, "outlook": daniel}, owners)


def _client(provider: str) -> dict[str, str]:
    """Who calendar-sync is to a provider."""
    names = (f"{provider}_client_id", f"{provider}_client_secret")
    return {name: demo_environment()[name.upper()] for name in names}


async def first() -> None:
    """A new installation: log in, invite a guest who answers in a browser, connect both calendars in a browser."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    async with async_playwright() as playwright, opened() as world:
        path = os.environ.get("CHROMIUM") or shutil.which("chromium")
        chromium = await playwright.chromium.launch(executable_path=path, args=arguments)
        await _answer_in_a_browser(world.hosts["google"], chromium)
        for provider, host in world.hosts.items():
            await _connect_in_a_browser(host, chromium, provider, world.owners[provider].email)
        await chromium.close()


async def again() -> None:
    """A platform that is in use: all that happens to a meeting, at both providers."""
    async with opened() as world:
        for provider, host in world.hosts.items():
            with timed(f"a meeting, {provider}"):
                await _life_of_a_meeting(host, world.owners[provider])


async def _new_page(chromium: Browser) -> Page:
    expect.set_options(timeout=_PAGE_SECONDS * 1000)
    page = await chromium.new_page()
    page.set_default_timeout(_PAGE_SECONDS * 1000)
    return page


async def _answer_in_a_browser(host: Caller, chromium: Browser) -> None:
    address = f"guest-{uuid7_hex().lower()}@example.com"
    with timed("create a meeting, the mail arrives"):
        meeting = await host.creates(title="Review", externalAttendees=[{"email": address, "name": "Jane Roe"}])
        links = await Inbox(MAIL, address).rsvp_links()
    with timed("the guest answers in Chromium"):
        page = await _new_page(chromium)
        await page.goto(links["ACCEPTED"])
        await page.get_by_role("button", name="Yes, accept").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("You have accepted")
        assert (await host.sees(meeting))["participants"][0]["rsvpStatus"] == "ACCEPTED"
        await page.close()


async def _connect_in_a_browser(host: Caller, chromium: Browser, provider: str, email: str) -> None:
    with timed(f"connect {provider} in Chromium"):
        page = await _new_page(chromium)
        await page.goto(done(await host.post(f"{CALENDAR}/connect/{provider}"))["authorizationUrl"])
        if provider == "google":
            await page.get_by_label("Use another account").check()
        await page.locator('input[name="other"]').fill(email)
        await page.get_by_role("button", name=_ALLOW[provider]).click()
        await page.get_by_role("button", name="Yes, connect").click()  # asked, since another program began: this one
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your calendar is connected")
        await page.close()


async def _life_of_a_meeting(host: Caller, owner: Owner) -> None:
    """Each step is repeated until it succeeds: something may have been killed a moment ago."""
    title, address = uuid7_hex(), f"guest-{uuid7_hex().lower()}@example.com"
    begins, ends = (f"{at:%Y-%m-%dT%H:%M:%S}" for at in (in_days(7), in_days(7) + LENGTH))
    content = body(title=title, startDateTime=begins, endDateTime=ends, externalAttendees=[{"email": address}])
    meeting = await _accepted(lambda: host.post(MEETINGS, content, idempotency_key=title), 201)

    async def mailed() -> dict[str, str] | None:
        with suppress(httpx.TransportError, AssertionError):
            return await Inbox(MAIL, address).rsvp_links()
        return None

    link = (await _until(mailed, f"a mail to {address}"))["DECLINED"]
    path, token = urlsplit(link).path, parse_qs(urlsplit(link).query)["token"][0]
    await _accepted(lambda: host.http.put(path, params={"token": token}, json={"status": "DECLINED"}))

    async def copied() -> str | None:
        with suppress(ValueError, httpx.HTTPError):
            return owner.copy_of(meeting)
        return None

    event = await _until(copied, f"the meeting is in {owner.email}'s calendar")
    renamed = uuid7_hex()
    owner.renames(event, renamed)

    async def came_back() -> bool:
        return bool((await _accepted(lambda: host.get(path_of(meeting))))["title"] == renamed)

    await _until(came_back, "an edit in the calendar is in the meeting")
    await _accepted(lambda: host.post(f"{path_of(meeting)}/cancel", idempotency_key=renamed))


async def _accepted(ask: Callable[[], Awaitable[httpx.Response]], status: int = 200) -> Json:
    """The answer of a client that repeats what was not carried out."""

    async def answered() -> Json | None:
        with suppress(httpx.TransportError):
            answer = await ask()
            if answer.status_code not in _REPEAT:
                return done(answer, status)
        return None

    return await _until(answered, "an answer")


async def _until(ask: Callable[[], Awaitable[Found | None]], what: str) -> Found:
    return await until(ask, what=what, within=_PATIENCE)


if __name__ == "__main__":
    asyncio.run({"first": first, "again": again}[sys.argv[1]]())
