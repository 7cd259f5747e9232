"""Google Meet conferences on events, made asynchronously (Event.conferenceData)."""

import secrets
from string import ascii_lowercase

from simulators.google.calendar.errors import invalid
from simulators.google.state import Event, Json
from simulators.google.world import World

DELAY_SECONDS = 0.2


def take_request(body: Json, resource: Json, previous: Json | None, version: int) -> bool:
    """Put the conference that a write asks for into ``resource``; true when one must be made.

    Version 0 ignores conference data, the stored one stays. A repeated ``requestId`` is ignored.
    Raises ApiError 400 for another kind of conference than Meet.
    """
    old = (previous or {}).get("conferenceData")
    request = (body.get("conferenceData") or {}).get("createRequest") if version else None
    if not version or (request and old and old.get("createRequest", {}).get("requestId") == request.get("requestId")):
        _set(resource, old, previous)
        return False
    if request is None:
        if "conferenceData" not in resource:
            resource.pop("hangoutLink", None)
        return False
    if request.get("conferenceSolutionKey", {}).get("type", "hangoutsMeet") != "hangoutsMeet":
        raise invalid("Invalid conference type value.")
    if not request.get("requestId"):
        raise invalid("Invalid create request id.")
    key = {"type": "hangoutsMeet"}
    made = {"requestId": request["requestId"], "conferenceSolutionKey": key, "status": {"statusCode": "pending"}}
    _set(resource, {"createRequest": made}, None)
    return True


async def complete(world: World, event: Event) -> None:
    """A moment later: the conference is there, or has failed. Either way the event has a new etag."""
    await world.clock.sleep(DELAY_SECONDS)
    data = event.resource.get("conferenceData")
    if data is None or event.cancelled:
        return
    failed = world.faults.draw("conference_failure", account=event.calendar_id, operation="conference")
    request = data["createRequest"] | {"status": {"statusCode": "failure" if failed else "success"}}
    changed: Json = {"createRequest": request}
    if not failed:
        code = "-".join("".join(secrets.choice(ascii_lowercase) for _ in range(n)) for n in (3, 4, 3))
        link = f"https://meet.google.com/{code}"
        changed |= {
            "entryPoints": [{"entryPointType": "video", "uri": link, "label": link.removeprefix("https://")}],
            "conferenceSolution": {"key": {"type": "hangoutsMeet"}, "name": "Google Meet"},
            "conferenceId": code,
        }
        event.resource = event.resource | {"hangoutLink": link}
    event.resource = event.resource | {"conferenceData": changed}
    world.commit(event)


def _set(resource: Json, data: Json | None, previous: Json | None) -> None:
    resource.pop("conferenceData", None)
    resource.pop("hangoutLink", None)
    if data is not None:
        resource["conferenceData"] = data
        if previous and "hangoutLink" in previous:
            resource["hangoutLink"] = previous["hangoutLink"]
