"""The demo console in a real browser: everything that one person does with meetings, and what others see of it."""

import json
import re
from typing import Any

import httpx
import pytest
from contracts.values.ids import uuid7_hex
from localrun.platform import Platform
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.browser import DESKTOP, PHONE, browsing, is_accessible
from tests.support.callers import Caller, done
from tests.support.console import ZONE, console
from tests.support.inbox import Inbox
from tests.support.outside import disconnect, outsides

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def filters(field: str, value: str) -> str:
    return json.dumps({"filters": [{"field": field, "operator": "equals", "value": value}]})


def event(page: Page, title: str) -> Locator:
    return page.locator(".ec-event", has_text=title)


async def open_meeting(page: Page, title: str) -> Locator:
    """Open a meeting by the keyboard; its dialog."""
    await event(page, title).first.focus()
    await page.keyboard.press("Enter")
    dialog = page.locator("#meeting")
    await expect(dialog.get_by_role("heading", level=2)).to_have_text(title)
    return dialog


async def this_week(host: Caller, page: Page, **changes: Any) -> dict[str, Any]:
    """A meeting at ten on the second day of the week that the calendar shows."""
    day = await page.locator(".ec-col-head time").nth(1).get_attribute("datetime")
    times = {"startDateTime": f"{day}T10:00:00", "endDateTime": f"{day}T11:00:00", "timezone": ZONE}
    meeting = await host.creates(title=f"Drag {uuid7_hex()[-6:]}", **times, **changes)
    await expect(event(page, meeting["title"])).to_be_visible()
    return meeting


async def drag_down(page: Page, title: str, hours: float) -> None:
    """Drag an event down by hours of the calendar's scale."""
    box = await event(page, title).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 8
    await page.mouse.move(x, y)
    await page.mouse.down()
    for step in range(1, 9):
        await page.mouse.move(x, y + box["height"] * hours * step / 8)
    await page.mouse.up()


async def test_a_meeting_from_its_creation_to_its_removal(platform: Platform, chromium: Browser) -> None:
    title, guest = f"Console {uuid7_hex()[-6:]}", f"guest-{uuid7_hex().lower()}@example.com"
    async with console(platform, chromium) as page:
        await page.get_by_role("button", name="New meeting").click()
        editor = page.locator("#editor")
        await editor.get_by_role("textbox", name="Title").fill(title)
        await editor.get_by_label("Guests from outside").fill(f"Jane Roe <{guest}>")
        await editor.get_by_role("checkbox", name="Daniel Price").check()
        await expect(editor.locator("[data-person]").first).to_have_text(re.compile("free|busy"))
        await editor.get_by_role("button", name="Save").click()
        await expect(page.locator("#notice")).to_contain_text("was created")
        await expect(event(page, title)).to_be_visible()

        card = page.locator(".activity-card", has_text="POST /api/v1/meetings").first
        for topic in (
            "api-gateway → meetings.commands",
            "meeting-core → meetings.events",
            "invitations → invitations.events",
        ):
            await expect(card.get_by_text(topic).first).to_be_visible()

        dialog = await open_meeting(page, title)
        await expect(dialog.locator("li", has_text="Jane Roe")).to_contain_text("has not answered")
        accept = (await Inbox(platform.addresses.mail, guest).rsvp_links())["ACCEPTED"]
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.put(accept.replace("&confirm=1", ""), json={"status": "ACCEPTED"})).status_code == 200
        await expect(dialog.locator("li", has_text="Jane Roe")).to_contain_text("accepted")

        page.once("dialog", lambda asked: asked.accept())
        await dialog.get_by_role("button", name="Cancel the meeting").click()
        await expect(dialog.locator("dd", has_text="Canceled")).to_be_visible()
        await dialog.get_by_role("button", name="Remove from my calendar").click()
        await expect(event(page, title)).to_have_count(0)


async def test_dragging_moves_a_meeting(platform: Platform, host: Caller, chromium: Browser) -> None:
    async with console(platform, chromium) as page:
        meeting = await this_week(host, page)
        await drag_down(page, meeting["title"], hours=2)
        await expect(page.locator("#notice")).to_contain_text("was moved")
        moved = await host.sees(meeting)
        assert moved["startDateTime"] == meeting["startDateTime"].replace("T10", "T12")
        assert moved["endDateTime"] == meeting["endDateTime"].replace("T11", "T13")


