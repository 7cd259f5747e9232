"""Microsoft's OAuth 2.0 for web servers, with MSAL.

Source: https://learn.microsoft.com/entra/msal/python/ and
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow

MSAL blocks, is slow to load, and asks the network in its constructor: all that happens in threads, at use. An
application is made for each call, around the one user's token cache; what MSAL learns of the authority is shared.
"""

import json
import time
import warnings
from datetime import timedelta
from typing import Any

import httpx
import structlog
from contracts.api.calendar import AuthorizationResult
from contracts.values.times import utc_now
from pydantic import SecretStr

from calendar_sync.providers.accounts import GrantRevokedError, ProviderUnavailableError
from calendar_sync.providers.http import ONE_USE, RETRY_PAUSES, ThreadPool, raise_if_unavailable, request
from calendar_sync.providers.oauth import AuthorizationFailedError, AuthorizationRequest, TokenGrant, TokenSet

log = structlog.get_logger()


NEEDED = ("Calendars.ReadWrite", "User.Read")
"""Least rights: the user's calendars, also to watch them, and the address to show whose they are."""


SCOPES = (*NEEDED, "MailboxSettings.Read")
"""What is asked for: also the mailbox's time zone, for whole days that do not say theirs. MSAL adds ``openid``,
``profile`` and ``offline_access`` itself."""


LOGIN_HOST = "https://login.microsoftonline.com"


_REVOKED = "Access was withdrawn at Microsoft, or has expired. Connect the calendar again."


_NEEDS_THE_USER = frozenset({"invalid_grant", "interaction_required", "consent_required", "login_required"})


class LoginClient:
    """What MSAL calls the network with: its login host is wherever we are told, and an outage is one of ours."""

    def __init__(self, login_url: str, timeout: float) -> None:
        self._login_url = login_url
        self._http = httpx.Client(timeout=timeout, follow_redirects=False, limits=ONE_USE)

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> httpx.Response:
        """As ``requests.get``; repeated twice when it fails. Raises ProviderUnavailableError."""
        for pause in RETRY_PAUSES:
            try:
                return self._send("GET", url, params=params, headers=headers)
            except ProviderUnavailableError:
                time.sleep(pause)
        return self._send("GET", url, params=params, headers=headers)

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> httpx.Response:
        """As ``requests.post``. Raises ProviderUnavailableError."""
        return self._send("POST", url, params=params, data=data, headers=headers)

    def close(self) -> None:
        """As MSAL wants it: it is shared, so it stays open."""

    def close_for_good(self) -> None:
        self._http.close()

    def _send(self, method: str, url: str, **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, url.replace(LOGIN_HOST, self._login_url, 1), **options)
        except httpx.HTTPError as error:
            raise ProviderUnavailableError(type(error).__name__) from None  # its request carries secrets
        raise_if_unavailable(answer.status_code, answer.headers)
        return answer


