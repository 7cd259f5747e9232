"""events.watch and channels.stop."""

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from simulators.google.calendar.errors import ApiError, invalid, required
from simulators.google.push.messages import message
from simulators.google.state import Account, Calendar, Channel, Json
from simulators.google.world import World

MAX_LIFETIME = timedelta(days=7)
_ID = re.compile(r"[A-Za-z0-9\-_+/=]{1,64}")
MAX_TOKEN_LENGTH = 256


async def watch(world: World, account: Account, client_id: str, calendar: Calendar, params: Json, body: Json) -> Json:
    """Open a channel. Its life is capped at seven days: the answer's ``expiration`` counts, not the one asked for.

    Raises ApiError 400 for a bad id, type, address or expiration, and for an id in use.
    """
    _check(world, body)
    resource_id, uri = _resource(account, calendar, params)
    channel = Channel(
        id=body["id"],
        account=account.email,
        client_id=client_id,
        calendar_id=calendar.id,
        address=body["address"],
        token=body.get("token") or None,
        resource_id=resource_id,
        resource_uri=uri,
        expires_at=_expiration(world.clock.now(), body),
    )
    world.state.channels[channel.id] = channel
    world.changes += 1
    sync = message(world, channel, "sync")
    if world.faults.draw("sync_before_answer", account=account.email, operation="events.watch"):
        await world.sender.deliver_now(sync)
    else:
        world.sender.post(sync)
    answer = {"kind": "api#channel", "id": channel.id, "resourceId": resource_id, "resourceUri": uri}
    answer["expiration"] = str(int(channel.expires_at.timestamp() * 1000))
    if channel.token is not None:
        answer["token"] = channel.token
    return answer


def stop(world: World, account: Account, client_id: str, body: Json) -> None:
    """Close a channel. Raises ApiError 404 when this user and client have no such channel, stopped ones included."""
    for name in ("id", "resourceId"):
        if not body.get(name):
            raise required(f"Missing {name}.")
    channel = world.state.channels.get(body["id"])
    mine = channel is not None and (channel.account, channel.client_id) == (account.email, client_id)
    if (
        channel is None
        or not mine
        or channel.resource_id != body["resourceId"]
        or channel.expires_at <= world.clock.now()
    ):
        project = client_id.split("-", maxsplit=1)[0]
        raise ApiError(404, "notFound", f"Channel '{body['id'][:64]}' not found for project '{project}'")
    late = world.faults.draw("late_stop", account=account.email, operation="channels.stop")
    if late:
        channel.expires_at = min(channel.expires_at, world.clock.now() + timedelta(seconds=late.seconds))
    else:
        del world.state.channels[channel.id]
    world.changes += 1


def _check(world: World, body: Json) -> None:
    if not isinstance(body.get("id"), str) or not _ID.fullmatch(body["id"]):
        raise ApiError(
            400, "channelIdInvalid", "Invalid channel id: 1 to 64 characters of [A-Za-z0-9-_+/=].", domain="push"
        )
    if body.get("type") not in ("web_hook", "webhook"):
        raise invalid("Unknown channel type.", reason="channelUnknownType")
    address = body.get("address") or ""
    if not address.startswith("https://") and not (address.startswith("http://") and world.sender.reachable(address)):
        # The one leniency: http to loopback (and to hosts this simulator was told of) stands in for public https.
        raise invalid(f"WebHook callback must be HTTPS: {address[:200]}", reason="push.webhookUrlNotHttps")
    if not world.sender.reachable(address):
        message = f"Unauthorized WebHook callback channel: {address[:200]}"
        raise ApiError(401, "push.webhookUrlUnauthorized", message)
    if len(body.get("token") or "") > MAX_TOKEN_LENGTH:
        raise invalid("Channel token too long: 256 characters at most.", reason="channelTokenTooLong")
    held = world.state.channels.get(body["id"])
    if held is not None and held.expires_at > world.clock.now():
        raise invalid(f"Channel id {body['id']} not unique", reason="channelIdNotUnique")


def _expiration(now: datetime, body: Json) -> datetime:
    asked = now + MAX_LIFETIME
    try:
        if body.get("expiration"):
            asked = datetime.fromtimestamp(int(body["expiration"]) / 1000, UTC)
        elif (body.get("params") or {}).get("ttl"):
            asked = now + timedelta(seconds=int(body["params"]["ttl"]))
    except (ValueError, OverflowError, OSError):
        raise invalid("Invalid expiration.", location="expiration") from None
    if asked <= now:
        raise invalid("Invalid expiration: it lies in the past.", location="expiration")
    # The header carries whole seconds, so the channel ends on one.
    return min(asked, now + MAX_LIFETIME).replace(microsecond=0)


def _resource(account: Account, calendar: Calendar, params: Json) -> tuple[str, str]:
    """Id and URI of what is watched: the same for every channel of one user, calendar and query."""
    asked = {
        name: value for name, value in params.items() if name not in ("calendarId", "prettyPrint", "alt", "maxResults")
    }
    query = urlencode({"alt": "json"} | asked, doseq=True)
    uri = f"https://www.googleapis.com/calendar/v3/calendars/{quote(calendar.id, safe='@')}/events?{query}"
    digest = hashlib.sha256(f"{account.email} {uri}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:20]).decode().rstrip("="), uri
