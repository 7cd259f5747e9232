"""What a person sees in a browser: the accounts, and each calendar, as its owner would use it."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from simulators.common.pages import Pages, same_origin
from simulators.common.weeks import week_page
from simulators.google.calendar.access import visible
from simulators.google.calendar.editor import shown as shown_as_text
from simulators.google.calendar.errors import ApiError
from simulators.google.calendar.guests import set_answer
from simulators.google.calendar.query import Query
from simulators.google.calendar.series import find
from simulators.google.calendar.writing import change, delete, insert
from simulators.google.control import by_hand, known, saved_description
from simulators.google.oauth.grants import consented, revoke
from simulators.google.state import Account, Calendar, Json
from simulators.google.world import World

PAST, AHEAD = timedelta(days=30), timedelta(days=180)
ANSWERS = {"accepted": "Yes", "tentative": "Maybe", "declined": "No"}
Text = Annotated[str, Form()]


def router(world: World, pages: Pages) -> APIRouter:
    """``/`` and ``/accounts/…``."""
    routes = APIRouter()
    _add_views(routes, world, pages)
    _add_forms(routes, world, pages)
    return routes


def _add_views(routes: APIRouter, world: World, pages: Pages) -> None:
    @routes.get("/")
    async def home() -> Response:
        accounts = sorted(world.state.accounts.values(), key=lambda account: account.email)
        return pages.render("accounts.html", accounts=accounts)

    @routes.get("/accounts/{email}")
    async def calendar_page(email: str, week: str = "", q: str = "") -> Response:
        return _account_page(world, pages, known(world, email), week=week, query=q)


def _add_forms(routes: APIRouter, world: World, pages: Pages) -> None:
    guarded: dict[str, Any] = {"dependencies": [Depends(same_origin)]}

    @routes.post("/accounts", **guarded)
    async def add_account(email: Text, time_zone: Text = "UTC") -> Response:
        if "@" not in email:
            raise HTTPException(400, "An account is an e-mail address.")
        return _to(world.account(email, time_zone=time_zone))

    @routes.post("/accounts/{email}/disconnect", **guarded)
    async def disconnect(email: str) -> Response:
        account = known(world, email)
        revoke(world, account.email)
        return _to(account)

    @routes.post("/accounts/{email}/events", **guarded)
    async def create(email: str, title: Text, start: Text, end: Text, calendar_id: Text) -> Response:
        account = known(world, email)
        body = {"summary": title} | _times(start, end, world.state.calendars[calendar_id])
        return _done(world, pages, account, lambda: insert(by_hand(world, account, calendar_id), body))

    @routes.post("/accounts/{email}/events/{event_id}", **guarded)
    async def edit(email: str, event_id: str, request: Request) -> Response:
        account = known(world, email)
        form = {key: str(value) for key, value in (await request.form()).items()}
        return _done(world, pages, account, lambda: _carry_out(world, account, event_id, form))


def _carry_out(world: World, account: Account, event_id: str, form: dict[str, str]) -> None:
    """One of the buttons beside an event. Raises ApiError."""
    writer = by_hand(world, account, form.get("calendar_id", "primary"))
    event = find(world, writer.calendar.id, event_id)
    action = form.get("action")
    if action == "delete":
        delete(writer, event)
    elif action in ANSWERS:
        guests = [dict(guest) for guest in event.resource.get("attendees", [])]
        answered = event.model_copy(update={"resource": event.resource | {"attendees": guests}})
        set_answer(answered, account.email, action)
        change(writer, event, {"attendees": answered.resource["attendees"]}, whole=False)
    elif action in _EDITS:
        edited = _EDITS[action](form, writer.calendar)
        edited |= saved_description(event, world.state.editor, edited.get("description"))
        change(writer, event, edited, whole=False)
    else:
        raise ApiError(400, "invalid", "There is no such button.")


def _times(start: str, end: str, calendar: Calendar) -> Json:
    """Times typed into a form: dates (the last day included), or local times in the calendar's zone."""
    if "T" in start:
        return {
            side: {
                "dateTime": value if value.count(":") == 2 else f"{value}:00",
                "timeZone": calendar.time_zone,
                "date": None,
            }
            for side, value in (("start", start), ("end", end))
        }
    try:
        after = (datetime.fromisoformat(end) + timedelta(days=1)).date().isoformat()
    except ValueError:
        raise ApiError(400, "invalid", "Invalid end time.") from None
    empty = {"dateTime": None, "timeZone": None}
    return {"start": {"date": start} | empty, "end": {"date": after} | empty}


