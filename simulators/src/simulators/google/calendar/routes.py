"""The API over HTTP: one route for each method of the discovery document, and what comes before its handler."""

import json
import logging
from typing import Any

from fastapi import Request, Response
from starlette.responses import JSONResponse
from starlette.routing import Route

from simulators.common.faults import hold
from simulators.google.calendar.errors import ApiError, by_reason, invalid, not_found
from simulators.google.calendar.handlers import HANDLERS, Call, Handler, not_imitated
from simulators.google.discovery.document import Method, methods
from simulators.google.discovery.partial import select
from simulators.google.discovery.validation import UntrueAnswer, check_answer, check_body, read_parameters
from simulators.google.oauth.bearer import authorised
from simulators.google.state import AccessToken, Account, Json
from simulators.google.world import World

log = logging.getLogger(__name__)
NO_ANSWER_SECONDS = 60.0


def routes(world: World) -> list[Route]:
    """Every method of the document; what is not imitated answers 501."""
    unknown = HANDLERS.keys() - {method.name for method in methods()}
    if unknown:
        raise RuntimeError(f"not in the discovery document: {sorted(unknown)}")
    return [Route(method.path, _Endpoint(world, method), methods=[method.verb]) for method in methods()]


class _Endpoint:
    """The way of a request through the simulator: authorise, fail on purpose, validate, do, fail on purpose, check."""

    def __init__(self, world: World, method: Method) -> None:
        self.world, self.method = world, method
        self.handler: Handler = HANDLERS.get(method.name, not_imitated)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        account: Account | None = None
        try:
            account, token = authorised(self.world, request)
            answer = await self._answer(request, account, token)
        except ApiError as error:
            answer = JSONResponse(error.body(), error.status, error.headers)
        except UntrueAnswer as error:
            log.error("UNTRUE ANSWER, the simulator must be mended: %s", error)  # noqa: TRY400 - the trace adds nothing
            answer = JSONResponse(ApiError(500, "untrueAnswer", f"The simulator is wrong: {error}").body(), 500)
        email = account.email if account else None
        query = str(request.query_params) if "syncToken" not in request.query_params else "syncToken=..."
        self.world.requests.record(
            at=self.world.clock.now(), account=email, operation=self.method.name, status=answer.status_code, query=query
        )
        await answer(scope, receive, send)

    async def _answer(self, request: Request, account: Account, token: AccessToken) -> Response:
        await request.body()  # read before a fault listens for the caller hanging up
        await self._fail_before(request, account)
        body = await _body(request, self.method)
        params = read_parameters(self.method, request.path_params, request.query_params)
        scopes = _granted_scopes(self.method, token)
        call = Call(self.world, account, token.client_id, scopes, params, body, request.headers.get("if-match"))
        result = await self.handler(call)
        await self._fail_after(request, account)
        check_answer(self.method, result)
        return _response(request, params, result)

    async def _fail_before(self, request: Request, account: Account) -> None:
        if slow := self._fault("latency", account):
            await hold(request, slow.seconds)
        if fault := self._fault("error", account):
            raise by_reason(fault.status, fault.reason, _retry_after(fault.retry_after))
        if self._fault("not_found", account):
            raise not_found()
        if self.world.over_quota(account.email):
            raise by_reason(403, "userRateLimitExceeded", {})

    async def _fail_after(self, request: Request, account: Account) -> None:
        if fault := self._fault("commit_then_error", account):
            raise by_reason(fault.status, fault.reason, _retry_after(fault.retry_after))
        if fault := self._fault("commit_then_timeout", account):
            await hold(request, fault.seconds or NO_ANSWER_SECONDS)
            raise by_reason(504, "backendError", {})

    def _fault(self, kind: str, account: Account) -> Any:
        return self.world.faults.draw(kind, account=account.email, operation=self.method.name)


def _retry_after(seconds: int | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(seconds)}


async def _body(request: Request, method: Method) -> Json:
    raw = await request.body()
    if method.request is None:
        return {}
    try:
        parsed = json.loads(raw)
    except ValueError:
        raise invalid("Parse Error", reason="parseError") from None
    return check_body(method.request, parsed)


def _granted_scopes(method: Method, token: AccessToken) -> frozenset[str]:
    """The user's scopes that the document lists for the method, short names. Raises ApiError 403 when there is none."""
    granted = method.scopes & frozenset(token.scopes)
    if not granted:
        header = 'Bearer realm="https://accounts.google.com/", error="insufficient_scope"'
        message = "Request had insufficient authentication scopes."
        raise ApiError(403, "insufficientPermissions", message, headers={"WWW-Authenticate": header})
    return frozenset(scope.removeprefix("https://www.googleapis.com/auth/") for scope in granted)


def _response(request: Request, params: Json, result: Json | None) -> Response:
    if result is None:
        return Response(status_code=204)
    etag = result.get("etag")
    headers = {} if etag is None else {"ETag": etag}
    if request.method == "GET" and etag is not None and request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return JSONResponse(select(result, params["fields"]) if "fields" in params else result, headers=headers)
