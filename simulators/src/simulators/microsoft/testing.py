"""Microsoft's own libraries, pointed at a simulator: for tests here and in the services."""

import html
import re
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import httpx
import msal  # type: ignore[import-untyped]
from fastapi import FastAPI, Request, Response
from kiota_abstractions.serialization import Parsable
from kiota_serialization_json.json_parse_node import JsonParseNode

from simulators.common.plain import PLAIN
from simulators.common.serve import running
from simulators.microsoft.settings import Settings

JsonObject = dict[str, Any]
ModelT = TypeVar("ModelT", bound=Parsable)

SCOPES = ("Calendars.ReadWrite", "User.Read", "MailboxSettings.Read")
REDIRECT = "http://127.0.0.1:1/callback"
LOGIN_HOST = "https://login.microsoftonline.com"


class LoginClient:
    """The ``http_client`` for MSAL: sends what is meant for Microsoft's login host to the simulator."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.Client(**PLAIN)

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> httpx.Response:
        """As ``requests.get``."""
        return self._client.get(self._mapped(url), params=params, headers=headers)

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> httpx.Response:
        """As ``requests.post``."""
        return self._client.post(self._mapped(url), params=params, data=data, headers=headers)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _mapped(self, url: str) -> str:
        return url.replace(LOGIN_HOST, self._url, 1)


class Microsoft:
    """One simulator as its clients, its users and its tests see it; ``url`` is its base URL without a slash.

    A context manager: leaving it closes every connection.
    """

    def __init__(self, url: str, settings: Settings | None = None) -> None:
        self.url = url
        self.settings = settings or Settings()
        self._open = ExitStack()
        self.browser = self._open.enter_context(httpx.Client(base_url=url, **PLAIN))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def control(self, verb: str, path: str, body: Any = None) -> Any:
        """Call the control API: ``control("POST", "clock", {"advanceSeconds": 60})``. Raises httpx.HTTPStatusError."""
        answer = self.browser.request(verb, f"/_control/{path}", json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def fault(self, kind: str, **more: Any) -> str:
        """Put a fault in force; gives its id."""
        return str(self.control("POST", "faults", {"kind": kind, **more})["faultId"])

    def advance(self, **span: float) -> None:
        """Move the simulated clock by a ``timedelta`` given as keywords in days, hours, minutes or seconds."""
        seconds = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
        total = sum(seconds[unit] * amount for unit, amount in span.items())
        self.control("POST", "clock", {"advanceSeconds": total})

    def outcomes(self, outcome: str, count: int, deadline: float = 10.0) -> None:
        """Return once ``count`` attempts to notify ended so. Raises AssertionError after ``deadline`` seconds."""
        end = time.monotonic() + deadline
        while True:
            found = [delivery["outcome"] for delivery in self.control("GET", "deliveries")]
            if found.count(outcome) >= count:
                return
            if time.monotonic() > end:
                raise AssertionError(f"wanted {count} of {outcome!r}, there are {found}")
            time.sleep(0.01)

    def application(self, authority: str = "common", **more: Any) -> Any:
        """A fresh ``msal.ConfidentialClientApplication`` (MSAL remembers failures inside one)."""
        client = LoginClient(self.url)
        self._open.callback(client.close)
        options = {"client_credential": self.settings.microsoft_client_secret, "http_client": client} | more
        return msal.ConfidentialClientApplication(
            self.settings.microsoft_client_id, authority=f"{LOGIN_HOST}/{authority}", **options
        )

    def sign_in(self, url: str, email: str, decision: str = "accept") -> httpx.Response:
        """Open the sign-in page, type an address, send the form; gives what the browser is answered."""
        page = self.browser.get(url)
        page.raise_for_status()
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text))
        form = {name: html.unescape(value) for name, value in hidden.items()}
        form |= {"other": email, "decision": decision}
        return self.browser.post(url, data=form, headers={"Origin": self.url})

    def flow(self, application: Any, *scopes: str) -> JsonObject:
        """MSAL's flow object, with the answer in the query as a GET callback needs it, which MSAL warns of."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="response_mode='form_post' is recommended")
            made: JsonObject = application.initiate_auth_code_flow(list(scopes or SCOPES), redirect_uri=REDIRECT)
        return made

    def consent(self, email: str, *scopes: str, application: Any = None) -> JsonObject:
        """The whole web flow with PKCE: MSAL's result, tokens or error."""
        app = application or self.application()
        flow = self.flow(app, *scopes)
        location = httpx.URL(self.sign_in(flow["auth_uri"], email).headers["location"])
        result: JsonObject = app.acquire_token_by_auth_code_flow(flow, dict(location.params))
        return result

    def graph(self, email: str, *scopes: str) -> httpx.Client:
        """An HTTP client for Graph v1.0 with the token of a user who consented."""
        return self.graph_with(self.consent(email, *scopes)["access_token"])

    def graph_with(self, token: str) -> httpx.Client:
        """An HTTP client for Graph v1.0 with this token."""
        headers = {"Authorization": f"Bearer {token}"}
        client = httpx.Client(base_url=f"{self.url}/v1.0", headers=headers, **PLAIN)
        return self._open.enter_context(client)