class MicrosoftOAuth:
    """Consents and tokens at Microsoft. There is no endpoint by which an application gives a user's grant back."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        client_id: str,
        client_secret: SecretStr,
        redirect_uri: str,
        login_url: str,
        graph_url: str,
        authority: str,
        timeout: float,
    ) -> None:
        """URLs without a slash at the end; ``authority``: ``common``, ``organizations``, ``consumers`` or a tenant."""
        self._http = http
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = redirect_uri
        self._authority = f"{LOGIN_HOST}/{authority}"
        self._me_url = f"{graph_url}/v1.0/me"
        self._login = LoginClient(login_url, timeout)
        self._learned: dict[str, Any] = {}
        self._threads = ThreadPool("microsoft-oauth")

    def close(self) -> None:
        """Let the threads and the connections go."""
        self._threads.close()
        self._login.close_for_good()

    async def start_authorization(self, *, state: str, login_hint: str) -> AuthorizationRequest:
        return await self._threads.run(self._start_authorization, state, login_hint)

    async def exchange_code(self, *, code: str, flow_state: str) -> TokenGrant:
        result, cache = await self._threads.run(self._redeem, code, json.loads(flow_state))
        granted = str(result.get("scope", "")).split()
        if not set(map(_bare, NEEDED)) <= set(map(_bare, granted)):
            raise AuthorizationFailedError(AuthorizationResult.INCOMPLETE)
        token_set = _token_set(result, cache)
        return TokenGrant(token_set, *await self._identity(token_set.access_token), granted)

    async def refresh(self, token_set: TokenSet) -> TokenSet:
        return await self._threads.run(self._refresh, token_set)

    async def revoke(self, token_set: TokenSet) -> None:
        """Forgetting it is all there is."""

    def _application(self, cache: Any) -> Any:
        import msal  # type: ignore[import-untyped]  # noqa: PLC0415 slow to load

        return msal.ConfidentialClientApplication(
            self._client_id,
            client_credential=self._client_secret.get_secret_value(),
            authority=self._authority,
            instance_discovery=False,  # the authority is a setting of ours, not a stranger's word
            token_cache=cache,
            http_client=self._login,
            http_cache=self._learned,
        )

    def _cache(self, serialized: str | None = None) -> Any:
        import msal  # noqa: PLC0415 slow to load

        cache = msal.SerializableTokenCache()
        cache.deserialize(serialized)
        return cache

    def _start_authorization(self, state: str, login_hint: str) -> AuthorizationRequest:
        application = self._application(self._cache())
        with warnings.catch_warnings():
            # The platform's callback is a GET; what it brings is good once, and only together with the PKCE verifier.
            warnings.filterwarnings("ignore", message="response_mode='form_post' is recommended")
            flow: dict[str, Any] = application.initiate_auth_code_flow(
                list(SCOPES),
                redirect_uri=self._redirect_uri,
                state=state,
                login_hint=login_hint,
                prompt="select_account",
            )
        return AuthorizationRequest(flow["auth_uri"], json.dumps(flow))

    def _redeem(self, code: str, flow: dict[str, Any]) -> tuple[dict[str, Any], str]:
        cache = self._cache()
        result = self._application(cache).acquire_token_by_auth_code_flow(flow, {"state": flow["state"], "code": code})
        if "error" in result:
            log.warning("microsoft refuses a code", error=result["error"], codes=result.get("error_codes"))
            expired = result["error"] == "invalid_grant"
            raise AuthorizationFailedError(AuthorizationResult.EXPIRED if expired else AuthorizationResult.REFUSED)
        return result, cache.serialize()

    def _refresh(self, token_set: TokenSet) -> TokenSet:
        cache = self._cache(token_set.refresh_credential)
        application = self._application(cache)
        accounts = application.get_accounts()
        result = application.acquire_token_silent_with_error(
            list(SCOPES), accounts[0] if accounts else None, force_refresh=True
        )
        if result is None:
            raise GrantRevokedError(_REVOKED)
        if "error" not in result:
            return _token_set(result, cache.serialize())
        log.warning("microsoft refuses to renew a grant", error=result["error"], codes=result.get("error_codes"))
        if result["error"] in _NEEDS_THE_USER:
            raise GrantRevokedError(_REVOKED)
        raise ProviderUnavailableError("the token endpoint refuses our client")

    async def _identity(self, access_token: str) -> tuple[str, str]:
        """The account's id, and its address."""
        headers = {"Authorization": f"Bearer {access_token}"}
        answer = await request(
            self._http, "GET", self._me_url, params={"$select": "id,mail,userPrincipalName"}, headers=headers
        )
        person = answer.json() if answer.status_code == 200 else {}
        email = person.get("mail") or person.get("userPrincipalName")  # personal accounts may lack the first
        subject = person.get("id")
        if not isinstance(subject, str) or not isinstance(email, str):
            raise AuthorizationFailedError(AuthorizationResult.REFUSED)
        return subject, email.lower()


def _token_set(result: dict[str, Any], cache: str) -> TokenSet:
    return TokenSet(result["access_token"], utc_now() + timedelta(seconds=int(result["expires_in"])), cache)


def _bare(scope: str) -> str:
    """A Graph scope without the resource that may stand before it, ``https://graph.microsoft.com/User.Read``."""
    return scope.rpartition("/")[2].casefold()
