"""Authentication, rate limits and the body's type, before an endpoint is called."""

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import orjson
from chassis.fair_gate import FairGate
from chassis.http.disconnects import answer_while_connected
from chassis.http.rate_limit import InFlightLimit, client_network
from chassis.telemetry.context import Context, current_context, use_context
from contracts.api.errors import ApiError, ErrorCode
from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute

from api_gateway.adapters.tokens import TokenVerifier
from api_gateway.application.requests import CommandRequest, RequestPreconditions
from api_gateway.domain.caller import Caller, ClaimNames, identify

_MAX_KEY_LENGTH = 128
_FIRST_PRINTABLE, _LAST_PRINTABLE = " ", "~"
_ENTITY_TAG = re.compile(r'"([0-9]{1,18})"')


_Handle = Callable[[Request], Coroutine[Any, Any, Response]]


class AuthenticatedRoute(APIRoute):
    """A route for authenticated callers; they are authenticated before the body is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def protected(request: Request) -> Response:
            services = request.app.state.services
            services.address_limiter.hit(client_network(request))
            caller = await services.authenticator.authenticate(request)
            services.user_limiter.hit(caller.key)
            request.state.caller = caller
            with use_context(Context(current_context().correlation_id, tenant=caller.tenant_uuid)):
                return await self.respond(require_json(request), handle)

        return protected

    async def respond(self, request: Request, handle: _Handle) -> Response:
        """The answer to a request whose caller is known."""
        return await handle(request)


class ReadLimits:
    """What one user may read at once: ``in_flight`` requests, of which one is worked on."""

    def __init__(self, in_flight: int) -> None:
        self.in_flight = InFlightLimit(in_flight)
        # Parsing a large body blocks the event loop for milliseconds; the rest lets other requests run.
        self.turns = FairGate(per_user=1, rest=3, max_rest=0.1)


class ReadRoute(AuthenticatedRoute):
    """A route that reads many meetings: a few at once for each user, and each for as long as its caller waits."""

    async def respond(self, request: Request, handle: _Handle) -> Response:
        caller: Caller = request.state.caller
        limits: ReadLimits = request.app.state.services.read_limits[self.path]
        with limits.in_flight.acquire(caller.key):
            await request.body()
            return await answer_while_connected(request, self._in_turn(limits.turns, request, handle))

    async def _in_turn(self, turns: FairGate, request: Request, handle: _Handle) -> Response:
        caller: Caller = request.state.caller
        async with turns.turn(*caller.key):
            return await handle(request)


class Authenticator:
    """Authenticates the caller of a request."""

    def __init__(self, tokens: TokenVerifier, names: ClaimNames) -> None:
        self._tokens = tokens
        self._names = names

    async def authenticate(self, request: Request) -> Caller:
        """The caller, proved by the bearer token.

        Raises:
            ApiError: 401 without a valid token, 400 without the headers, 403 when they contradict each other.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.casefold() != "bearer" or not token.strip():
            raise ApiError(ErrorCode.AUTHENTICATION_REQUIRED)
        claims = await self._tokens.claims(token.strip())
        return identify(request.headers, claims, self._names)


class JsonRequest(Request):
    """A request whose body is JSON as RFC 8259 has it: UTF-8, no NaN, no halves of characters, no endless nesting."""

    async def json(self) -> Any:
        return orjson.loads(await self.body())


def require_json(request: Request) -> JsonRequest:
    """The request as one whose body, where there is one, is JSON.

    Raises:
        ApiError: 415, its content type says that the body is something else.
    """
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if has_body and media_type != "application/json" and not media_type.endswith("+json"):
        raise ApiError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, details=["content-type: must be application/json"])
    return JsonRequest(request.scope, request.receive)


# Dependencies are coroutines although they wait for nothing: FastAPI runs plain functions in threads.
async def _current_caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


CurrentCaller = Annotated[Caller, Depends(_current_caller)]


async def _idempotency_key(
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description=f"1-{_MAX_KEY_LENGTH} printable ASCII characters; a repeat by the same user is answered as the "
            "first time, and with another body 409",
            examples=["6f1b1f5e-5f0c-4f8e-9d43-2b1e0f7a9c11"],
            json_schema_extra={"minLength": 1, "maxLength": _MAX_KEY_LENGTH, "pattern": "^[!-~]([ -~]*[!-~])?$"},
        ),
    ] = None,
) -> str | None:
    if idempotency_key is not None and not _is_key(idempotency_key):
        problem = f"Idempotency-Key: must be 1-{_MAX_KEY_LENGTH} printable ASCII characters"
        raise ApiError(ErrorCode.HEADER_MISSING, details=[problem])
    return idempotency_key


IdempotencyKey = Annotated[str | None, Depends(_idempotency_key)]


async def _preconditions(
    idempotency_key: IdempotencyKey,
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match",
            description="the ETags that the caller has seen, or `*`; 412 when the meeting has changed since",
            examples=["*"],
        ),
    ] = None,
) -> RequestPreconditions:
    return RequestPreconditions(idempotency_key, _versions(if_match))


CurrentPreconditions = Annotated[RequestPreconditions, Depends(_preconditions)]


async def _command_request(
    request: Request, caller: CurrentCaller, preconditions: CurrentPreconditions
) -> CommandRequest:
    return CommandRequest(caller, request.scope["path"], preconditions)


async def _keyed_request(request: Request, caller: CurrentCaller, idempotency_key: IdempotencyKey) -> CommandRequest:
    return CommandRequest(caller, request.scope["path"], RequestPreconditions(idempotency_key))


CurrentRequest = Annotated[CommandRequest, Depends(_command_request)]
KeyedRequest = Annotated[CommandRequest, Depends(_keyed_request)]
"""A request about what has no version yet, or whose version does not matter."""


def _is_key(value: str) -> bool:
    return 0 < len(value) <= _MAX_KEY_LENGTH and all(_FIRST_PRINTABLE <= letter <= _LAST_PRINTABLE for letter in value)


def _versions(if_match: str | None) -> list[int] | None:
    """The versions that an If-Match admits (RFC 9110 section 13.1.1); None = any. Weak tags never match."""
    if if_match is None or if_match.strip() == "*":
        return None
    tags = (_ENTITY_TAG.fullmatch(tag.strip()) for tag in if_match.split(","))
    return [int(tag[1]) for tag in tags if tag]