def decoded(kind: type[ModelT], body: JsonObject) -> ModelT:
    """The body as msgraph-sdk's model reads it. Raises AssertionError when anything of it is lost or unknown."""
    model: ModelT = JsonParseNode(body).get_object_value(kind)  # type: ignore[arg-type]
    _check(model, body, kind.__name__)
    return model


def refused(answer: httpx.Response, status: int, code: str) -> JsonObject:
    """The error object of an answer that must be this refusal. Raises AssertionError otherwise."""
    error: JsonObject = answer.json()["error"] if answer.status_code >= 400 else {"code": "none"}
    if (answer.status_code, error["code"]) != (status, code):
        raise AssertionError(f"wanted {status} {code}, got {answer.status_code} {answer.text}")
    return error


def _check(value: Any, body: Any, where: str) -> None:
    if isinstance(body, list):
        if not isinstance(value, list) or len(value) != len(body):
            raise AssertionError(f"{where}: {body!r} was read as {value!r}")
        for number, (entry, part) in enumerate(zip(value, body, strict=True)):
            _check(entry, part, f"{where}[{number}]")
        return
    if isinstance(body, dict):
        for name, part in body.items():
            if name.startswith("@odata.") or name == "@removed" or part is None:
                continue
            if not hasattr(value, _snake(name)):
                raise AssertionError(f"{where}: {type(value).__name__} has no {name}")
            _check(getattr(value, _snake(name)), part, f"{where}.{name}")
        return
    if value is None:
        raise AssertionError(f"{where}: {body!r} was not understood")


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).replace("-", "_").lower()


@dataclass(frozen=True)
class ReceivedCall:
    """One request to the receiver."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: JsonObject


class Receiver:
    """A webhook endpoint. ``statuses`` are answered to notifications one after the other, then 202.

    ``handshake`` says what becomes of a validation request: ``echo`` as it should be, ``encoded`` (still URL-encoded),
    ``html`` (wrong content type), ``refuse`` (500).
    """

    def __init__(self) -> None:
        self.url = ""
        self.handshake = "echo"
        self.statuses: list[int] = []
        self.validations: list[ReceivedCall] = []
        self._came: list[ReceivedCall] = []
        self._news = threading.Condition()

    def wait(self, count: int, deadline: float = 10.0) -> list[ReceivedCall]:
        """The notifications so far, once there are ``count``. Raises AssertionError after ``deadline`` seconds."""
        with self._news:
            if not self._news.wait_for(lambda: len(self._came) >= count, deadline):
                raise AssertionError(f"{len(self._came)} calls came, not {count}: {self._came}")
            return list(self._came)

    def items(self, count: int) -> list[JsonObject]:
        """The entries of every ``value`` so far, once ``count`` calls have come."""
        return [item for call in self.wait(count) for item in call.body["value"]]

    def clear(self) -> None:
        """Forget what came."""
        with self._news:
            self._came.clear()

    def take(self, call: ReceivedCall) -> int:
        """Remember a notification; gives the status to answer."""
        with self._news:
            self._came.append(call)
            self._news.notify_all()
            return self.statuses.pop(0) if self.statuses else 202

    def validated(self, call: ReceivedCall, raw_token: str) -> Response:
        """Answer a validation request."""
        self.validations.append(call)
        token = call.query["validationToken"]
        return {
            "echo": Response(token, media_type="text/plain"),
            "encoded": Response(raw_token, media_type="text/plain"),
            "html": Response(token, media_type="text/html"),
            "refuse": Response(status_code=500),
        }[self.handshake]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free loopback port; ``url`` + any path reaches it."""
    receiver, app = Receiver(), FastAPI()

    @app.post("/{path:path}")
    async def take(path: str, request: Request) -> Response:
        query = dict(request.query_params)
        body = await request.json() if "validationToken" not in query else {}
        call = ReceivedCall(f"/{path}", query, dict(request.headers), body)
        if "validationToken" in query:
            return receiver.validated(call, request.url.query.partition("validationToken=")[2])
        return Response(status_code=receiver.take(call))

    with running(app) as url:
        receiver.url = url
        yield receiver
