"""The Microsoft part of the control API: mailboxes, grants, delta tokens, subscriptions, behaviour."""

from datetime import datetime, timedelta
from typing import Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import Field

from simulators.common.control import ControlModel
from simulators.microsoft.calendar import rendering, zones
from simulators.microsoft.push.notifier import LIFECYCLE_EVENTS
from simulators.microsoft.state.records import Account, Calendar, Event, Mail, Person, Role, Subscription, SyncRefusal
from simulators.microsoft.world import World

JsonObject = dict[str, Any]


class NewAccount(ControlModel):
    """A mailbox; ``timeZone`` is a name that Graph supports.

    ``customBias``: its zone is of its own making, so many minutes before UTC. ``principalName``: what the user signs in
    with, where that is not the address; without ``hasMail``, ``/me`` does not tell the address.
    """

    email: str
    name: str | None = None
    time_zone: str = "UTC"
    custom_bias: int | None = Field(default=None, ge=-14 * 60, le=14 * 60)
    principal_name: str = ""
    has_mail: bool = True


class Share(ControlModel):
    """What another account may do in the mailbox."""

    account: str
    role: Role


class NewCalendar(ControlModel):
    """A further calendar."""

    name: str = Field(min_length=1, max_length=100)


class NewEvent(ControlModel):
    """An event as Graph takes it; with ``organizer``, a meeting that this address invited the account to.

    ``withoutUid`` leaves ``iCalUId`` null, as it is now and then. ``zoneLabel`` is what the event's original zones say,
    such as ``tzone://Microsoft/Custom``. ``icalUid`` is that of an invitation that came by mail.
    """

    event: JsonObject
    calendar_id: str | None = None
    organizer: str | None = None
    without_uid: bool = False
    zone_label: str | None = None
    ical_uid: str | None = None


class Rename(ControlModel):
    """An account's new address."""

    email: str


class Move(ControlModel):
    """Where an event goes."""

    calendar_id: str


class Revocation(ControlModel):
    """Why refresh tokens die; with ``accessTokens`` the bearer tokens die at once, too."""

    reason: Literal["revoked", "inactive", "disabled", "consent", "interaction"] = "revoked"
    access_tokens: bool = False


class Invalidation(ControlModel):
    """How delta tokens given out so far are refused."""

    status: int = Field(default=410, ge=400, le=499)
    code: str = "SyncStateNotFound"


class Lifecycle(ControlModel):
    """A lifecycle notification."""

    event: Literal["reauthorizationRequired", "subscriptionRemoved", "missed"]


class Removal(ControlModel):
    """Whether the lifecycle URL hears of the removal."""

    notify: bool = False


class Behaviour(ControlModel):
    """What Microsoft does not publish or leaves to policy. Times in seconds."""

    transaction_window_seconds: float = Field(ge=0)
    revoke_replaced_tokens: bool


def router(world: World) -> APIRouter:
    """Routes under ``/_control``, beside the ones that every simulator has."""
    routes = APIRouter(prefix="/_control", tags=["control"])
    _add_accounts(routes, world)
    _add_behaviour(routes, world)
    _add_events(routes, world)
    _add_grants(routes, world)
    _add_subscriptions(routes, world)
    return routes


def _add_accounts(routes: APIRouter, world: World) -> None:
    @routes.post("/reset", status_code=204)
    async def reset() -> None:
        world.reset()

    @routes.get("/accounts")
    async def list_accounts() -> list[JsonObject]:
        return [_account_json(account) for account in world.state.accounts.values()]

    @routes.post("/accounts", status_code=201)
    async def add_account(body: NewAccount) -> JsonObject:
        try:
            account = world.state.account(body.email)
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        account.name = body.name or account.name
        account.time_zone = zones.known(body.time_zone)
        account.custom_bias = body.custom_bias
        account.principal_name, account.has_mail = body.principal_name, body.has_mail
        return _account_json(account)

    @routes.post("/accounts/{email}/shares", status_code=204)
    async def share(email: str, body: Share) -> None:
        world.account(email).shares[world.account(body.account).email] = body.role
        world.state.changes += 1

    @routes.post("/accounts/{email}/calendars", status_code=201)
    async def add_calendar(email: str, body: NewCalendar) -> Calendar:
        calendar = Calendar(name=body.name)
        world.account(email).calendars.append(calendar)
        world.state.changes += 1
        return calendar

    @routes.get("/accounts/{email}/mails")
    async def list_mails(email: str) -> list[Mail]:
        return world.account(email).mails

    @routes.delete("/accounts/{email}/mails", status_code=204)
    async def forget_mails(email: str) -> None:
        world.account(email).mails.clear()


def _add_behaviour(routes: APIRouter, world: World) -> None:
    @routes.get("/behaviour")
    async def read_behaviour() -> Behaviour:
        window = world.state.transaction_window.total_seconds()
        return Behaviour(transaction_window_seconds=window, revoke_replaced_tokens=world.state.revoke_replaced_tokens)

    @routes.put("/behaviour")
    async def change_behaviour(body: Behaviour) -> Behaviour:
        world.state.transaction_window = timedelta(seconds=body.transaction_window_seconds)
        world.state.revoke_replaced_tokens = body.revoke_replaced_tokens
        return await read_behaviour()


