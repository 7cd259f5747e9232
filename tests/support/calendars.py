"""The simulated providers as a user's browser meets them: pages of consent."""

from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import httpx
from contracts.values.enums import CalendarProvider
from simulators.google.testing import Google
from simulators.microsoft.testing import Microsoft


class Consents(Protocol):
    """A provider whose users can be asked, and can change their mind."""

    provider: CalendarProvider
    simulator: Any

    def agree(self, url: str, email: str) -> dict[str, str]:
        """Consent to everything; gives the query that the browser is sent back with."""

    def decline(self, url: str, email: str) -> dict[str, str]: ...

    def withdraw(self, email: str) -> None:
        """Take access away, without telling anybody."""

    def break_down(self, **more: object) -> None:
        """Answer token requests with 503 until ``recover``."""

    def recover(self) -> None: ...

    def rotate(self) -> None:
        """From now on a renewal brings a new refresh token and ends the old one."""

    def admits(self, token: str) -> bool:
        """Whether an access token is good for the account's calendar."""

    def renewals(self, email: str) -> int:
        """How many token requests of this account were granted so far."""


class GoogleConsents:
    """Google, simulated at ``google``."""

    provider = CalendarProvider.GOOGLE

    def __init__(self, google: Google) -> None:
        self.simulator = google

    def agree(self, url: str, email: str, *, untick: Sequence[str] = ()) -> dict[str, str]:
        return _query(self.simulator.consent(url, email, untick=untick))

    def decline(self, url: str, email: str) -> dict[str, str]:
        return _query(self.simulator.consent(url, email, deny=True))

    def withdraw(self, email: str) -> None:
        self.simulator.control("POST", f"accounts/{email}/revoke")

    def break_down(self, **more: object) -> None:
        self.simulator.fault("error", operation="oauth.token", status=503, **more)

    def recover(self) -> None:
        self.simulator.control("DELETE", "faults")

    def rotate(self) -> None:
        self.simulator.fault("refresh_token_rotation", operation="oauth.token")

    def admits(self, token: str) -> bool:
        url = f"{self.simulator.url}/calendar/v3/calendars/primary/events"
        return _is_admitted(self.simulator.browser, url, token)

    def renewals(self, email: str) -> int:
        return _granted(self.simulator.control("GET", "requests"), email, "oauth.token")


class MicrosoftConsents:
    """Microsoft, simulated at ``microsoft``."""

    provider = CalendarProvider.OUTLOOK

    def __init__(self, microsoft: Microsoft) -> None:
        self.simulator = microsoft

    def agree(self, url: str, email: str) -> dict[str, str]:
        return _query(self.simulator.sign_in(url, email).headers["location"])

    def decline(self, url: str, email: str) -> dict[str, str]:
        return _query(self.simulator.sign_in(url, email, decision="cancel").headers["location"])

    def withdraw(self, email: str) -> None:
        self.simulator.control("POST", f"accounts/{email}/revoke", {"reason": "revoked", "accessTokens": True})

    def break_down(self, **more: object) -> None:
        self.simulator.fault("error", operation="login.token", status=503, **more)

    def recover(self) -> None:
        self.simulator.control("DELETE", "faults")

    def rotate(self) -> None:
        behaviour = self.simulator.control("GET", "behaviour")
        self.simulator.control("PUT", "behaviour", behaviour | {"revokeReplacedTokens": True})

    def admits(self, token: str) -> bool:
        return _is_admitted(self.simulator.browser, f"{self.simulator.url}/v1.0/me/events", token)

    def renewals(self, email: str) -> int:
        return _granted(self.simulator.control("GET", "requests"), email, "login.token")


def _query(location: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(location).query))


def _is_admitted(browser: httpx.Client, url: str, token: str) -> bool:
    answer = browser.get(url, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


def _granted(counts: list[dict[str, object]], email: str, operation: str) -> int:
    return sum(
        int(str(one["count"]))
        for one in counts
        if (one["account"], one["operation"], one["status"]) == (email, operation, 200)
    )