async def test_a_drag_over_a_newer_version_shows_that_version(
    platform: Platform, host: Caller, chromium: Browser
) -> None:
    async with console(platform, chromium) as page:
        meeting = await this_week(host, page)
        await page.route("**/api/v2/meetings", lambda route: route.abort())  # nothing newer is shown from here on
        await host.changes(meeting, description="by somebody else")
        await drag_down(page, meeting["title"], hours=2)
        await expect(page.locator("#meeting")).to_contain_text("by somebody else")
        assert (await host.sees(meeting))["startDateTime"] == meeting["startDateTime"]


@pytest.mark.parametrize(("choice", "title"), [("Save mine over it", "mine"), ("Use the newer version", "theirs")])
async def test_a_conflict_shows_what_changed(
    platform: Platform, host: Caller, chromium: Browser, choice: str, title: str
) -> None:
    async with console(platform, chromium) as page:
        meeting = await this_week(host, page)
        dialog = await open_meeting(page, meeting["title"])
        await dialog.get_by_role("button", name="Edit").click()
        editor = page.locator("#editor")
        await editor.get_by_role("textbox", name="Title").fill("mine")
        await host.changes(meeting, title="theirs", description="by somebody else")
        await editor.get_by_role("button", name="Save").click()
        await expect(editor.get_by_role("alert")).to_contain_text("Title. Now: theirs")
        await editor.get_by_role("button", name=choice).click()
        if choice == "Use the newer version":
            await expect(editor.get_by_role("textbox", name="Title")).to_have_value("theirs")
            await editor.get_by_role("button", name="Close").click()
        else:
            await expect(page.locator("#notice")).to_contain_text("was saved")
        seen = await host.sees(meeting)
        assert (seen["title"], seen["description"]) == (title, "by somebody else")


async def test_a_colleague_answers(platform: Platform, host: Caller, chromium: Browser) -> None:
    async with console(platform, chromium, "Daniel Price") as page:
        meeting = await this_week(host, page, staffIds=[platform.addresses.people[1].user_id])
        dialog = await open_meeting(page, meeting["title"])
        assert await dialog.get_by_role("button", name="Edit").count() == 0
        await dialog.get_by_role("button", name="Decline").click()
        await expect(dialog.locator("li", has_text="Daniel")).to_contain_text("declined")
        assert (await host.sees(meeting))["participants"][0]["rsvpStatus"] == "DECLINED"


async def test_a_calendar_is_connected_read_and_disconnected(
    platform: Platform, host: Caller, chromium: Browser
) -> None:
    email, title = f"{uuid7_hex().lower()}@gmail.example.com", f"Dentist {uuid7_hex()[-6:]}"
    await disconnect(host)
    with outsides(platform) as providers:
        async with console(platform, chromium) as page:
            async with page.expect_popup() as opened:
                await page.get_by_role("button", name="Connect Google Calendar").click()
            consent = await opened.value
            await consent.get_by_label("Use another account").check()
            await consent.locator('input[name="other"]').fill(email)
            await consent.get_by_role("button", name="Continue").click()
            await expect(consent.get_by_role("heading", level=1)).to_have_text("Your calendar is connected")
            await consent.close()
            connection = page.locator("#connection")
            await expect(connection).to_contain_text(f"connected as {email}")

            day = await page.locator(".ec-col-head time").nth(2).get_attribute("datetime")
            times = {
                end: {"dateTime": f"{day}T{hour}:00:00", "timeZone": ZONE} for end, hour in (("start", 12), ("end", 13))
            }
            resource = {"summary": title, **times}
            providers["google"].simulator.control("POST", f"accounts/{email}/events", resource)
            await connection.get_by_role("button", name="Read it now").click()
            await expect(event(page, title)).to_be_visible(timeout=20_000)
            dialog = await open_meeting(page, title)
            await expect(dialog).to_contain_text("imported from Google Calendar")
            await dialog.get_by_role("button", name="Close").click()

            providers["google"].simulator.fault(
                "error", account=email, status=403, reason="forbidden", operation="events.*"
            )
            meeting = await this_week(host, page)
            dialog = await open_meeting(page, meeting["title"])
            await expect(dialog.locator(".problem")).to_contain_text("failed: PERMISSION_DENIED", timeout=30_000)
            providers["google"].simulator.control("DELETE", "faults")
            await dialog.get_by_role("button", name="Try again").click()
            await expect(dialog).to_contain_text("in the host's calendar", timeout=30_000)
            await dialog.get_by_role("button", name="Close").click()

            await connection.get_by_role("button", name="Disconnect").click()
            await expect(connection).to_contain_text("Google Calendar is disconnected.")
    assert done(await host.get("/api/v1/calendar/connection"))["status"] == "DISCONNECTED"


