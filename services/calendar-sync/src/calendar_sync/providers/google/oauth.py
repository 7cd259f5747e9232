"""Google's OAuth 2.0 for web servers, with Google's own libraries.

Source: https://developers.google.com/identity/protocols/oauth2/web-server

The libraries block and are slow to load: both happen in threads, at first use. A flow is made for each request; its
PKCE verifier is kept with the consent.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import structlog
from contracts.api.calendar import AuthorizationResult
from contracts.values.times import utc_now
from pydantic import SecretStr

from calendar_sync.providers.accounts import GrantRevokedError, ProviderUnavailableError
from calendar_sync.providers.http import ThreadPool, raise_if_unavailable, request
from calendar_sync.providers.oauth import AuthorizationFailedError, AuthorizationRequest, TokenGrant, TokenSet

log = structlog.get_logger()


EVENTS = "https://www.googleapis.com/auth/calendar.events"


EMAIL = "https://www.googleapis.com/auth/userinfo.email"


CALENDARS = "https://www.googleapis.com/auth/calendar.calendarlist.readonly"


SCOPES = ("openid", EMAIL, EVENTS, CALENDARS)
"""Least rights: the events of the user's calendars, also to watch them, and the address to show whose it is. Which
calendars there are may be refused: then an event that was moved to another one may count as deleted."""


_REVOKED = "Access was withdrawn at Google, or has expired. Connect the calendar again."


class GoogleOAuth:
    """Consents, tokens and revocation at Google."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        client_id: str,
        client_secret: SecretStr,
        redirect_uri: str,
        accounts_url: str,
        oauth_url: str,
        api_url: str,
        timeout: float,
    ) -> None:
        """URLs without a slash at the end; ``timeout`` in seconds, for one call."""
        self._http = http
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = redirect_uri
        self._authorize_url = f"{accounts_url}/o/oauth2/v2/auth"
        self._token_url = f"{oauth_url}/token"
        self._revoke_url = f"{oauth_url}/revoke"
        self._userinfo_url = f"{api_url}/oauth2/v3/userinfo"
        self._timeout = timeout
        self._threads = ThreadPool("google-oauth")

    def close(self) -> None:
        """Let the threads go."""
        self._threads.close()

    async def start_authorization(self, *, state: str, login_hint: str) -> AuthorizationRequest:
        return await self._threads.run(self._start_authorization, state, login_hint)

    async def exchange_code(self, *, code: str, flow_state: str) -> TokenGrant:
        token = await self._threads.run(self._fetch_token, code, flow_state)
        scopes: list[str] = token.get("scope") or []  # oauthlib has split it
        if EVENTS not in scopes or EMAIL not in scopes:
            raise AuthorizationFailedError(AuthorizationResult.INCOMPLETE)
        if "refresh_token" not in token:
            raise AuthorizationFailedError(AuthorizationResult.REFUSED)
        token_set = TokenSet(token["access_token"], _ends(token["expires_in"]), token["refresh_token"])
        return TokenGrant(token_set, *await self._identity(token_set.access_token), scopes)

    async def refresh(self, token_set: TokenSet) -> TokenSet:
        return await self._threads.run(self._refresh, token_set)

    async def revoke(self, token_set: TokenSet) -> None:
        # 400 means that it is gone already; either token ends the whole grant.
        await request(self._http, "POST", self._revoke_url, data={"token": token_set.refresh_credential})

    def _flow(self, **options: Any) -> Any:
        from google_auth_oauthlib.flow import Flow  # type: ignore[import-untyped]  # noqa: PLC0415 slow to load

        client = {
            "client_id": self._client_id,
            "client_secret": self._client_secret.get_secret_value(),
            "auth_uri": self._authorize_url,
            "token_uri": self._token_url,
        }
        return Flow.from_client_config({"web": client}, redirect_uri=self._redirect_uri, **options)

    def _start_authorization(self, state: str, login_hint: str) -> AuthorizationRequest:
        """``access_type`` and ``prompt``: only so does a repeated consent bring a refresh token, too."""
        flow = self._flow(scopes=SCOPES)
        with flow.oauth2session:
            url, _ = flow.authorization_url(access_type="offline", prompt="consent", state=state, login_hint=login_hint)
        return AuthorizationRequest(url, flow.code_verifier)

    def _fetch_token(self, code: str, verifier: str) -> dict[str, Any]:
        """The token endpoint's answer to a code."""
        from oauthlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]  # noqa: PLC0415 slow to load
        from requests import RequestException  # noqa: PLC0415 slow to load

        # Without scopes of ours: oauthlib takes a smaller grant for an error, but the user may tick fewer.
        flow = self._flow(scopes=None, code_verifier=verifier)
        with flow.oauth2session as session:
            session.register_compliance_hook("access_token_response", _available)
            try:
                token: dict[str, Any] = dict(flow.fetch_token(code=code, timeout=self._timeout))
            except OAuth2Error as error:
                log.warning("google refuses a code", error=error.error)
                expired = error.error == "invalid_grant"
                raise AuthorizationFailedError(
                    AuthorizationResult.EXPIRED if expired else AuthorizationResult.REFUSED
                ) from None
            except RequestException as error:
                raise ProviderUnavailableError(type(error).__name__) from None
        return token

    def _refresh(self, token_set: TokenSet) -> TokenSet:
        from google.auth.exceptions import GoogleAuthError, RefreshError  # noqa: PLC0415 slow to load
        from google.auth.transport.requests import Request  # noqa: PLC0415
        from google.oauth2.credentials import Credentials  # noqa: PLC0415
        from requests import Session  # noqa: PLC0415

        credentials: Any = Credentials(  # type: ignore[no-untyped-call]
            None,
            refresh_token=token_set.refresh_credential,
            token_uri=self._token_url,
            client_id=self._client_id,
            client_secret=self._client_secret.get_secret_value(),
        )
        with Session() as session:
            send: Any = Request(session)

            def request(url: str, method: str = "GET", **options: Any) -> Any:
                answer = send(url, method, **options | {"timeout": self._timeout})
                raise_if_unavailable(answer.status, answer.headers)
                return answer

            try:
                credentials.refresh(request)
            except RefreshError as error:
                raise self._refused(error.args) from None
            except GoogleAuthError as error:
                raise ProviderUnavailableError(type(error).__name__) from None
        return TokenSet(credentials.token, credentials.expiry.replace(tzinfo=UTC), credentials.refresh_token)

    def _refused(self, said: tuple[Any, ...]) -> GrantRevokedError | ProviderUnavailableError:
        """What a refusal of the token endpoint means; its body is the last thing it says, if it was readable."""
        body = said[-1] if said and isinstance(said[-1], dict) else {}
        code = body.get("error")
        if code == "invalid_grant":
            return GrantRevokedError(_REVOKED)
        log.error("google refuses to renew a grant", error=code)  # our own client, most likely
        return ProviderUnavailableError("the token endpoint refuses our client")

    async def _identity(self, access_token: str) -> tuple[str, str]:
        """The account's id, and its address."""
        answer = await request(
            self._http, "GET", self._userinfo_url, headers={"Authorization": f"Bearer {access_token}"}
        )
        person = answer.json() if answer.status_code == 200 else {}
        subject, email = person.get("sub"), person.get("email")
        if not isinstance(subject, str) or not isinstance(email, str):
            raise AuthorizationFailedError(AuthorizationResult.REFUSED)
        return subject, email.lower()


def _available(answer: Any) -> Any:
    raise_if_unavailable(answer.status_code, answer.headers)
    return answer


def _ends(expires_in: Any) -> datetime:
    return utc_now() + timedelta(seconds=int(expires_in))