def _add_events(routes: APIRouter, world: World) -> None:
    @routes.get("/accounts/{email}/events")
    async def list_events(email: str) -> list[JsonObject]:
        account = world.account(email)
        return [_event_json(event) for event in world.exchange.events(account)]

    @routes.post("/accounts/{email}/events", status_code=201)
    async def add_event(email: str, body: NewEvent) -> JsonObject:
        account = world.account(email)
        calendar = account.default_calendar
        if body.calendar_id is not None:
            calendar = world.exchange.calendar(account, body.calendar_id)
        organizer = Person(name=body.organizer, address=body.organizer) if body.organizer else None
        event = world.exchange.create(account, calendar, body.event, organizer)
        if body.without_uid:
            event.ical_uid = None
        event.ical_uid = body.ical_uid or event.ical_uid
        event.zone_label = body.zone_label
        return _event_json(event)

    @routes.patch("/accounts/{email}/events/{event_id}")
    async def change_event(email: str, event_id: str, body: JsonObject) -> JsonObject:
        account = world.account(email)
        event, date = world.exchange.find(account, event_id)
        world.exchange.update(account, event, date, body)
        return _event_json(event)

    @routes.delete("/accounts/{email}/events/{event_id}", status_code=204)
    async def delete_event(email: str, event_id: str) -> None:
        account = world.account(email)
        event, date = world.exchange.find(account, event_id)
        world.exchange.delete(account, event, date)

    @routes.post("/accounts/{email}/events/{event_id}/move")
    async def move_event(email: str, event_id: str, body: Move) -> JsonObject:
        account = world.account(email)
        event, _ = world.exchange.find(account, event_id)
        world.exchange.move(account, event, world.exchange.calendar(account, body.calendar_id))
        return _event_json(event)

    @routes.post("/accounts/{email}/events/{event_id}/touch")
    async def touch_event(email: str, event_id: str) -> JsonObject:
        account = world.account(email)
        event, _ = world.exchange.find(account, event_id)
        world.exchange.touch(account, event)
        return _event_json(event)


def _add_grants(routes: APIRouter, world: World) -> None:
    @routes.post("/accounts/{email}/revoke")
    async def revoke(email: str, body: Revocation) -> dict[str, int]:
        account = world.account(email)
        return {"grants": world.grants.refuse(account, body.reason, access_tokens=body.access_tokens)}

    @routes.post("/accounts/{email}/rename")
    async def rename_account(email: str, body: Rename) -> JsonObject:
        account = world.account(email)
        world.state.rename(account, body.email)
        return _account_json(account)

    @routes.post("/accounts/{email}/delta/invalidate")
    async def invalidate_delta(email: str, body: Invalidation) -> dict[str, int]:
        account = world.account(email)
        account.sync_generation += 1
        account.sync_refusal = SyncRefusal(status=body.status, code=body.code)
        world.state.changes += 1
        return {"generation": account.sync_generation}


def _add_subscriptions(routes: APIRouter, world: World) -> None:
    def found(subscription_id: str) -> Subscription:
        for subscription in world.subscriptions.alive():
            if subscription.subscription_id == subscription_id:
                return subscription
        raise HTTPException(404, "no such subscription")

    @routes.get("/subscriptions")
    async def list_subscriptions() -> list[Subscription]:
        return world.subscriptions.alive()

    @routes.post("/subscriptions/{subscription_id}/lifecycle")
    async def send_lifecycle(subscription_id: str, body: Lifecycle) -> dict[str, bool]:
        return {"sent": world.notifier.lifecycle(found(subscription_id), body.event)}

    @routes.post("/subscriptions/{subscription_id}/remove")
    async def remove(subscription_id: str, body: Removal) -> dict[str, bool]:
        subscription = found(subscription_id)
        world.subscriptions.remove(subscription)
        told = body.notify and world.notifier.lifecycle(subscription, LIFECYCLE_EVENTS[1])
        return {"sent": told}

    @routes.post("/subscriptions/{subscription_id}/expire")
    async def expire(subscription_id: str) -> dict[str, datetime]:
        subscription = found(subscription_id)
        subscription.expires_at = world.clock.now()
        world.subscriptions.alive()
        return {"expiredAt": subscription.expires_at}


def _account_json(account: Account) -> JsonObject:
    return {
        "email": account.email,
        "name": account.name,
        "userId": account.user_id,
        "tenantId": account.tenant_id,
        "timeZone": account.time_zone,
        "calendars": [
            {"id": calendar.calendar_id, "name": calendar.name, "isDefault": calendar.is_default}
            for calendar in account.calendars
        ],
        "events": sum(not event.deleted for event in account.events.values()),
        "mails": len(account.mails),
    }


def _event_json(event: Event) -> JsonObject:
    """The event as Graph shows it in UTC, and what Graph does not show without being asked."""
    shown = rendering.event_json(event, rendering.View(text_bodies=True))
    return shown | {
        "immutableId": event.immutable_id,
        "calendarId": event.calendar_id,
        "extendedProperties": event.extended,
    }
