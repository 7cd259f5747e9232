"""Google's own client libraries, pointed at a simulator: for tests here and in the services."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httplib2  # type: ignore[import-untyped]
import httpx
import requests
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp  # type: ignore[import-untyped]
from google_auth_oauthlib.flow import Flow  # type: ignore[import-untyped]
from googleapiclient.discovery import build  # type: ignore[import-untyped]
from googleapiclient.errors import HttpError  # type: ignore[import-untyped]

from simulators.common.plain import PLAIN
from simulators.google.settings import Settings
from simulators.google.state import Json

EVENTS = "https://www.googleapis.com/auth/calendar.events"
FREEBUSY = "https://www.googleapis.com/auth/calendar.freebusy"
CALENDAR = "https://www.googleapis.com/auth/calendar"
EMAIL = "https://www.googleapis.com/auth/userinfo.email"
REDIRECT = "http://127.0.0.1:1/callback"


class Google:
    """One simulator as its clients, its users and its tests see it; ``url`` is its base URL without a slash.

    A context manager: leaving it closes every connection the libraries opened. Makes oauthlib accept plain http and a
    smaller scope than asked for, as any client of a local simulator must.
    """

    def __init__(self, url: str, settings: Settings | None = None) -> None:
        self.url = url
        self.settings = settings or Settings()
        self._open = ExitStack()
        self.browser = self._open.enter_context(httpx.Client(base_url=url, **PLAIN))
        os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = os.environ["OAUTHLIB_RELAX_TOKEN_SCOPE"] = "1"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def control(self, verb: str, path: str, body: Any = None) -> Any:
        """Call the control API, e.g. ``control("POST", "clock", {"advanceSeconds": 60})``.

        Raises httpx.HTTPStatusError.
        """
        answer = self.browser.request(verb, f"/_control/{path}", json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def fault(self, kind: str, **more: Any) -> str:
        """Put a fault in force; gives its id."""
        return str(self.control("POST", "faults", {"kind": kind, **more})["faultId"])

    def flow(self, *scopes: str, redirect_uri: str = REDIRECT) -> Any:
        """A ``google_auth_oauthlib.flow.Flow`` for the simulator's client."""
        client = {
            "client_id": self.settings.google_client_id,
            "client_secret": self.settings.google_client_secret,
            "auth_uri": f"{self.url}/o/oauth2/v2/auth",
            "token_uri": f"{self.url}/token",
        }
        flow = Flow.from_client_config({"web": client}, list(scopes), redirect_uri=redirect_uri)
        self._open.callback(flow.oauth2session.close)
        return flow

    def consent(self, url: str, email: str, *, untick: Sequence[str] = (), deny: bool = False) -> str:
        """Open a consent page, choose an account, send the form; gives the URL the browser is sent back to."""
        page = self.browser.get(url)
        page.raise_for_status()
        fields = _Fields()
        fields.feed(page.text)
        scopes = [scope for scope in fields.ticked if scope not in untick]
        answer = {"account": "other", "other": email, "scope": scopes, "decision": "deny" if deny else "allow"}
        sent = self.browser.post(url, data=answer, headers={"Origin": self.url})
        if not sent.is_redirect:
            raise AssertionError(f"no redirect but {sent.status_code}: {sent.text}")
        return sent.headers["location"]

    def connect(
        self, email: str, *scopes: str, untick: Sequence[str] = (), prompt: str | None = "consent"
    ) -> Credentials:
        """The whole web flow, with PKCE and offline access: credentials of a user who agreed."""
        flow = self.flow(*(scopes or (CALENDAR,)))
        url, _ = flow.authorization_url(access_type="offline", **({"prompt": prompt} if prompt else {}))
        flow.fetch_token(authorization_response=self.consent(url, email, untick=untick))
        credentials: Credentials = flow.credentials
        return credentials

    def refresh(self, credentials: Credentials) -> None:
        """Refresh the access token. Raises google.auth.exceptions.RefreshError."""
        with requests.Session() as session:
            credentials.refresh(Request(session))  # type: ignore[no-untyped-call]

    def calendar(self, credentials: Credentials, timeout: float = 30.0) -> Any:
        """The Calendar v3 service of google-api-python-client; ``timeout`` in seconds."""
        http = AuthorizedHttp(credentials, httplib2.Http(timeout=timeout))
        options = {"api_endpoint": f"{self.url}/calendar/v3/"}
        service = build("calendar", "v3", http=http, client_options=options, cache_discovery=False)
        self._open.callback(service.close)
        return service

    def refused(self, request: Any, status: int, reason: str | None) -> Json:
        """Execute a request that must fail this way; gives the error object. Raises AssertionError otherwise."""
        try:
            request.execute()
        except HttpError as error:
            told: Json = json.loads(error.content)["error"]
            reasons = [detail["reason"] for detail in told.get("errors", [])]
            if (error.status_code, reasons) != (status, [reason] if reason else []):
                raise AssertionError(f"wanted {status} {reason}, got {error.status_code} {told}") from error
            return told
        raise AssertionError(f"wanted {status} {reason}, got success")

    def refused_without_body(self, request: Any, status: int) -> None:
        """Execute a request whose answer must be this bare status, such as 304. Raises AssertionError otherwise."""
        try:
            request.execute()
        except HttpError as error:
            if (error.status_code, error.content) == (status, b""):
                return
            raise AssertionError(f"wanted a bare {status}, got {error.status_code} {error.content!r}") from error
        raise AssertionError(f"wanted {status}, got success")


def eventually(holds: Callable[[], bool], deadline: float = 30.0) -> None:
    """Ask again and again until it holds. Raises AssertionError after ``deadline`` seconds."""
    until = time.monotonic() + deadline
    while not holds():
        if time.monotonic() > until:
            raise AssertionError(f"did not come true within {deadline} s")
        time.sleep(0.01)


class _Fields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ticked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "input" and found.get("name") == "scope" and "checked" in found:
            self.ticked.append(found["value"] or "")


@dataclass(frozen=True)
class Push:
    """One notification as it arrived; header names in lower case."""

    headers: dict[str, str]
    body: bytes

    @property
    def state(self) -> str:
        return self.headers["x-goog-resource-state"]

    @property
    def number(self) -> int:
        return int(self.headers["x-goog-message-number"])


class Receiver:
    """A webhook endpoint that remembers what came. ``statuses`` are answered one after the other, then 200."""

    def __init__(self) -> None:
        self.url = ""
        self.statuses: list[int] = []
        self._came: list[Push] = []
        self._news = threading.Condition()

    @property
    def came(self) -> list[Push]:
        """Everything so far."""
        with self._news:
            return list(self._came)

    def wait(self, count: int, deadline: float = 30.0) -> list[Push]:
        """Everything so far, once there are ``count`` of them. Raises AssertionError after ``deadline`` seconds."""
        with self._news:
            if not self._news.wait_for(lambda: len(self._came) >= count, deadline):
                raise AssertionError(f"{len(self._came)} notifications came, not {count}")
            return list(self._came)

    def take(self, push: Push) -> int:
        """Remember one notification; gives the status to answer."""
        with self._news:
            self._came.append(push)
            self._news.notify_all()
            return self.statuses.pop(0) if self.statuses else 200


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free loopback port."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status = receiver.take(Push({key.lower(): value for key, value in self.headers.items()}, body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep test output free of requests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
