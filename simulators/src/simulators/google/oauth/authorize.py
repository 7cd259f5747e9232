"""The consent page: ``/o/oauth2/v2/auth`` with an account chooser and a check-box for each scope."""

import re
from typing import Any
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from simulators.common.pages import Pages, same_origin
from simulators.google.oauth.grants import CODE_LIFE, consented, new_code, remember_consent
from simulators.google.oauth.scopes import IDENTITY, explain
from simulators.google.state import Code
from simulators.google.world import World

PATH = "/o/oauth2/v2/auth"
_MAIL = re.compile(r"[^@\s<>\"]{1,64}@[^@\s<>\"]{1,190}")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class BadRequest(Exception):  # noqa: N818 - Google's own words are "Error 400"
    """A request so wrong that the browser must not be sent back: shown to the user as a page."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


def router(world: World, pages: Pages) -> APIRouter:
    """The consent page and its form."""
    routes = APIRouter()

    @routes.get(PATH)
    async def ask(request: Request) -> Response:
        query = dict(request.query_params)
        try:
            _check(world, query)
        except BadRequest as error:
            return pages.render("error.html", status=error.status, code=error.code, text=error.text)
        if (problem := _refusal(query)) is not None:
            return _back(query, problem)
        scopes = query["scope"].split()
        return pages.render(
            "consent.html",
            form_target=_origin(query["redirect_uri"]),
            query=query,
            accounts=sorted(world.state.accounts),
            hint=query.get("login_hint", "").lower(),
            identity=[scope for scope in scopes if scope in IDENTITY],
            choices=[(scope, explain(scope)) for scope in scopes if scope not in IDENTITY],
        )

    @routes.post(PATH, dependencies=[Depends(same_origin)])
    async def decide(request: Request) -> Response:
        form = await request.form()
        query = dict(request.query_params)
        try:
            _check(world, query)
            if form.get("decision") != "allow":
                return _back(query, {"error": "access_denied"})
            email = _chosen(form.get("account"), form.get("other"), query.get("login_hint", ""))
        except BadRequest as error:
            return pages.render("error.html", status=error.status, code=error.code, text=error.text)
        ticked = {str(value) for value in form.getlist("scope")}
        granted = [scope for scope in query["scope"].split() if scope in IDENTITY or scope in ticked]
        if not granted:
            return _back(query, {"error": "access_denied"})
        return _back(query, _grant(world, query, world.account(email).email, granted))

    return routes


def _grant(world: World, query: dict[str, str], email: str, granted: list[str]) -> dict[str, str]:
    """The parameters that tell the client of a consent.

    A refresh token will come only with ``access_type=offline``, and again only with ``prompt=consent``.
    """
    client_id = query["client_id"]
    before = consented(world, client_id, email)
    offline = query.get("access_type") == "offline" and (not before or "consent" in query.get("prompt", "").split())
    remember_consent(world, client_id, email, granted)
    scopes = sorted({*granted, *before}) if query.get("include_granted_scopes") == "true" else granted
    code = Code(
        account=email,
        client_id=client_id,
        redirect_uri=query["redirect_uri"],
        scopes=scopes,
        challenge=query.get("code_challenge"),
        challenge_method=query.get("code_challenge_method", "plain") if "code_challenge" in query else None,
        offline=offline,
        nonce=query.get("nonce"),
        expires_at=world.clock.now() + CODE_LIFE,
    )
    return {"code": new_code(world, code), "scope": " ".join(scopes), "authuser": "0", "prompt": "consent"}


def _check(world: World, query: dict[str, str]) -> None:
    """Raises BadRequest when client or redirect URI are wrong: then nothing may be sent anywhere."""
    if query.get("client_id") != world.settings.google_client_id:
        raise BadRequest(401, "invalid_client", "The OAuth client was not found.")
    uri = query.get("redirect_uri", "")
    parts = urlsplit(uri)
    registered = world.settings.google_redirect_uris
    loopback = parts.scheme in ("http", "https") and parts.hostname in _LOOPBACK
    if not (uri in registered if registered else loopback) or parts.fragment:
        raise BadRequest(400, "redirect_uri_mismatch", "The redirect URI in the request is not registered.")
    if not query.get("scope", "").split():
        raise BadRequest(400, "invalid_request", "Missing required parameter: scope")
    unknown = [scope for scope in query["scope"].split() if explain(scope) is None]
    if unknown:
        raise BadRequest(400, "invalid_scope", f"Some requested scopes were invalid: {unknown}")


def _refusal(query: dict[str, str]) -> dict[str, str] | None:
    if query.get("response_type") != "code":
        return {"error": "unsupported_response_type"}
    if query.get("code_challenge_method", "S256") not in ("S256", "plain"):
        return {"error": "invalid_request"}
    if query.get("prompt") == "none":
        return {"error": "interaction_required"}
    return None


def _chosen(account: Any, other: Any, hint: str) -> str:
    """The account: an address that was typed wins over a button that stayed where it was."""
    typed = str(other or "").strip()
    email = typed if account in (None, "", "other") or typed.lower() not in ("", hint.lower()) else str(account)
    if not _MAIL.fullmatch(email):
        raise BadRequest(400, "invalid_request", "Choose an account, or enter an e-mail address.")
    return email.lower()


def _back(query: dict[str, str], answer: dict[str, str]) -> RedirectResponse:
    """To the client, with its ``state`` untouched."""
    uri = query["redirect_uri"]
    state = {"state": query["state"]} if "state" in query else {}
    return RedirectResponse(f"{uri}{'&' if '?' in uri else '?'}{urlencode(state | answer)}", 303)


def _origin(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"
