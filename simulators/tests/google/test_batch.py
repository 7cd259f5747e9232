"""Several requests in one, as Google's client library sends them."""

from typing import Any

from googleapiclient.errors import HttpError
from simulators.google.state import Json
from simulators.google.testing import Google

EVENT: Json = {"start": {"date": "2026-07-01"}, "end": {"date": "2026-07-02"}}


def batched(google: Google, service: Any, *requests: Any) -> list[Json | HttpError]:
    """The answers in the order of the requests."""
    answers: dict[str, Json | HttpError] = {}

    def note(request_id: str, answer: Json, error: HttpError | None) -> None:
        answers[request_id] = error or answer

    batch = service.new_batch_http_request(callback=note)
    batch._batch_uri = f"{google.url}/batch/calendar/v3"
    for number, request in enumerate(requests):
        batch.add(request, request_id=str(number))
    batch.execute()
    return [answers[str(number)] for number in range(len(requests))]


def test_each_part_of_a_batch_is_answered_for_itself(google: Google, host: Any) -> None:
    events = host.events()
    made, missing, listed = batched(
        google,
        host,
        events.insert(calendarId="primary", body=EVENT | {"id": "abcdef", "summary": "Café"}),
        events.get(calendarId="primary", eventId="nothere"),
        events.list(calendarId="primary"),
    )
    assert isinstance(made, dict)
    assert isinstance(listed, dict)
    assert (made["id"], [event["summary"] for event in listed["items"]]) == ("abcdef", ["Café"])
    assert isinstance(missing, HttpError)
    assert missing.status_code == 404


def test_a_batch_has_at_most_fifty_parts(google: Google, host: Any) -> None:
    requests = [host.events().list(calendarId="primary") for _ in range(51)]
    try:
        batched(google, host, *requests)
    except HttpError as error:
        assert error.status_code == 400  # noqa: PT017 the client raises it out of the batch
    else:
        raise AssertionError("51 parts were taken")
    assert all(isinstance(answer, dict) for answer in batched(google, host, *requests[:50]))


def test_what_is_no_batch_is_refused(google: Google) -> None:
    assert google.browser.post("/batch/calendar/v3", content=b"{}").status_code == 400
