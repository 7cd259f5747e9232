"""Where calendar providers send browsers back: the callback, and the pages that say what became of it.

A user who started to connect could send the provider's address to another person, and get their calendar (RFC 9700
section 4.7). So the browser that began has a cookie, and any other one is asked first, by default.
"""

import base64
import hashlib
import hmac
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlencode, urlsplit

from chassis.http.errors import retry_headers
from chassis.http.openapi import Responses
from contracts.api.calendar import AuthorizationOutcome, AuthorizationResult, Confirmation
from contracts.api.errors import ApiError
from contracts.model import Contract
from contracts.values.text import sanitize_line
from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import Field
from typing_extensions import TypeAliasType

from api_gateway.adapters.http.public import PageRoute, language_asked
from api_gateway.adapters.http.responses import Provider, documented_page, documented_page_or_error, shown_later
from api_gateway.adapters.http.services import AppServices
from api_gateway.adapters.pages.rendering import HEADERS, page
from api_gateway.schemas.calendar import ProviderName

_PATH = "/api/v1/calendar/callback"
_SUCCESS, _FAILED = f"{_PATH}/success", f"{_PATH}/oauth-failed"
_NAMES = {ProviderName.GOOGLE: "Google Calendar", ProviderName.OUTLOOK: "Outlook"}
_VISIBLE = "^[ -~]*$"  # all that a state, a code and an error may consist of (RFC 6749 appendix A)
_MAILBOX = "calendar-mailbox"
_COOKIE_SECONDS = 3600

_ALWAYS: Responses = {
    429: shown_later("Too many requests"),
    500: documented_page_or_error("Something went wrong on our side"),
}
_RESULT = _ALWAYS | {200: documented_page("What became of it")}
_BACK: Responses = _ALWAYS | {
    200: documented_page(
        "The browser is another one than the one that began: the user is asked; nothing is connected yet"
    ),
    302: {"description": "To the page that says what became of it"},
    400: documented_page_or_error("The provider's answer is incomplete"),
    503: shown_later("Temporarily unavailable; nothing was connected"),
}
_CONFIRMED: Responses = _ALWAYS | {
    303: {"description": "To the page that says what became of it"},
    400: documented_page_or_error("The form is incomplete"),
    413: documented_page_or_error("The body is too large"),
    503: shown_later("Temporarily unavailable"),
}


YesOrNo = TypeAliasType("YesOrNo", Literal["yes", "no"])


class ConfirmationForm(Contract):
    """What the page sends that asks whether the user meant to connect."""

    token: str = Field(min_length=1, max_length=256, pattern=_VISIBLE)
    answer: YesOrNo


class BrowserCookies:
    """Cookies for the callback only: which browser began to connect, and which mailbox it connected."""

    def __init__(self, *, secure: bool) -> None:
        """``secure``: send them over TLS only."""
        self._secure = secure

    def remember(self, response: Response, state: str) -> None:
        """Let the browser that gets this response be known when it comes back with this state."""
        name, value = _cookie_of(state)
        self._set(response, name, value)

    def is_known(self, request: Request, state: str) -> bool:
        """Whether this is the browser that began with this state."""
        name, value = _cookie_of(state)
        return hmac.compare_digest(request.cookies.get(name, "").encode(), value.encode())

    def show_mailbox(self, response: Response, email: str) -> None:
        """Let the page of success name the mailbox, which is in no address that way."""
        self._set(response, _MAILBOX, base64.urlsafe_b64encode(email.encode()).decode())

    def mailbox(self, request: Request) -> str:
        """The mailbox that this browser connected; empty when it is not known."""
        try:
            return sanitize_line(base64.urlsafe_b64decode(request.cookies.get(_MAILBOX, "")).decode())
        except ValueError:
            return ""

    def _set(self, response: Response, name: str, value: str) -> None:
        response.set_cookie(
            name, value, max_age=_COOKIE_SECONDS, path=_PATH, secure=self._secure, httponly=True, samesite="lax"
        )


def state_of(authorization_url: str) -> str:
    """The state in the address at which a user consents."""
    return parse_qs(urlsplit(authorization_url).query).get("state", [""])[0]


