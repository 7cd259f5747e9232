"""Pages for a person: each mailbox with its calendars, and what its owner can do there in Outlook."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from simulators.common.pages import Pages, same_origin
from simulators.common.weeks import week_page
from simulators.microsoft.calendar import recurrence, rendering, zones
from simulators.microsoft.calendar.views import view
from simulators.microsoft.forms import fields
from simulators.microsoft.graph.errors import GraphError
from simulators.microsoft.state.records import Account, Calendar
from simulators.microsoft.world import World

JsonObject = dict[str, Any]

_BACK, _AHEAD = timedelta(days=30), timedelta(days=180)
ANSWERS = {"accepted": "Yes", "tentativelyAccepted": "Maybe", "declined": "No"}
_SEE_OTHER = 303


def router(world: World, pages: Pages) -> APIRouter:
    """The list of accounts, a page for each, and its forms."""
    routes = APIRouter(include_in_schema=False)
    checked = [Depends(same_origin)]

    @routes.get("/")
    async def accounts() -> Response:
        found = sorted(world.state.accounts.values(), key=lambda account: account.email)
        return pages.render("accounts.html", accounts=found)

    @routes.post("/accounts", dependencies=checked)
    async def add_account(request: Request) -> Response:
        try:
            account = world.state.account((await fields(request)).get("email", ""))
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        return _to(account)

    @routes.get("/accounts/{email}")
    async def mailbox(email: str, week: str = "", q: str = "") -> Response:
        return _page(world, pages, world.account(email), week=week, query=q)

    @routes.post("/accounts/{email}/events", dependencies=checked)
    async def add_event(email: str, request: Request) -> Response:
        account, form = world.account(email), await fields(request)
        body = {"subject": form.get("title", ""), **_times(form, account.time_zone, all_day=False)}
        try:
            world.exchange.create(account, world.exchange.calendar(account, form.get("calendar_id", "")), body)
        except GraphError as error:
            return _page(world, pages, account, problem=error.message)
        return _to(account)

    @routes.post("/accounts/{email}/events/{event_id}", dependencies=checked)
    async def change_event(email: str, event_id: str, request: Request) -> Response:
        account, form = world.account(email), await fields(request)
        try:
            _act(world, account, event_id, form)
        except GraphError as error:
            return _page(world, pages, account, problem=error.message)
        return _to(account)

    @routes.post("/accounts/{email}/disconnect", dependencies=checked)
    async def disconnect(email: str) -> Response:
        account = world.account(email)
        world.grants.refuse(account, "revoked", access_tokens=True)
        return _to(account)

    return routes


def _act(world: World, account: Account, event_id: str, form: Mapping[str, str]) -> None:
    """What one button of an event's form asks for. Raises GraphError as Graph would."""
    event, date = world.exchange.find(account, event_id)
    action = form.get("action", "")
    if action in ANSWERS:
        world.exchange.respond(account, event, action, send=True)
    elif action == "retitle":
        world.exchange.update(account, event, date, {"subject": form.get("title", "")})
    elif action == "move":
        zone = event.timing.start_zone if event.timing.all_day else account.time_zone
        world.exchange.update(account, event, date, _times(form, zone, all_day=event.timing.all_day))
    elif action == "delete":
        world.exchange.delete(account, event, date)
    elif action == "refile":
        world.exchange.move(account, event, world.exchange.calendar(account, form.get("calendar_id", "")))
    else:
        raise HTTPException(400, "unknown action")


def _times(form: Mapping[str, str], zone: str, *, all_day: bool) -> JsonObject:
    """Start and end of a form; the last day of an all-day event is part of it."""
    end = form.get("end", "")
    if all_day:
        try:
            end = (datetime.fromisoformat(end) + timedelta(days=1)).date().isoformat()
        except ValueError:
            raise HTTPException(400, "a date is needed") from None
    return {
        "start": {"dateTime": form.get("start", ""), "timeZone": zone},
        "end": {"dateTime": end, "timeZone": zone},
    }


def _page(
    world: World, pages: Pages, account: Account, *, week: str = "", query: str = "", problem: str = ""
) -> Response:
    grants = [grant for grant in world.state.grants.values() if grant.email == account.email and not grant.refused]
    watching = [entry for entry in world.subscriptions.alive() if entry.email == account.email]
    page = week_page(
        [row for calendar in account.calendars for row in _rows(world, account, calendar)],
        day=lambda row: date.fromisoformat(row["start"][:10]),
        changed=lambda row: str(row["event"]["lastModifiedDateTime"]),
        text=_searched,
        week=week,
        query=query,
    )
    return pages.render(
        "mailbox.html",
        status=400 if problem else 200,
        account=account,
        page=page,
        calendars=[
            (calendar, [row for row in page.rows if row["calendar"] is calendar]) for calendar in account.calendars
        ],
        mails=account.mails[-20:],
        scopes=sorted({scope for grant in grants for scope in grant.scopes}),
        subscriptions=watching,
        answers=ANSWERS,
        problem=problem,
    )


def _rows(world: World, account: Account, calendar: Calendar) -> list[JsonObject]:
    now = world.clock.now()
    shown = rendering.View(text_bodies=True)
    return [
        {
            "event": rendering.event_json(event, shown, occurrence),
            "calendar": calendar,
            "all_day": event.timing.all_day,
            **_span(occurrence, account.time_zone, all_day=event.timing.all_day),
        }
        for event, occurrence in view(world.exchange, account, calendar, now - _BACK, now + _AHEAD)
    ]


def _searched(row: JsonObject) -> str:
    event = row["event"]
    guests = [guest["emailAddress"]["address"] for guest in event["attendees"]]
    return "\n".join(
        [event["subject"] or "", event["location"]["displayName"] or "", event["body"]["content"], *guests]
    )


def _span(occurrence: recurrence.Occurrence, zone: str, *, all_day: bool) -> dict[str, str]:
    if all_day:
        last = occurrence.wall_end - timedelta(days=1)
        return {"start": occurrence.wall_start.date().isoformat(), "end": last.date().isoformat()}
    start, end = zones.wall_time(occurrence.start, zone), zones.wall_time(occurrence.end, zone)
    return {"start": start.isoformat(timespec="minutes"), "end": end.isoformat(timespec="minutes")}


def _to(account: Account) -> Response:
    return RedirectResponse(f"/accounts/{quote(account.email)}", _SEE_OTHER)
