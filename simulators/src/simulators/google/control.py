"""The control API of the Google simulator, beside the one that all simulators share."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, HTTPException

from simulators.common.control import ControlModel, control_router
from simulators.google.calendar.access import calendar_for
from simulators.google.calendar.editor import Editor, saved_unchanged, stored
from simulators.google.calendar.fields import merged
from simulators.google.calendar.series import find
from simulators.google.calendar.writing import Writer, change, delete, insert
from simulators.google.discovery.validation import check_body
from simulators.google.oauth.grants import revoke
from simulators.google.renaming import rename
from simulators.google.state import Account, Event, Json, Mail, Role
from simulators.google.world import World


class NewAccount(ControlModel):
    """An account to have; one that exists stays as it is."""

    email: str
    name: str = ""
    time_zone: str = "UTC"


class Rename(ControlModel):
    """An account's new address."""

    email: str


class Share(ControlModel):
    """Another account's role on a calendar."""

    calendar_id: str
    account: str
    role: Role


class Expiry(ControlModel):
    """Which sync tokens die: one account's, or all. ``bare``: the 410 says nothing about why."""

    account: str | None = None
    bare: bool = False


class Behaviour(ControlModel):
    """``editor``: how the calendar pages store descriptions, ``html`` as Google's own do, or ``plain``."""

    editor: Editor


class ChannelState(ControlModel):
    """An open channel, without its secret."""

    id: str
    account: str
    calendar_id: str
    address: str
    resource_id: str
    expires_at: datetime
    messages: int


def router(world: World) -> APIRouter:
    """Everything under ``/_control``."""
    routes = control_router(world.clock, world.faults, world.requests, world.sender)
    _add_accounts(routes, world)
    _add_events(routes, world)
    _add_levers(routes, world)
    return routes


def known(world: World, email: str) -> Account:
    """The account. Raises HTTPException 404."""
    account = world.state.accounts.get(email.lower())
    if account is None:
        raise HTTPException(404, f"no account {email}")
    return account


def by_hand(world: World, account: Account, calendar_id: str) -> Writer:
    """The owner at their own screen: no token, no scope, no conference."""
    return Writer(world, account, calendar_for(world, account, calendar_id, "writer"), {})


def saved_description(event: Event, editor: Editor, typed: str | None = None) -> Json:
    """The description as the editor stores it with the event, whether its owner has ``typed`` in it or not."""
    before = event.resource.get("description", "")
    return {"description": saved_unchanged(before, editor) if typed is None else stored(typed, editor)}


def _add_accounts(routes: APIRouter, world: World) -> None:
    @routes.get("/accounts")
    async def accounts() -> list[Account]:
        return list(world.state.accounts.values())

    @routes.post("/accounts", status_code=201)
    async def add_account(body: NewAccount) -> Account:
        return world.account(body.email, body.name, body.time_zone)

    @routes.post("/accounts/{email}/rename")
    async def rename_account(email: str, body: Rename) -> Account:
        return rename(world, known(world, email), body.email.lower())

    @routes.post("/shares", status_code=204)
    async def share(body: Share) -> None:
        if body.calendar_id not in world.state.calendars:
            raise HTTPException(404, f"no calendar {body.calendar_id}")
        world.state.calendars[body.calendar_id].shares[known(world, body.account).email] = body.role
        world.changes += 1

    @routes.get("/mails")
    async def mails() -> list[Mail]:
        return world.state.mails


def _add_events(routes: APIRouter, world: World) -> None:
    @routes.get("/accounts/{email}/events")
    async def events(email: str) -> list[Event]:
        account = known(world, email)
        owned = [calendar.id for calendar in world.state.calendars.values() if calendar.owner == account.email]
        return [event for calendar_id in owned for event in world.state.events[calendar_id].values()]

    @routes.post("/accounts/{email}/events", status_code=201)
    async def add(email: str, body: Json) -> Json:
        return insert(by_hand(world, known(world, email), "primary"), check_body("Event", body)).resource

    @routes.patch("/accounts/{email}/events/{event_id}")
    async def edit(email: str, event_id: str, body: Json, editor: Editor | None = None) -> Json:
        """As an API client writes it, or as an ``editor`` saves it that shows the description as text."""
        writer = by_hand(world, known(world, email), "primary")
        event, wanted = find(world, writer.calendar.id, event_id), check_body("Event", body)
        if editor is not None:
            wanted |= saved_description(event, editor, wanted.get("description"))
        return change(writer, event, wanted, whole=False).resource

    @routes.patch("/accounts/{email}/events/{event_id}/stored")
    async def store(email: str, event_id: str, body: Json) -> Json:
        """Whatever the API would refuse, as old clients and imported files left it: null deletes a field."""
        writer = by_hand(world, known(world, email), "primary")
        event = find(world, writer.calendar.id, event_id)
        event.resource = merged(event.resource, body)
        world.commit(event)
        return event.resource

    @routes.delete("/accounts/{email}/events/{event_id}", status_code=204)
    async def remove(email: str, event_id: str) -> None:
        writer = by_hand(world, known(world, email), "primary")
        delete(writer, find(world, writer.calendar.id, event_id))


def _add_levers(routes: APIRouter, world: World) -> None:
    @routes.post("/accounts/{email}/revoke", status_code=204)
    async def revoke_grant(email: str) -> None:
        revoke(world, known(world, email).email)

    @routes.post("/accounts/{email}/expire-access-tokens", status_code=204)
    async def expire_access_tokens(email: str) -> None:
        account = known(world, email)
        tokens = world.state.access_tokens
        world.state.access_tokens = {key: token for key, token in tokens.items() if token.account != account.email}
        world.changes += 1

    @routes.post("/sync-tokens/expire", status_code=204)
    async def expire_sync_tokens(body: Expiry) -> None:
        for calendar in world.state.calendars.values():
            if body.account is None or calendar.owner == body.account.lower():
                calendar.sync_epoch += 1
                calendar.bare_gone = body.bare
        world.changes += 1

    @routes.get("/behaviour")
    async def read_behaviour() -> Behaviour:
        return Behaviour(editor=world.state.editor)

    @routes.put("/behaviour")
    async def change_behaviour(body: Behaviour) -> Behaviour:
        world.state.editor = body.editor
        world.changes += 1
        return body

    @routes.get("/channels")
    async def channels() -> list[ChannelState]:
        hidden: dict[str, Any] = {"exclude": {"token", "client_id", "resource_uri"}}
        return [ChannelState.model_validate(channel.model_dump(**hidden)) for channel in world.state.channels.values()]

    @routes.delete("/channels", status_code=204)
    async def drop_channels(account: str | None = None) -> None:
        """Silently: their owner hears nothing, neither now nor later."""
        kept = {key: item for key, item in world.state.channels.items() if account not in (None, item.account)}
        world.state.channels = kept
        world.changes += 1
