"""Change notifications and lifecycle notifications.

Sources: https://learn.microsoft.com/graph/change-notifications-delivery-webhooks ("Change notification example"),
https://learn.microsoft.com/graph/change-notifications-lifecycle-events; several notifications for one change:
microsoftgraph/microsoft-graph-docs-contrib#2155, #3072.
"""

import asyncio
import json
from collections import defaultdict
from datetime import timedelta
from typing import Any

from simulators.common.clock import Clock
from simulators.common.delivery import Notification, RetryPolicy, Sender
from simulators.microsoft.calendar import rendering, zones
from simulators.microsoft.calendar.exchange import Change
from simulators.microsoft.push.subscriptions import Subscriptions
from simulators.microsoft.state.records import State, Subscription

JsonObject = dict[str, Any]

RETRY = RetryPolicy(
    statuses=frozenset(range(500, 600)), waits=(10.0, 30.0, 60.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 5400.0)
)
"""Up to about four hours."""

LIFECYCLE_EVENTS = ("reauthorizationRequired", "subscriptionRemoved", "missed")
_ASK_BEFORE = timedelta(minutes=30)
_LOOK_EVERY = 30.0


class Notifier:
    """Turns changes of mailboxes into webhook calls.

    All notifications for one URL that arise together travel in one call. An event that was made or changed is told
    twice, the second time as ``updated``: Exchange writes in stages.
    """

    def __init__(self, state: State, clock: Clock, sender: Sender, subscriptions: Subscriptions) -> None:
        self._state, self._clock, self._sender, self._subscriptions = state, clock, sender, subscriptions
        self._first: dict[str, list[tuple[str, JsonObject]]] = defaultdict(list)
        self._echoes: dict[str, list[tuple[str, JsonObject]]] = defaultdict(list)

    def tell(self, change: Change) -> None:
        """Queue what a change causes; must run on the event loop."""
        kind = "updated" if change.date is not None else change.kind
        for subscription in self._subscriptions.alive():
            if subscription.email != change.account.email:
                continue
            url, account = subscription.notification_url, change.account.email
            if kind in subscription.change_types:
                self._add(self._first, url, account, self._item(subscription, change, kind))
            if kind != "deleted" and "updated" in subscription.change_types:
                self._add(self._echoes, url, account, self._item(subscription, change, "updated"))

    def lifecycle(self, subscription: Subscription, event: str) -> bool:
        """Send a lifecycle notification; False when the subscription has no URL for it."""
        if subscription.lifecycle_url is None:
            return False
        item = self._envelope(subscription) | {"lifecycleEvent": event}
        self._add(self._first, subscription.lifecycle_url, subscription.email, item)
        return True

    async def watch(self) -> None:
        """Ask for reauthorization before a subscription ends, and end it; runs until cancelled."""
        while True:
            for subscription in self._subscriptions.alive():
                due = subscription.expires_at - self._clock.now() <= _ASK_BEFORE
                if due and not subscription.reauthorization_asked:
                    subscription.reauthorization_asked = True
                    self.lifecycle(subscription, "reauthorizationRequired")
            await self._clock.sleep(_LOOK_EVERY)

    def _add(self, queue: dict[str, list[tuple[str, JsonObject]]], url: str, account: str, item: JsonObject) -> None:
        if not self._first and not self._echoes:
            asyncio.get_running_loop().call_soon(self._flush)
        queue[url].append((account, item))

    def _flush(self) -> None:
        for queue in (self._first, self._echoes):
            for url, entries in queue.items():
                body = json.dumps({"value": [item for _, item in entries]}).encode()
                headers = {"Content-Type": "application/json; charset=utf-8"}
                self._sender.post(Notification(stream=url, account=entries[0][0], url=url, headers=headers, body=body))
            queue.clear()

    def _item(self, subscription: Subscription, change: Change, kind: str) -> JsonObject:
        account, event = change.account, change.event
        item_id = event.immutable_id if subscription.immutable_ids else event.item_id
        resource = f"Users/{account.user_id}/Events/{item_id}"
        return self._envelope(subscription) | {
            "changeType": kind,
            "resource": resource,
            "resourceData": {
                "@odata.type": "#Microsoft.Graph.Event",
                "@odata.id": resource,
                "@odata.etag": rendering.etag(event),
                "id": item_id,
            },
        }

    def _envelope(self, subscription: Subscription) -> JsonObject:
        return {
            "subscriptionId": subscription.subscription_id,
            "subscriptionExpirationDateTime": zones.graph_instant(subscription.expires_at),
            "clientState": subscription.client_state,
            "tenantId": self._state.accounts[subscription.email].tenant_id,
        }
