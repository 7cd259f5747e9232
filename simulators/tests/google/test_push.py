"""Push channels: headers, order, life and death."""

import time
import uuid
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

from simulators.google.state import Json
from simulators.google.testing import Google, Receiver, eventually

HOST = "host@example.com"
WEEK_MS = 7 * 86_400_000


def watch(service: Any, receiver: Receiver, **more: Any) -> Any:
    body = {"id": str(uuid.uuid4()), "type": "web_hook", "address": receiver.url, "token": "our-secret"} | more
    return service.events().watch(calendarId="primary", body=body)


def insert(service: Any) -> Json:
    body = {"start": {"date": "2026-07-01"}, "end": {"date": "2026-07-02"}}
    made: Json = service.events().insert(calendarId="primary", body=body).execute()
    return made


def deliveries(google: Google, outcome: str) -> int:
    return sum(1 for delivery in google.control("GET", "deliveries") if delivery["outcome"] == outcome)


def test_a_channel_starts_with_sync_and_then_tells_that_something_changed(host: Any, receiver: Receiver) -> None:
    channel = watch(host, receiver).execute()
    (sync,) = receiver.wait(1)
    assert (sync.state, sync.number, sync.body) == ("sync", 1, b"")
    assert sync.headers["x-goog-channel-id"] == channel["id"]
    assert sync.headers["x-goog-channel-token"] == "our-secret"
    assert sync.headers["x-goog-resource-id"] == channel["resourceId"]
    assert sync.headers["x-goog-resource-uri"] == channel["resourceUri"]
    expires = parsedate_to_datetime(sync.headers["x-goog-channel-expiration"])
    assert int(expires.timestamp() * 1000) == int(channel["expiration"])
    event = insert(host)
    host.events().delete(calendarId="primary", eventId=event["id"]).execute()
    messages = receiver.wait(3)
    assert [message.state for message in messages] == ["sync", "exists", "exists"]
    numbers = [message.number for message in messages]
    assert numbers == sorted(set(numbers))
    assert b"".join(message.body for message in messages) == b""


def test_message_numbers_rise_but_are_not_consecutive(host: Any, receiver: Receiver) -> None:
    watch(host, receiver).execute()
    for _ in range(10):
        insert(host)
    numbers = [message.number for message in receiver.wait(11)]
    steps = [later - earlier for earlier, later in pairwise(numbers)]
    assert min(steps) >= 1
    assert max(steps) > 1


def test_without_a_token_there_is_no_token_header(host: Any, receiver: Receiver) -> None:
    watch(host, receiver, token=None).execute()
    assert "x-goog-channel-token" not in receiver.wait(1)[0].headers


def test_the_sync_message_can_outrun_the_answer(google: Google, host: Any, receiver: Receiver) -> None:
    google.fault("sync_before_answer")
    watch(host, receiver).execute()
    assert [message.state for message in receiver.came] == ["sync"]


def test_the_life_of_a_channel_is_capped_at_a_week(google: Google, host: Any, receiver: Receiver) -> None:
    now = int(time.time() * 1000)
    usual = watch(host, receiver).execute()
    assert abs(int(usual["expiration"]) - now - WEEK_MS) < 60_000
    greedy = watch(host, receiver, expiration=now + 10 * WEEK_MS).execute()  # a number, as in the guide's samples
    assert int(greedy["expiration"]) <= int(time.time() * 1000) + WEEK_MS
    short = watch(host, receiver, params={"ttl": "3600"}).execute()
    assert abs(int(short["expiration"]) - now - 3_600_000) < 60_000
    google.refused(watch(host, receiver, expiration=1000), 400, "invalid")


def test_an_expired_channel_falls_silent_and_is_not_renewed(google: Google, host: Any, receiver: Receiver) -> None:
    watch(host, receiver, params={"ttl": "60"}).execute()
    receiver.wait(1)
    google.control("POST", "clock", {"advanceSeconds": 61})
    insert(host)
    replacement = watch(host, receiver).execute()
    insert(host)
    # Were the first channel alive, its message would have left before the second one's.
    assert [message.headers["x-goog-channel-id"] for message in receiver.wait(3)[1:]] == [replacement["id"]] * 2


