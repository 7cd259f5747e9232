"""Change notification subscriptions: made, listed, renewed, deleted.

Sources: https://learn.microsoft.com/graph/api/subscription-post-subscriptions, .../subscription-update,
https://learn.microsoft.com/graph/change-notifications-delivery-webhooks.
"""

import asyncio
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from simulators.common.clock import Clock
from simulators.common.delivery import Sender
from simulators.microsoft.calendar import zones
from simulators.microsoft.graph.errors import GraphError, unreadable_body
from simulators.microsoft.state.records import Account, State, Subscription

JsonObject = dict[str, Any]

MAX_MINUTES = 10_070
"""The documented 10,080 minutes for events are "under seven days"; the service itself draws the line here."""

HANDSHAKE_SECONDS = 10.0
_MAX_CLIENT_STATE_LENGTH = 128
_CHANGE_TYPES = frozenset({"created", "updated", "deleted"})


class Subscriptions:
    """The subscriptions of all mailboxes."""

    def __init__(self, state: State, clock: Clock, sender: Sender) -> None:
        self._state, self._clock, self._sender = state, clock, sender

    async def create(self, account: Account, client_id: str, body: object, *, immutable_ids: bool) -> Subscription:
        """A new subscription, once both its endpoints have answered the validation request.

        Raises GraphError: 400 for an unfit request or a failed validation, 409 for a duplicate.
        """
        asked = self._asked(account, body)
        subscription = Subscription(
            subscription_id=str(uuid.uuid4()),
            email=account.email,
            client_id=client_id,
            immutable_ids=immutable_ids,
            **asked,
        )
        self._refuse_duplicate(subscription)
        urls = {subscription.notification_url, subscription.lifecycle_url or subscription.notification_url}
        await asyncio.gather(*(self._validate(url) for url in urls))
        self._refuse_duplicate(subscription)
        self._state.subscriptions[subscription.subscription_id] = subscription
        self._state.changes += 1
        return subscription

    def find(self, account: Account, client_id: str, subscription_id: str) -> Subscription:
        """The client's own subscription. Raises GraphError (404) when there is none, or none any more."""
        for subscription in self.of(account, client_id):
            if subscription.subscription_id == subscription_id:
                return subscription
        raise GraphError(404, "ResourceNotFound", "The object was not found.")

    def of(self, account: Account, client_id: str) -> list[Subscription]:
        """The client's subscriptions on the mailbox that have not expired."""
        return [entry for entry in self.alive() if (entry.email, entry.client_id) == (account.email, client_id)]

    def alive(self) -> list[Subscription]:
        """Every subscription that has not expired; the others are gone for good."""
        now = self._clock.now()
        for dead in [entry for entry in self._state.subscriptions.values() if entry.expires_at <= now]:
            self.remove(dead)
        return list(self._state.subscriptions.values())

    def renew(self, subscription: Subscription, body: object) -> None:
        """Extend the life, which also reauthorizes. Raises GraphError (400)."""
        if not isinstance(body, dict):
            raise unreadable_body("The request body must be a JSON object.")
        if set(body) - {"expirationDateTime", "id"}:
            raise GraphError(400, "InvalidRequest", "Only expirationDateTime can be updated on a subscription.")
        subscription.expires_at = self._expiry(body)
        self.reauthorize(subscription)

    def reauthorize(self, subscription: Subscription) -> None:
        """Go on until the expiry that stands."""
        subscription.reauthorization_asked = False
        self._state.changes += 1

    def remove(self, subscription: Subscription) -> None:
        """End a subscription."""
        self._state.subscriptions.pop(subscription.subscription_id, None)
        self._state.changes += 1

    def _asked(self, account: Account, body: object) -> JsonObject:
        if not isinstance(body, dict):
            raise unreadable_body("The request body must be a JSON object.")
        for name in ("changeType", "notificationUrl", "resource", "expirationDateTime"):
            if not isinstance(body.get(name), str) or not body[name]:
                raise GraphError(400, "InvalidRequest", f"{name} is a required property for subscription creation")
        kinds = [kind.strip().lower() for kind in body["changeType"].split(",")]
        if not set(kinds) <= _CHANGE_TYPES:
            raise GraphError(400, "InvalidRequest", f"Unsupported changeType '{body['changeType']}'.")
        if body.get("includeResourceData"):
            raise GraphError(400, "InvalidRequest", "Resource data needs an encryption certificate.")
        state, lifecycle = body.get("clientState"), body.get("lifecycleNotificationUrl")
        if state is not None and (not isinstance(state, str) or len(state) > _MAX_CLIENT_STATE_LENGTH):
            raise GraphError(400, "InvalidRequest", "clientState must be a string of at most 128 characters.")
        if lifecycle is not None and not isinstance(lifecycle, str):
            raise GraphError(400, "InvalidRequest", "lifecycleNotificationUrl must be a string.")
        owner = {"me", f"users/{account.user_id}", f"users/{account.email}"}
        if body["resource"].strip("/").lower() not in {f"{one}/events".lower() for one in owner}:
            message = f"Resource '{body['resource']}' is not supported for change notifications."
            raise GraphError(400, "ExtensionError", message)
        return {
            "change_types": kinds,
            "resource": body["resource"],
            "notification_url": body["notificationUrl"],
            "lifecycle_url": lifecycle,
            "client_state": state,
            "expires_at": self._expiry(body),
            "tls_version": str(body.get("latestSupportedTlsVersion") or "v1_2"),
        }

    def _expiry(self, body: JsonObject) -> datetime:
        try:
            moment = datetime.fromisoformat(str(body.get("expirationDateTime")))
        except ValueError:
            raise unreadable_body("Cannot convert the value of expirationDateTime to Edm.DateTimeOffset.") from None
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        now = self._clock.now()
        if moment <= now:
            raise GraphError(400, "ExtensionError", "Subscription expiration must be in the future.")
        if moment > now + timedelta(minutes=MAX_MINUTES):
            message = f"Subscription expiration can only be {MAX_MINUTES} minutes in the future."
            raise GraphError(400, "ExtensionError", message)
        return moment

    def _refuse_duplicate(self, asked: Subscription) -> None:
        for other in self.alive():
            same = (other.email, other.client_id) == (asked.email, asked.client_id)
            if same and set(other.change_types) == set(asked.change_types) and other.resource == asked.resource:
                message = f"Subscription Id {other.subscription_id} already exists for the requested combination"
                raise GraphError(409, "ObjectIdentifierInUse", message)

    async def _validate(self, url: str) -> None:
        """The handshake, which happens while the create call waits."""
        purpose = "Testing client application reachability for subscription"
        token = f"Validation: {purpose} Request-Id: {secrets.token_hex(16)}"
        try:
            answer = await self._sender.call(url, params={"validationToken": token}, wait=HANDSHAKE_SECONDS)
        except httpx.TimeoutException:
            raise _failed("Subscription validation request timed out.") from None
        except (httpx.HTTPError, ValueError):
            raise _failed("Subscription validation request failed. The endpoint cannot be reached.") from None
        if answer.status_code != 200:
            raise _failed(
                "Subscription validation request failed. Notification endpoint must respond with 200 OK to validation "
                "request."
            )
        if not answer.headers.get("content-type", "").startswith("text/plain") or answer.text != token:
            raise _failed(
                "Subscription validation request failed. Response must exactly match validationToken query parameter."
            )


def subscription_json(subscription: Subscription, account: Account) -> JsonObject:
    """A subscription as Graph answers it."""
    return {
        "id": subscription.subscription_id,
        "resource": subscription.resource,
        "applicationId": subscription.client_id,
        "changeType": ",".join(subscription.change_types),
        "clientState": subscription.client_state,
        "notificationUrl": subscription.notification_url,
        "notificationQueryOptions": None,
        "lifecycleNotificationUrl": subscription.lifecycle_url,
        "expirationDateTime": zones.graph_instant(subscription.expires_at),
        "creatorId": account.user_id,
        "includeResourceData": None,
        "latestSupportedTlsVersion": subscription.tls_version,
        "encryptionCertificate": None,
        "encryptionCertificateId": None,
        "notificationUrlAppId": None,
    }


def _failed(message: str) -> GraphError:
    return GraphError(400, "ValidationError", message)
