"""Calls of providers' logins: what is repeated, and what is not."""

import httpx
import pytest
from calendar_sync.providers import http as provider_http
from calendar_sync.providers.accounts import ProviderUnavailableError
from calendar_sync.providers.http import request
from calendar_sync.providers.microsoft.oauth import LoginClient

DROPPED = httpx.RemoteProtocolError("Server disconnected without sending a response.")
Given = tuple[int, dict[str, str]]
BUSY: Given = (503, {})
LATER: Given = (503, {"Retry-After": "60"})
OK: Given = (200, {})


class Answers:
    """A provider that gives these answers, one after the other."""

    def __init__(self, *answers: Given | Exception) -> None:
        self.answers = list(answers)

    def __call__(self, _request: httpx.Request) -> httpx.Response:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, headers = answer
        return httpx.Response(status, headers=headers, json={"id": "1"})

    async def ask(self, method: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self)) as client:
            return await request(client, method, "https://provider.example.com/me")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_http, "RETRY_PAUSES", (0.0, 0.0))
    monkeypatch.setattr("calendar_sync.providers.microsoft.oauth.RETRY_PAUSES", (0.0, 0.0))


@pytest.mark.parametrize("failures", [[DROPPED], [BUSY], [DROPPED, BUSY]])
async def test_a_get_is_repeated(failures: list[Given | Exception]) -> None:
    provider = Answers(*failures, OK)
    assert (await provider.ask("GET")).json() == {"id": "1"}
    assert provider.answers == []


@pytest.mark.parametrize(
    ("method", "failures"), [("GET", [BUSY, BUSY, BUSY]), ("GET", [LATER]), ("POST", [DROPPED]), ("POST", [BUSY])]
)
async def test_what_may_do_harm_twice_or_helps_nobody_is_not_repeated(
    method: str, failures: list[Given | Exception]
) -> None:
    provider = Answers(*failures, OK)
    with pytest.raises(ProviderUnavailableError):
        await provider.ask(method)
    assert provider.answers == [OK]


@pytest.mark.parametrize("failure", [DROPPED, BUSY])
def test_msal_repeats_a_get_but_no_post(failure: Given | Exception) -> None:
    client = LoginClient("https://login.example.com", timeout=1)
    for method, left in ((client.get, []), (client.post, [OK])):
        provider = Answers(failure, OK)
        client._http = httpx.Client(transport=httpx.MockTransport(provider))
        if left:
            with pytest.raises(ProviderUnavailableError):
                method("https://login.microsoftonline.com/common")
        else:
            assert method("https://login.microsoftonline.com/common").status_code == 200
        assert provider.answers == left
