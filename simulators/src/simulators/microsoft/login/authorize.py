"""The page where a person signs in and consents.

Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow, "Request an authorization code".
"""

import re
import uuid
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from simulators.common.pages import Pages, same_origin
from simulators.microsoft.forms import fields
from simulators.microsoft.login.errors import LoginError, refused
from simulators.microsoft.login.grants import read_scopes
from simulators.microsoft.state.records import Account
from simulators.microsoft.world import World

_OPERATION = "login.authorize"
_PASSED_ON = (
    "client_id", "response_type", "redirect_uri", "response_mode", "scope", "state", "nonce", "code_challenge",
    "code_challenge_method", "prompt", "login_hint", "client_info",
)  # fmt: skip
_HOST = re.compile(r"[A-Za-z0-9.\-\[\]:]+")
_PATH = "/{tenant}/oauth2/v2.0/authorize"


def router(world: World, pages: Pages) -> APIRouter:
    """``GET`` shows the page, ``POST`` is its form."""
    routes = APIRouter()

    @routes.get(_PATH)
    async def show(tenant: str, request: Request) -> Response:
        parameters = {name: request.query_params[name] for name in _PASSED_ON if name in request.query_params}
        try:
            _check_client(world, parameters)
            if parameters.get("prompt") == "none":
                text = "Session information is not sufficient for single-sign-on."
                return _back(pages, parameters, _error("login_required", 50058, text))
            return _page(world, pages, parameters)
        except LoginError as error:
            return pages.render("sign_in_error.html", status=400, message=error.refusal.description())

    @routes.post(_PATH, dependencies=[Depends(same_origin)])
    async def decide(tenant: str, request: Request) -> Response:
        form = await fields(request)
        parameters = {name: form[name] for name in _PASSED_ON if name in form}
        try:
            _check_client(world, parameters)
            if form.get("decision") != "accept":
                text = "User declined to consent to access the app."
                return _back(pages, parameters, _error("access_denied", 65004, text) | {"error_subcode": "cancel"})
            try:
                account = world.state.account(form.get("other") or form.get("account") or "")
            except ValueError:
                return _page(world, pages, parameters, problem="Enter a valid e-mail address.")
            _check_tenant(tenant, account)
        except LoginError as error:
            return pages.render("sign_in_error.html", status=400, message=error.refusal.description())
        world.requests.record(at=world.clock.now(), account=account.email, operation=_OPERATION, status=302)
        if world.faults.draw("admin_consent", account=account.email, operation=_OPERATION):
            text = "The grant requires administrator permission."
            return _back(pages, parameters, _error("access_denied", 90094, text))
        return _back(pages, parameters, _accepted(world, parameters, account))

    return routes


def _page(world: World, pages: Pages, parameters: Mapping[str, str], problem: str = "") -> Response:
    scopes = read_scopes(parameters.get("scope", ""))
    hint = parameters.get("login_hint", "").lower()
    return pages.render(
        "sign_in.html",
        status=400 if problem else 200,
        form_target=_origin(parameters["redirect_uri"]),
        parameters=parameters,
        accounts=sorted(world.state.accounts.values(), key=lambda account: account.email),
        hint=hint,
        other="" if hint in world.state.accounts else hint,
        client=parameters["client_id"],
        scopes=scopes,
        problem=problem,
    )


def _check_client(world: World, parameters: Mapping[str, str]) -> None:
    """What Entra refuses on its own page, because it must not send anybody to an unchecked address."""
    client_id = parameters.get("client_id", "")
    if client_id.lower() != world.settings.microsoft_client_id.lower():
        raise refused(
            "unauthorized_client", 700016, f"Application with identifier '{client_id}' was not found in the directory."
        )
    redirect_uri = parameters.get("redirect_uri", "")
    if not _registered(redirect_uri, world.settings.microsoft_redirect_uris):
        text = (
            f"The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs configured "
            f"for the application '{client_id}'."
        )
        raise refused("invalid_request", 50011, text)
    if parameters.get("response_type") != "code":
        raise refused("unsupported_response_type", 700054, "The response_type must be 'code'.")
    if parameters.get("response_mode", "query") not in ("query", "form_post"):
        raise refused("invalid_request", 70007, "The response_mode is not supported for this response_type.")
    if parameters.get("code_challenge_method", "S256") != "S256" and "code_challenge" in parameters:
        raise refused("invalid_request", 501491, "Only the S256 code_challenge_method is supported here.")
    read_scopes(parameters.get("scope", ""))


def _registered(redirect_uri: str, known: frozenset[str]) -> bool:
    if known:
        return redirect_uri in known
    parts = urlsplit(redirect_uri)
    if not parts.hostname or parts.fragment or not _HOST.fullmatch(parts.netloc):
        return False
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == "localhost"):
        return True
    try:
        return parts.scheme == "http" and ip_address(parts.hostname).is_loopback
    except ValueError:
        return False


def _check_tenant(tenant: str, account: Account) -> None:
    wanted = tenant.lower()
    fits = {"common": True, "organizations": not account.personal, "consumers": account.personal}
    if not fits.get(wanted, wanted in (account.tenant_id, account.email.rpartition("@")[2])):
        text = f"User account '{account.email}' from identity provider does not exist in tenant '{tenant}'."
        raise refused("invalid_request", 50020, text)


def _accepted(world: World, parameters: Mapping[str, str], account: Account) -> dict[str, str]:
    code = world.grants.consent(
        account,
        parameters["client_id"],
        read_scopes(parameters.get("scope", "")),
        redirect_uri=parameters["redirect_uri"],
        nonce=parameters.get("nonce"),
        challenge=parameters.get("code_challenge"),
    )
    return {"code": code, "session_state": str(uuid.uuid4())}


def _error(error: str, code: int, text: str) -> dict[str, str]:
    return {"error": error, "error_description": f"AADSTS{code}: {text}"}


def _back(pages: Pages, parameters: Mapping[str, str], answer: Mapping[str, str]) -> Response:
    """Back to the client with an answer, by redirect or (``form_post``) by a form."""
    answer = dict(answer) | ({"state": parameters["state"]} if "state" in parameters else {})
    target = parameters["redirect_uri"]
    if parameters.get("response_mode") == "form_post":
        return pages.render("form_post.html", form_target=_origin(target), target=target, parameters=answer)
    parts = urlsplit(target)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *answer.items()])
    return RedirectResponse(urlunsplit(parts._replace(query=query)), 302, {"Cache-Control": "no-store"})


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
