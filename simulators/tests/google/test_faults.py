"""Scripted faults, quotas, and the log that tests assert on."""

import time
from typing import Any

import pytest
from simulators.common.serve import running
from simulators.google.app import create_app
from simulators.google.settings import Settings
from simulators.google.state import Json
from simulators.google.testing import Google, eventually

HOST = "host@example.com"
EVENT: Json = {"id": "abcdef", "start": {"date": "2026-07-01"}, "end": {"date": "2026-07-02"}}


def stored(google: Google) -> list[str]:
    return [event["resource"]["id"] for event in google.control("GET", f"accounts/{HOST}/events")]


ERRORS = (
    (403, "rateLimitExceeded", "usageLimits"),
    (403, "userRateLimitExceeded", "usageLimits"),
    (403, "quotaExceeded", "usageLimits"),
    (429, "rateLimitExceeded", "usageLimits"),
    (500, "backendError", "global"),
    (503, "backendError", "global"),
)


def test_an_error_has_googles_envelope_and_changes_nothing(
    google: Google, host: Any, subtests: pytest.Subtests
) -> None:
    request = host.events().insert(calendarId="primary", body=EVENT)
    for status, reason, domain in ERRORS:
        with subtests.test(status=status, reason=reason):
            google.fault("error", operation="events.insert", status=status, reason=reason, times=1)
            assert google.refused(request, status, reason)["errors"][0]["domain"] == domain
            assert stored(google) == []
    assert request.execute()["id"] == "abcdef"


def test_not_found_strikes_whatever_is_asked_for_and_does_nothing(
    google: Google, host: Any, subtests: pytest.Subtests
) -> None:
    events = host.events()
    events.insert(calendarId="primary", body=EVENT).execute()
    where = {"calendarId": "primary", "eventId": EVENT["id"]}
    for request in (
        events.get(**where),
        events.list(calendarId="primary"),
        events.instances(**where),
        events.patch(**where, body={"summary": "Changed"}),
        events.move(**where, destination="primary"),
        events.delete(**where),
        events.insert(calendarId="primary", body={**EVENT, "id": "second"}),
        host.calendarList().list(),
    ):
        with subtests.test(method=request.methodId):
            google.fault("not_found", times=1)
            google.refused(request, 404, "notFound")
    assert stored(google) == [EVENT["id"]]
    assert "summary" not in events.get(**where).execute()


def test_a_fault_strikes_one_account_one_operation_and_a_number_of_times(google: Google, host: Any) -> None:
    google.fault("error", account=HOST, operation="events.*", times=2, retryAfter=7)
    other = google.calendar(google.connect("other@example.com"))
    other.events().list(calendarId="primary").execute()
    host.calendarList().list().execute()
    listing = host.events().list(calendarId="primary")
    google.refused(listing, 503, "backendError")
    google.refused(listing, 503, "backendError")
    listing.execute()
    assert google.control("GET", "faults")["faults"] == []


def test_the_library_gets_through_a_brief_outage_by_itself(google: Google, host: Any) -> None:
    google.fault("error", operation="events.list", status=403, reason="rateLimitExceeded", times=1)
    request = host.events().list(calendarId="primary")
    request._sleep = lambda _: None
    assert request.execute(num_retries=2)["items"] == []


def test_chance_is_repeatable_by_seed(google: Google, host: Any) -> None:
    def run() -> list[bool]:
        google.control("POST", "faults/seed", {"seed": 7})
        fault = google.fault("error", operation="events.list", probability=0.5)
        outcomes = []
        for _ in range(12):
            before = google.control("GET", "requests")
            try:
                host.events().list(calendarId="primary").execute()
            except Exception:
                outcomes.append(False)
            else:
                outcomes.append(True)
            assert google.control("GET", "requests") != before
        google.control("DELETE", f"faults/{fault}")
        return outcomes

    first = run()
    assert set(first) == {True, False}
    assert run() == first


def test_commit_then_error_has_done_it(google: Google, host: Any) -> None:
    google.fault("commit_then_error", operation="events.insert", status=500, times=1)
    request = host.events().insert(calendarId="primary", body=EVENT)
    google.refused(request, 500, "backendError")
    assert stored(google) == ["abcdef"]
    google.refused(request, 409, "duplicate")


def test_commit_then_timeout_has_done_it_and_stays_silent(google: Google) -> None:
    credentials = google.connect(HOST)
    google.fault("commit_then_timeout", operation="events.insert", seconds=30, times=1)
    with pytest.raises(TimeoutError):
        google.calendar(credentials, timeout=0.3).events().insert(calendarId="primary", body=EVENT).execute()
    eventually(lambda: stored(google) == ["abcdef"])
    counted = {"account": HOST, "operation": "events.insert", "status": 504, "count": 1}
    # The simulator notices that the caller hung up, long before the 30 seconds are over.
    eventually(lambda: counted in google.control("GET", "requests"))


def test_latency_delays_an_answer(google: Google, host: Any) -> None:
    google.fault("latency", operation="events.list", seconds=0.3, times=1)
    began = time.monotonic()
    host.events().list(calendarId="primary").execute()
    assert time.monotonic() - began >= 0.3


def test_unknown_faults_are_refused(google: Google) -> None:
    for body in ({"kind": "earthquake"}, {"kind": "error", "probability": 2}, {"kind": "error", "typo": 1}):
        assert google.browser.post("/_control/faults", json=body).status_code in (400, 422)


def test_the_quota_per_user_and_minute_slides() -> None:
    settings = Settings(google_quota_per_minute=3)
    with running(create_app(settings)) as url, Google(url, settings) as google:
        google.control("POST", "clock", {"frozen": True})
        host, other = (google.calendar(google.connect(email)) for email in (HOST, "other@example.com"))
        listing = host.events().list(calendarId="primary")
        for wait in (0, 30, 0):
            google.control("POST", "clock", {"advanceSeconds": wait})
            listing.execute()
        google.refused(listing, 403, "userRateLimitExceeded")
        other.events().list(calendarId="primary").execute()
        google.control("POST", "clock", {"advanceSeconds": 31})
        listing.execute()
        google.refused(listing, 403, "userRateLimitExceeded")


def test_requests_are_counted_by_account_operation_and_status(google: Google, host: Any) -> None:
    google.control("DELETE", "requests")
    host.events().list(calendarId="primary").execute()
    host.events().list(calendarId="primary").execute()
    google.refused(host.events().get(calendarId="primary", eventId="nothere"), 404, "notFound")
    assert google.control("GET", "requests") == [
        {"account": HOST, "operation": "events.get", "status": 404, "count": 1},
        {"account": HOST, "operation": "events.list", "status": 200, "count": 2},
    ]
    token = host.events().list(calendarId="primary").execute()["nextSyncToken"]
    host.events().list(calendarId="primary", syncToken=token).execute()
    assert token not in str(google.control("GET", "requests/latest"))


def test_expired_access_tokens_are_401_until_refreshed(google: Google) -> None:
    credentials = google.connect(HOST)
    google.control("POST", f"accounts/{HOST}/expire-access-tokens")
    bearer = {"Authorization": f"Bearer {credentials.token}"}
    assert google.browser.get("/calendar/v3/users/me/calendarList", headers=bearer).status_code == 401
    google.refresh(credentials)
    google.calendar(credentials).calendarList().list().execute()
