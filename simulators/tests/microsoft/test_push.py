"""Subscriptions: handshake, life, and the notifications that come, or don't."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgraph.generated.models.subscription import Subscription
from msgraph.generated.models.subscription_collection_response import SubscriptionCollectionResponse
from simulators.microsoft.testing import JsonObject, Microsoft, Receiver, decoded, receiving, refused

HOST, OTHER = "host@contoso.com", "other@contoso.com"


def body(microsoft: Microsoft, receiver: Receiver, minutes: float = 60, **more: Any) -> JsonObject:
    now = datetime.fromisoformat(microsoft.control("GET", "clock")["now"])
    return {
        "changeType": "created,updated,deleted",
        "notificationUrl": f"{receiver.url}/notify",
        "lifecycleNotificationUrl": f"{receiver.url}/lifecycle",
        "resource": "/me/events",
        "expirationDateTime": (now + timedelta(minutes=minutes)).isoformat(),
        "clientState": "our-secret",
    } | more


def subscribe(microsoft: Microsoft, graph: httpx.Client, receiver: Receiver, **more: Any) -> JsonObject:
    answer = graph.post("/subscriptions", json=body(microsoft, receiver, **more))
    assert answer.status_code == 201, answer.text
    made: JsonObject = answer.json()
    return made


def create(graph: httpx.Client) -> JsonObject:
    times = {name: {"dateTime": "2026-06-15T10:00:00", "timeZone": "UTC"} for name in ("start", "end")}
    made: JsonObject = graph.post("/me/events", json={"subject": "Review", **times}).json()
    return made


def test_both_urls_are_validated_while_the_call_waits(
    microsoft: Microsoft, graph: httpx.Client, receiver: Receiver
) -> None:
    made = subscribe(microsoft, graph, receiver, notificationUrl=f"{receiver.url}/notify?tenant=t%201")
    subscription = decoded(Subscription, made)
    assert subscription.client_state == "our-secret"
    assert sorted(call.path for call in receiver.validations) == ["/lifecycle", "/notify"]
    (notify,) = [call for call in receiver.validations if call.path == "/notify"]
    assert notify.query["tenant"] == "t 1", "the URL's own query stays"
    assert notify.headers["content-type"] == "text/plain; charset=utf-8"
    assert " " in notify.query["validationToken"], "so a client that does not decode it fails"
    listed = graph.get("/subscriptions").json()
    decoded(SubscriptionCollectionResponse, listed)
    assert [entry["id"] for entry in listed["value"]] == [made["id"]]
    assert graph.get(f"/subscriptions/{made['id']}").json()["resource"] == "/me/events"


@pytest.mark.parametrize("handshake", ["encoded", "html", "refuse"])
def test_a_failed_handshake_makes_no_subscription(
    microsoft: Microsoft, graph: httpx.Client, receiver: Receiver, handshake: str
) -> None:
    receiver.handshake = handshake
    error = refused(graph.post("/subscriptions", json=body(microsoft, receiver)), 400, "ValidationError")
    assert error["message"].startswith("Subscription validation request failed.")
    assert graph.get("/subscriptions").json()["value"] == []


def test_an_endpoint_out_of_reach_fails_the_handshake(
    microsoft: Microsoft, graph: httpx.Client, receiver: Receiver
) -> None:
    for url in ("https://example.com/hook", "ftp://127.0.0.1/x", "not a url"):
        asked = body(microsoft, receiver, lifecycleNotificationUrl=url)
        refused(graph.post("/subscriptions", json=asked), 400, "ValidationError")


@pytest.mark.parametrize(
    ("changed", "code", "told"),
    [
        ({"changeType": None}, "InvalidRequest", "changeType is a required property"),
        ({"notificationUrl": ""}, "InvalidRequest", "notificationUrl is a required property"),
        ({"resource": None}, "InvalidRequest", "resource is a required property"),
        ({"expirationDateTime": None}, "InvalidRequest", "expirationDateTime is a required property"),
        ({"expirationDateTime": "soon"}, "RequestBodyRead", "Edm.DateTimeOffset"),
        ({"changeType": "created,renamed"}, "InvalidRequest", "Unsupported changeType"),
        ({"clientState": "x" * 129}, "InvalidRequest", "at most 128 characters"),
        ({"resource": "/me/messages"}, "ExtensionError", "not supported"),
        ({"resource": "/me/calendars/AQMkA/events"}, "ExtensionError", "not supported"),
        ({"resource": f"/users/{OTHER}/events"}, "ExtensionError", "not supported"),
        ({"minutes": 10_071}, "ExtensionError", "can only be 10070 minutes in the future"),
        ({"minutes": -1}, "ExtensionError", "must be in the future"),
        ({"includeResourceData": True}, "InvalidRequest", "certificate"),
    ],
)
def test_unfit_requests(
    microsoft: Microsoft, graph: httpx.Client, receiver: Receiver, changed: JsonObject, code: str, told: str
) -> None:
    error = refused(graph.post("/subscriptions", json=body(microsoft, receiver, **changed)), 400, code)
    assert told in error["message"]
    assert receiver.validations == []


def test_a_second_one_for_the_same_changes_is_a_conflict(
    microsoft: Microsoft, graph: httpx.Client, receiver: Receiver
) -> None:
    made = subscribe(microsoft, graph, receiver)
    again = graph.post("/subscriptions", json=body(microsoft, receiver, changeType="deleted,created,updated"))
    error = refused(again, 409, "ObjectIdentifierInUse")
    assert made["id"] in error["message"]
    assert subscribe(microsoft, graph, receiver, changeType="deleted")["id"] != made["id"]
    other = microsoft.graph(OTHER)
    assert subscribe(microsoft, other, receiver)["id"] != made["id"]
    assert len(other.get("/subscriptions").json()["value"]) == 1
    refused(other.get(f"/subscriptions/{made['id']}"), 404, "ResourceNotFound")


def test_a_change_is_told_more_than_once_and_without_the_data(
    microsoft: Microsoft, graph: httpx.Client, receiver: Receiver
) -> None:
    made = subscribe(microsoft, graph, receiver)
    event = create(graph)
    items = receiver.items(2)
    assert [item["changeType"] for item in items] == ["created", "updated"]
    me = graph.get("/me").json()
    for item in items:
        assert (item["subscriptionId"], item["clientState"]) == (made["id"], "our-secret")
        assert item["subscriptionExpirationDateTime"] == made["expirationDateTime"]
        assert item["resource"] == f"Users/{me['id']}/Events/{event['id']}"
        assert item["resourceData"] == {
            "@odata.type": "#Microsoft.Graph.Event",
            "@odata.id": item["resource"],
            "@odata.etag": event["@odata.etag"],
            "id": event["id"],
        }
    receiver.clear()
    graph.delete(f"/me/events/{event['id']}")
    assert [item["changeType"] for item in receiver.items(1)] == ["deleted"]
    assert {call.path for call in receiver.wait(1)} == {"/notify"}


def test_only_the_wanted_kinds_of_change_are_told(
    microsoft: Microsoft, graph: httpx.Client, receiver: Receiver
) -> None:
    subscribe(microsoft, graph, receiver, changeType="deleted")
    event = create(graph)
    graph.patch(f"/me/events/{event['id']}", json={"subject": "X"})
    graph.delete(f"/me/events/{event['id']}")
    assert [item["changeType"] for item in receiver.items(1)] == ["deleted"]


def test_ids_in_notifications_are_as_the_subscription_asked(
    microsoft: Microsoft, graph: httpx.Client, receiver: Receiver
) -> None:
    immutable = {"Prefer": 'IdType="ImmutableId"'}
    answer = graph.post("/subscriptions", json=body(microsoft, receiver), headers=immutable)
    assert answer.headers["preference-applied"] == 'IdType="ImmutableId"'
    event = create(graph)
    lasting = graph.get(f"/me/events/{event['id']}", headers=immutable).json()["id"]
    assert receiver.items(1)[0]["resourceData"]["id"] == lasting != event["id"]


def test_one_call_may_bring_several_subscriptions(
    microsoft: Microsoft, graph: httpx.Client, receiver: Receiver
) -> None:
    other = microsoft.graph(OTHER)
    mine = subscribe(microsoft, graph, receiver, clientState="one")
    theirs = subscribe(microsoft, other, receiver, clientState="two")
    times = {name: {"dateTime": "2026-06-15T10:00:00", "timeZone": "UTC"} for name in ("start", "end")}
    graph.post("/me/events", json={**times, "attendees": [{"emailAddress": {"address": OTHER}}]})
    batch = receiver.wait(1)[0].body["value"]
    came = {(item["subscriptionId"], item["clientState"]) for item in batch}
    assert came == {(mine["id"], "one"), (theirs["id"], "two")}


def test_a_subscription_is_renewed_or_ends(microsoft: Microsoft, graph: httpx.Client, receiver: Receiver) -> None:
    made = subscribe(microsoft, graph, receiver)
    url, soon = f"/subscriptions/{made['id']}", body(microsoft, receiver, minutes=120)["expirationDateTime"]
    renewed = graph.patch(url, json={"expirationDateTime": soon})
    assert renewed.json()["expirationDateTime"] > made["expirationDateTime"]
    late = body(microsoft, receiver, minutes=10_080)["expirationDateTime"]
    refused(graph.patch(url, json={"expirationDateTime": late}), 400, "ExtensionError")
    refused(graph.patch(url, json={"lifecycleNotificationUrl": receiver.url}), 400, "InvalidRequest")
    assert graph.post(f"{url}/reauthorize").status_code == 204
    assert graph.get(url).json() == renewed.json(), "that alone extends nothing"
    microsoft.advance(minutes=121)
    graph = microsoft.graph(HOST)
    refused(graph.patch(url, json={"expirationDateTime": soon}), 404, "ResourceNotFound")
    receiver.clear()
    event = create(graph)
    again = subscribe(microsoft, graph, receiver)
    graph.delete(f"/me/events/{event['id']}")
    (told,) = receiver.items(1)
    assert told["subscriptionId"] == again["id"], "nothing came for the one that had ended"


def test_a_deleted_one_tells_nothing(microsoft: Microsoft, graph: httpx.Client, receiver: Receiver) -> None:
    made = subscribe(microsoft, graph, receiver, changeType="created")
    kept = subscribe(microsoft, graph, receiver, changeType="created,deleted")
    assert graph.delete(f"/subscriptions/{made['id']}").status_code == 204
    refused(graph.delete(f"/subscriptions/{made['id']}"), 404, "ResourceNotFound")
    create(graph)
    assert [item["subscriptionId"] for item in receiver.items(1)] == [kept["id"]]


def test_renewal_can_find_it_gone(microsoft: Microsoft, graph: httpx.Client, receiver: Receiver) -> None:
    made = subscribe(microsoft, graph, receiver)
    microsoft.fault("subscription_gone", times=1)
    renewal = {"expirationDateTime": body(microsoft, receiver)["expirationDateTime"]}
    refused(graph.patch(f"/subscriptions/{made['id']}", json=renewal), 404, "ResourceNotFound")
    assert subscribe(microsoft, graph, receiver)["id"] != made["id"]


@pytest.mark.parametrize("event", ["reauthorizationRequired", "subscriptionRemoved", "missed"])
def test_lifecycle_notifications_go_to_their_own_url(
    microsoft: Microsoft, graph: httpx.Client, receiver: Receiver, event: str
) -> None:
    made = subscribe(microsoft, graph, receiver)
    assert microsoft.control("POST", f"subscriptions/{made['id']}/lifecycle", {"event": event}) == {"sent": True}
    (call,) = receiver.wait(1)
    assert call.path == "/lifecycle"
    (item,) = call.body["value"]
    assert item == {
        "subscriptionId": made["id"],
        "subscriptionExpirationDateTime": made["expirationDateTime"],
        "clientState": "our-secret",
        "tenantId": item["tenantId"],
        "lifecycleEvent": event,
    }


def test_before_the_end_reauthorization_is_asked_for_once(
    microsoft: Microsoft, graph: httpx.Client, receiver: Receiver
) -> None:
    made = subscribe(microsoft, graph, receiver)
    bare = body(microsoft, receiver, changeType="deleted")
    del bare["lifecycleNotificationUrl"]
    silent = graph.post("/subscriptions", json=bare).json()
    microsoft.advance(minutes=31)
    (item,) = receiver.items(1)
    assert (item["subscriptionId"], item["lifecycleEvent"]) == (made["id"], "reauthorizationRequired")
    assert microsoft.control("POST", f"subscriptions/{silent['id']}/lifecycle", {"event": "missed"}) == {"sent": False}


def test_a_removal_can_be_told_or_not(microsoft: Microsoft, graph: httpx.Client, receiver: Receiver) -> None:
    made = subscribe(microsoft, graph, receiver)
    assert microsoft.control("POST", f"subscriptions/{made['id']}/remove", {"notify": True}) == {"sent": True}
    assert receiver.items(1)[0]["lifecycleEvent"] == "subscriptionRemoved"
    again = subscribe(microsoft, graph, receiver)
    microsoft.control("POST", f"subscriptions/{again['id']}/expire")
    assert microsoft.control("GET", "subscriptions") == []


def test_a_failing_endpoint_is_tried_again(microsoft: Microsoft, graph: httpx.Client, receiver: Receiver) -> None:
    subscribe(microsoft, graph, receiver, changeType="created")
    receiver.statuses = [503, 500]
    event = create(graph)
    microsoft.outcomes("503", 1)
    microsoft.advance(seconds=10)
    microsoft.outcomes("500", 1)
    microsoft.advance(seconds=30)
    ids = [item["resourceData"]["id"] for item in receiver.items(3)]
    assert ids == [event["id"]] * 3


def test_a_refusing_endpoint_is_not(microsoft: Microsoft, graph: httpx.Client, receiver: Receiver) -> None:
    subscribe(microsoft, graph, receiver, minutes=600, changeType="created")
    receiver.statuses = [404]
    create(graph)
    microsoft.outcomes("404", 1)
    microsoft.advance(hours=5)
    create(microsoft.graph(HOST))
    assert len({item["resourceData"]["id"] for item in receiver.items(2)}) == 2


def test_notifications_get_lost_doubled_and_reordered(
    microsoft: Microsoft, graph: httpx.Client, receiver: Receiver
) -> None:
    subscribe(microsoft, graph, receiver, changeType="created")
    microsoft.fault("notification_loss", account=HOST, times=1)
    lost = create(graph)["id"]
    microsoft.fault("notification_duplicate", account=HOST, times=1)
    doubled = create(graph)["id"]
    receiver.wait(2)
    microsoft.fault("notification_reorder", account=HOST, times=1, seconds=3600)
    late, early = create(graph)["id"], create(graph)["id"]
    came = [item["resourceData"]["id"] for item in receiver.items(4)]
    assert came == [doubled, doubled, early, late]
    assert lost not in came
    microsoft.outcomes("lost", 1)


def test_an_unreachable_endpoint_does_not_disturb_the_api(microsoft: Microsoft, graph: httpx.Client) -> None:
    with receiving() as gone:
        subscribe(microsoft, graph, gone)
    assert create(graph)["subject"] == "Review"
    assert datetime.fromisoformat(microsoft.control("GET", "clock")["now"]) > datetime(2020, 1, 1, tzinfo=UTC)