_EDITS: dict[str, Callable[[dict[str, str], Calendar], Json]] = {
    "retitle": lambda form, _: {"summary": form.get("title", "")},
    "describe": lambda form, _: {"description": form.get("description", "")},
    "move": lambda form, calendar: _times(form.get("start", ""), form.get("end", ""), calendar),
}
"""What the buttons of the editor change. Each saves the whole event."""


def _done(world: World, pages: Pages, account: Account, work: Callable[[], object]) -> Response:
    try:
        work()
    except ApiError as error:
        return _account_page(world, pages, account, problem=error.message, status=error.status)
    return _to(account)


def _to(account: Account) -> RedirectResponse:
    return RedirectResponse(f"/accounts/{quote(account.email)}", 303)


def _account_page(
    world: World,
    pages: Pages,
    account: Account,
    *,
    week: str = "",
    query: str = "",
    problem: str = "",
    status: int = 200,
) -> Response:
    now = world.clock.now()
    shown = visible(world, account)
    page = week_page(
        [row for calendar in shown for row in _rows(world, calendar, now)],
        day=lambda row: date.fromisoformat(row["start"][:10]),
        changed=lambda row: str(row["event"]["updated"]),
        text=_searched,
        week=week,
        query=query,
    )
    calendars = [(calendar, [row for row in page.rows if row["calendar_id"] == calendar.id]) for calendar in shown]
    scopes = consented(world, world.settings.google_client_id, account.email)
    channels = [channel for channel in world.state.channels.values() if channel.account == account.email]
    return pages.render(
        "account.html",
        status=status,
        account=account,
        page=page,
        calendars=calendars,
        scopes=scopes,
        channels=channels,
        problem=problem,
        answers=ANSWERS,
    )


def _rows(world: World, calendar: Calendar, now: datetime) -> list[Json]:
    """The events around now, series as instances."""
    asked = {"singleEvents": True, "showDeleted": True, "orderBy": "startTime"}
    found = Query(world, calendar, asked, None, now - PAST, now + AHEAD).run()
    return [_row(item.resource, calendar) for item in found]


def _searched(row: Json) -> str:
    event = row["event"]
    guests = [guest["email"] for guest in event.get("attendees", [])]
    return "\n".join([event.get("summary", ""), event.get("location", ""), event.get("description", ""), *guests])


def _row(resource: Json, calendar: Calendar) -> Json:
    place = ZoneInfo(calendar.time_zone)
    all_day = "date" in resource["start"]
    if all_day:
        start = resource["start"]["date"]
        end = (datetime.fromisoformat(resource["end"]["date"]) - timedelta(days=1)).date().isoformat()
    else:
        start, end = (
            datetime.fromisoformat(resource[side]["dateTime"]).astimezone(place).strftime("%Y-%m-%dT%H:%M")
            for side in ("start", "end")
        )
    mine = next((guest for guest in resource.get("attendees", []) if guest["email"] == calendar.owner), None)
    own = resource["organizer"]["email"] == calendar.id
    return {
        "event": resource,
        "description": shown_as_text(resource.get("description", "")),
        "calendar_id": calendar.id,
        "start": start,
        "end": end,
        "all_day": all_day,
        "mine": mine,
        "own": own,
    }
