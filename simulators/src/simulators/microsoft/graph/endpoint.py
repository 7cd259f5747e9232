"""The way of a request through Graph: authenticate, throttle, fail on purpose, do, fail on purpose, answer."""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from simulators.common.faults import Fault
from simulators.microsoft import faults
from simulators.microsoft.calendar.rendering import View
from simulators.microsoft.graph.errors import (
    GraphError,
    error_response,
    irresolvable_conflict,
    item_not_found,
    new_request_id,
)
from simulators.microsoft.graph.odata import Preferences, Query, metadata, ordered, page, preferences, query, selected
from simulators.microsoft.state.records import Account, Grant
from simulators.microsoft.world import World

JsonObject = dict[str, Any]

_READ = ("Calendars.Read", "Calendars.ReadWrite")
SCOPES = {
    "user": ("User.Read", "User.ReadWrite", "User.ReadBasic.All", *_READ),
    "read": _READ,
    "read_basic": ("Calendars.ReadBasic", *_READ, "Calendars.Read.Shared", "Calendars.ReadWrite.Shared"),
    "write": ("Calendars.ReadWrite",),
    "settings": ("MailboxSettings.Read", "MailboxSettings.ReadWrite"),
    "change_settings": ("MailboxSettings.ReadWrite",),
}
"""Delegated permissions that allow an operation (each API page, "Permissions")."""
SHARED_SCOPES = {
    "read": ("Calendars.Read.Shared", "Calendars.ReadWrite.Shared"),
    "read_basic": ("Calendars.Read.Shared", "Calendars.ReadWrite.Shared"),
    "write": ("Calendars.ReadWrite.Shared",),
}
"""Those that allow it in a mailbox that somebody shares (https://learn.microsoft.com/graph/outlook-share-or-delegate-calendar)."""

_CODES = {
    400: "BadRequest",
    401: "InvalidAuthenticationToken",
    403: "ErrorAccessDenied",
    404: "ErrorItemNotFound",
    409: "ErrorIrresolvableConflict",
    410: "SyncStateNotFound",
    412: "ErrorIrresolvableConflict",
    429: "ApplicationThrottled",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}
_MESSAGES = {
    "ApplicationThrottled": "Application is over its MailboxConcurrency limit.",
    "MailboxConcurrency": "Application is over its MailboxConcurrency limit.",
    "ErrorAccessDenied": "Access is denied. Check credentials and try again.",
    "ErrorItemNotFound": item_not_found().message,
    "ErrorIrresolvableConflict": irresolvable_conflict().message,
}


@dataclass(frozen=True)
class Call:
    """A request that got through: in whose mailbox, with which consent, and what the client prefers."""

    world: World
    request: Request
    account: Account
    grant: Grant
    prefer: Preferences
    query: Query
    body: Any

    def view(self, *, as_stored: bool = False) -> View:
        """How this client wants events."""
        return View(
            immutable_ids=self.prefer.immutable_ids,
            time_zone=self.prefer.time_zone,
            as_stored=as_stored,
            text_bodies=self.prefer.text_bodies,
            expanded=self.query.expanded,
        )


@dataclass(frozen=True)
class Answer:
    """What an operation answers with."""

    status: int = 200
    body: JsonObject | None = None
    applied: tuple[str, ...] = field(default=())


Handler = Callable[[Call], Awaitable[Answer]]


def entity(call: Call, item: JsonObject, context: str, status: int = 200) -> Answer:
    """One item, with the properties the client selected."""
    body = {"@odata.context": metadata(call.request, context), **selected(item, call.query.select)}
    return Answer(status, body)


def collection(call: Call, items: list[JsonObject], context: str) -> Answer:
    """One page of items, ordered and with the properties the client selected."""
    body = page(call.request, ordered(items, call.query.order_by), call.query, call.prefer, context)
    return Answer(200, body | {"value": [selected(item, call.query.select) for item in body["value"]]})


def of_user(call: Call, path: str) -> str:
    """The context of something in the user's mailbox."""
    return f"users('{call.account.user_id}')/{path}"