def authorization_routes(
    services: AppServices, browsers: BrowserCookies, *, other_browser: Literal["ask", "refuse", "accept"]
) -> APIRouter:
    """The callback and its pages."""
    router = APIRouter(route_class=AuthorizationResultRoute)
    _add_pages(router, browsers)

    @router.get("/callback/{provider}", status_code=302, response_class=RedirectResponse, responses=_BACK)
    async def complete_authorization(
        request: Request,
        provider: Provider,
        state: Annotated[str | None, Query(max_length=256, pattern=_VISIBLE)] = None,
        code: Annotated[str | None, Query(max_length=8192, pattern=_VISIBLE)] = None,
        error: Annotated[str | None, Query(max_length=256, pattern=_VISIBLE)] = None,
    ) -> Response:
        """Where a provider sends the user's browser back; leads on to a result page.

        The browser that began is known by the cookie of `connect`; any other one is asked first, on a page.
        """
        same = other_browser == "accept" or (state is not None and browsers.is_known(request, state))
        if not same and state is not None and other_browser == "refuse":
            return _redirect(provider, AuthorizationOutcome(result=AuthorizationResult.OTHER_BROWSER), 302)
        outcome = await services.calendar.complete(
            provider.provider, state=state, code=code, error=error, same_browser=same
        )
        if outcome.confirmation is not None:
            return _ask(request, provider, outcome.confirmation)
        return _redirect(provider, outcome, 302, browsers)

    @router.post(
        "/callback/{provider}/confirmation", status_code=303, response_class=RedirectResponse, responses=_CONFIRMED
    )
    async def confirm_authorization(provider: Provider, form: Annotated[ConfirmationForm, Form()]) -> Response:
        """What the page's form sends: connects the mailbox, or gives the access to it back."""
        outcome = await services.calendar.confirm(provider.provider, form.token, allowed=form.answer == "yes")
        return _redirect(provider, outcome, 303, browsers)

    return router


class AuthorizationResultRoute(PageRoute):
    """A public route for people who come from a provider."""

    def refused(self, request: Request, refusal: ApiError) -> Response:
        code = refusal.code.status
        result = AuthorizationResult.UNAVAILABLE if code in (429, 503) else AuthorizationResult.EXPIRED
        return _page(request, result, status=code, headers=retry_headers(refusal))


def _add_pages(router: APIRouter, browsers: BrowserCookies) -> None:
    @router.get("/callback/success", response_class=HTMLResponse, responses=_RESULT)
    async def show_authorization_success(request: Request, provider: str = "") -> Response:
        """The page that says that a calendar is connected, and which."""
        name = next((_NAMES[known] for known in ProviderName if known == provider), None)
        return _page(request, AuthorizationResult.CONNECTED, calendar=name, mailbox=browsers.mailbox(request))

    @router.get("/callback/oauth-failed", response_class=HTMLResponse, responses=_RESULT)
    async def show_authorization_failure(request: Request, reason: str = "") -> Response:
        """The page that says why no calendar was connected."""
        failures = [result for result in AuthorizationResult if result is not AuthorizationResult.CONNECTED]
        return _page(request, next((result for result in failures if result == reason), AuthorizationResult.EXPIRED))


def _cookie_of(state: str) -> tuple[str, str]:
    """One for each attempt, so that several windows do not disturb each other."""
    digest = hashlib.sha256(f"browser {state}".encode()).hexdigest()
    return f"calendar-authorization-{digest[:8]}", digest


def _redirect(
    provider: ProviderName, outcome: AuthorizationOutcome, status: int, browsers: BrowserCookies | None = None
) -> Response:
    connected = outcome.result is AuthorizationResult.CONNECTED
    query = urlencode({"provider": provider} if connected else {"reason": outcome.result})
    location = f"{_SUCCESS if connected else _FAILED}?{query}"
    response = Response(status_code=status, headers={"Location": location, **HEADERS})
    if browsers is not None and outcome.calendar_email:
        browsers.show_mailbox(response, outcome.calendar_email)
    return response


def _ask(request: Request, provider: ProviderName, asked: Confirmation) -> Response:
    return page(
        "confirm-calendar.html",
        language_asked(request),
        action=f"{provider.value}/confirmation",
        calendar=_NAMES[provider],
        token=asked.token,
        mailbox=sanitize_line(asked.calendar_email),
        user=sanitize_line(asked.user_name) or asked.user_email,
        user_email=sanitize_line(asked.user_email),
        firm=sanitize_line(asked.firm),
    )


def _page(
    request: Request,
    result: AuthorizationResult,
    *,
    calendar: str | None = None,
    mailbox: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    return page(
        "calendar.html",
        language_asked(request),
        status=status,
        headers=headers,
        result=result,
        calendar=calendar,
        mailbox=mailbox,
    )