def test_bad_channels_are_refused(google: Google, host: Any, receiver: Receiver) -> None:
    used = watch(host, receiver).execute()["id"]
    google.refused(watch(host, receiver, id=used), 400, "channelIdNotUnique")
    google.refused(watch(host, receiver, id="x" * 65), 400, "channelIdInvalid")
    google.refused(watch(host, receiver, id="sp ace"), 400, "channelIdInvalid")
    google.refused(watch(host, receiver, type="carrier_pigeon"), 400, "channelUnknownType")
    google.refused(watch(host, receiver, address="http://example.com/hook"), 400, "push.webhookUrlNotHttps")
    google.refused(watch(host, receiver, address="https://example.com/hook"), 401, "push.webhookUrlUnauthorized")
    google.refused(watch(host, receiver, token="x" * 257), 400, "channelTokenTooLong")
    assert len(google.control("GET", "channels")) == 1


def test_stopping_needs_both_ids_and_the_same_user(google: Google, host: Any, receiver: Receiver) -> None:
    channel = watch(host, receiver).execute()
    receiver.wait(1)
    ends = {"id": channel["id"], "resourceId": channel["resourceId"]}
    google.refused(host.channels().stop(body={"id": channel["id"], "resourceId": "other"}), 404, "notFound")
    stranger = google.calendar(google.connect("stranger@example.com"))
    google.refused(stranger.channels().stop(body=ends), 404, "notFound")
    assert host.channels().stop(body=ends).execute() == ""
    google.refused(host.channels().stop(body=ends), 404, "notFound")
    insert(host)
    assert google.control("GET", "channels") == []
    eventually(lambda: deliveries(google, "200") == 1)


def test_a_stopped_channel_may_go_on_for_a_moment(google: Google, host: Any, receiver: Receiver) -> None:
    channel = watch(host, receiver).execute()
    google.fault("late_stop", seconds=30)
    host.channels().stop(body={"id": channel["id"], "resourceId": channel["resourceId"]}).execute()
    insert(host)
    assert receiver.wait(2)[1].state == "exists"


def test_server_errors_are_tried_again_with_backoff(google: Google, host: Any, receiver: Receiver) -> None:
    google.control("POST", "clock", {"frozen": True})
    receiver.statuses = [503, 500]
    watch(host, receiver).execute()
    eventually(lambda: deliveries(google, "503") == 1)
    google.control("POST", "clock", {"advanceSeconds": 1})
    eventually(lambda: deliveries(google, "500") == 1)
    google.control("POST", "clock", {"advanceSeconds": 2})
    messages = receiver.wait(3)
    assert [message.number for message in messages] == [1, 1, 1]


def test_other_answers_are_final(google: Google, host: Any, receiver: Receiver) -> None:
    google.control("POST", "clock", {"frozen": True})
    receiver.statuses = [404, 403, 400]
    watch(host, receiver).execute()
    eventually(lambda: deliveries(google, "404") == 1)
    google.control("POST", "clock", {"advanceSeconds": 600})
    insert(host)
    assert [message.state for message in receiver.wait(2)] == ["sync", "exists"]


def test_lost_duplicated_and_reordered_notifications(google: Google, host: Any, receiver: Receiver) -> None:
    watch(host, receiver).execute()
    receiver.wait(1)
    google.fault("notification_loss", times=1)
    insert(host)
    insert(host)
    assert len(receiver.wait(2)) == 2
    assert deliveries(google, "lost") == 1

    google.fault("notification_duplicate", times=1)
    insert(host)
    twice = receiver.wait(4)[2:]
    assert twice[0].number == twice[1].number

    google.fault("notification_reorder", times=1, seconds=600)
    insert(host)
    insert(host)
    first, second = receiver.wait(6)[4:]
    assert first.number > second.number


def test_a_held_back_notification_comes_late_when_nothing_overtakes_it(
    google: Google, host: Any, receiver: Receiver
) -> None:
    watch(host, receiver).execute()
    receiver.wait(1)
    google.control("POST", "clock", {"frozen": True})
    for kind in ("notification_reorder", "notification_delay"):
        google.fault(kind, times=1, seconds=30)
        insert(host)
        before = len(receiver.came)
        google.control("POST", "clock", {"advanceSeconds": 31})
        receiver.wait(before + 1)


def test_a_dropped_channel_is_gone_without_a_word(google: Google, host: Any, receiver: Receiver) -> None:
    watch(host, receiver).execute()
    receiver.wait(1)
    google.control("DELETE", f"channels?account={HOST}")
    insert(host)
    assert google.control("GET", "channels") == []
    eventually(lambda: deliveries(google, "200") == 1)


def test_other_calendars_changes_are_not_told(google: Google, host: Any, receiver: Receiver) -> None:
    watch(host, receiver).execute()
    receiver.wait(1)
    other = google.calendar(google.connect("other@example.com"))
    insert(other)
    insert(host)
    assert [message.state for message in receiver.wait(2)] == ["sync", "exists"]
    eventually(lambda: deliveries(google, "200") == 2)