class Endpoint:
    """One operation as an ASGI application."""

    def __init__(self, world: World, operation: str, permission: str, handler: Handler) -> None:
        self.world, self.operation, self.handler = world, operation, handler
        self._permission = permission
        self._scopes = frozenset(SCOPES[permission])
        self._shared_scopes = frozenset(SHARED_SCOPES.get(permission, ()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and note it down."""
        request = Request(scope, receive)
        request_id, client_request_id = new_request_id(), request.headers.get("client-request-id")
        email: str | None = None
        try:
            account, grant = self._authenticated(request)
            email = account.email
            answer = await self._throttled(request, account, grant)
        except GraphError as error:
            answer = error_response(
                error, now=self.world.clock.now(), request_id=request_id, client_request_id=client_request_id
            )
        answer.headers["request-id"] = request_id
        answer.headers["client-request-id"] = client_request_id or request_id
        self.world.requests.record(
            at=self.world.clock.now(), account=email, operation=self.operation, status=answer.status_code
        )
        await answer(scope, receive, send)

    def _authenticated(self, request: Request) -> tuple[Account, Grant]:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise GraphError(401, "InvalidAuthenticationToken", "Access token is empty.", _CHALLENGE)
        found = self.world.grants.bearer(token.strip())
        if found is None:
            text = "Lifetime validation failed, the token is expired."
            raise GraphError(401, "InvalidAuthenticationToken", text, _CHALLENGE)
        if not (self._scopes | self._shared_scopes) & set(found[1].scopes):
            raise GraphError(403, "ErrorAccessDenied", _MESSAGES["ErrorAccessDenied"])
        return found

    async def _throttled(self, request: Request, account: Account, grant: Grant) -> Response:
        """At most so many requests under way, and in ten minutes, per app and mailbox."""
        mailbox = (grant.client_id, account.email)
        if wait := self.world.over_quota(mailbox):
            text = "Application is over its RequestRate limit."
            raise GraphError(429, "ApplicationThrottled", text, {"Retry-After": str(max(1, round(wait)))})
        if self.world.under_way[mailbox] >= self.world.settings.microsoft_mailbox_concurrency:
            raise GraphError(429, "ApplicationThrottled", _MESSAGES["ApplicationThrottled"], {"Retry-After": "1"})
        self.world.under_way[mailbox] += 1
        try:
            return await self._carried_out(request, account, grant)
        finally:
            self.world.under_way[mailbox] -= 1

    def _mailbox(self, request: Request, account: Account, grant: Grant) -> Account:
        """Whose mailbox the path names: the signed-in user's own, or one that is shared with them.

        Raises GraphError: 403 without the permission of its owner, or of the user to the client.
        """
        name, scopes = request.path_params.get("user", account.user_id).lower(), set(grant.scopes)
        mailbox = next((one for one in self.world.state.accounts.values() if name in one.names), None)
        if mailbox is account and scopes & self._scopes:
            return mailbox
        role = mailbox.shares.get(account.email) if mailbox is not None and mailbox is not account else None
        may = role == "editor" or (role == "reader" and self._permission != "write")
        if mailbox is None or not may or not scopes & self._shared_scopes:
            raise GraphError(403, "ErrorAccessDenied", _MESSAGES["ErrorAccessDenied"])
        return mailbox

    async def _carried_out(self, request: Request, account: Account, grant: Grant) -> Response:
        plan, email = self.world.faults, account.email
        if fault := await faults.before(plan, request, email, self.operation):
            raise _failure(fault)
        prefer = preferences(request)
        mailbox = self._mailbox(request, account, grant)
        call = Call(self.world, request, mailbox, grant, prefer, query(request), await _body(request))
        answer = await self.handler(call)
        if fault := await faults.after(plan, request, email, self.operation):
            raise _failure(fault)
        headers = {}
        if applied := (*prefer.applied, *answer.applied):
            headers["Preference-Applied"] = ", ".join(applied)
        if answer.body is None:
            return Response(status_code=answer.status, headers=headers)
        return JSONResponse(answer.body, answer.status, headers, media_type=_JSON)


_JSON = "application/json; odata.metadata=minimal; odata.streaming=true; IEEE754Compatible=false; charset=utf-8"
_CHALLENGE = {
    "WWW-Authenticate": 'Bearer realm="", client_id="00000003-0000-0000-c000-000000000000", '
    'authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"'
}


async def _body(request: Request) -> Any:
    raw = await request.body()
    if request.method not in ("POST", "PATCH") or not raw:
        return None
    if "json" in request.headers.get("content-type", ""):
        with suppress(ValueError):
            return json.loads(raw)
    raise GraphError(
        400,
        "BadRequest",
        "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON "
        "format.",
    )


def _failure(fault: Fault) -> GraphError:
    code = fault.reason or _CODES.get(fault.status, "UnknownError")
    return GraphError(fault.status, code, _MESSAGES.get(code, ""), faults.retry_after(fault))