async def test_meetings_are_found_by_examples_of_the_filter_language(
    platform: Platform, host: Caller, chromium: Browser
) -> None:
    async with console(platform, chromium) as page:
        meeting = await this_week(host, page)
        await page.locator("#find > summary").click()
        request = page.get_by_label("Filters, as JSON")
        for example in await page.get_by_label("Example").locator("option").all():
            await page.get_by_label("Example").select_option(await example.get_attribute("value"))
            await page.get_by_role("button", name="Search").click()
            await expect(page.locator("#find [role=status] p")).to_contain_text("found")
        await request.fill((await request.input_value()).replace("status", "nonsense"))
        await page.get_by_role("button", name="Search").click()
        await expect(page.locator("#notice")).to_contain_text("must be one of")
        await request.fill(
            f'{{"filters": [{{"field": "title", "operator": "equals", "value": "{meeting["title"]}"}}]}}'
        )
        await page.get_by_role("button", name="Search").click()
        await page.locator("#find").get_by_role("button", name=meeting["title"]).click()
        await expect(page.locator("#meeting").get_by_role("heading", level=2)).to_have_text(meeting["title"])


async def test_the_keyboard_and_a_phone_are_enough_in_spanish(platform: Platform, chromium: Browser) -> None:
    app = platform.addresses.console
    async with browsing(chromium, app=app, viewport=PHONE, locale="es-CL", timezone_id=ZONE) as page:
        await page.goto(app)
        await expect(page.get_by_role("heading", level=2, name="Entrar como")).to_be_visible()
        await page.get_by_role("button", name="Valentina Rojas").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#stream")).to_have_text("En directo", timeout=20_000)
        assert await page.locator("html").get_attribute("lang") == "es"
        await page.get_by_role("button", name="Nueva reunión").focus()
        await page.keyboard.press("Enter")
        title = f"Teclado {uuid7_hex()[-6:]}"
        await page.keyboard.type(title)
        await page.keyboard.press("Enter")
        await expect(page.locator("#notice")).to_contain_text("se ha creado")
        await expect(event(page, title)).to_be_visible()
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await page.evaluate(overflow) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_axe_finds_nothing_serious(
    platform: Platform, host: Caller, chromium: Browser, viewport: Any, scheme: Any
) -> None:
    async with console(platform, chromium, viewport=viewport, color_scheme=scheme) as page:
        guests = [{"email": "jane.roe@example.com", "name": "Jane Roe"}]
        day = await page.locator("time[datetime]").first.get_attribute("datetime") if viewport is DESKTOP else None
        times = {"startDateTime": f"{day}T09:00:00", "endDateTime": f"{day}T10:00:00", "timezone": ZONE} if day else {}
        meeting = await host.creates(title="Axe", externalAttendees=guests, **times)
        await is_accessible(page)
        await page.locator("#find > summary").click()
        await is_accessible(page)
        await page.get_by_role("button", name="New meeting").click()
        await is_accessible(page)
        await page.locator("#editor").get_by_role("button", name="Close").click()
        await page.get_by_label("Filters, as JSON").fill(filters("meetingUuid", meeting["meetingUuid"]))
        await page.get_by_role("button", name="Search").click()
        await page.locator("#find").get_by_role("button", name="Axe").click()
        await expect(page.locator("#meeting").get_by_role("heading", level=2)).to_have_text("Axe")
        await is_accessible(page)
        await page.locator("#meeting").get_by_role("button", name="Close").click()
        await page.get_by_role("button", name="Change person").click()
        await is_accessible(page)
