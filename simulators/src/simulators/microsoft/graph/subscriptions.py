"""Operations on change notification subscriptions."""

from simulators.microsoft.graph.endpoint import Answer, Call, collection, entity
from simulators.microsoft.graph.errors import GraphError
from simulators.microsoft.push.subscriptions import subscription_json
from simulators.microsoft.state.records import Subscription


async def create_subscription(call: Call) -> Answer:
    """201, after both endpoints have been validated."""
    made = await call.world.subscriptions.create(
        call.account, call.grant.client_id, call.body, immutable_ids=call.prefer.immutable_ids
    )
    return entity(call, subscription_json(made, call.account), "subscriptions/$entity", 201)


async def list_subscriptions(call: Call) -> Answer:
    """The client's subscriptions."""
    found = call.world.subscriptions.of(call.account, call.grant.client_id)
    return collection(call, [subscription_json(entry, call.account) for entry in found], "subscriptions")


async def get_subscription(call: Call) -> Answer:
    """One subscription."""
    return entity(call, subscription_json(_found(call), call.account), "subscriptions/$entity")


async def renew_subscription(call: Call) -> Answer:
    """A later ``expirationDateTime``."""
    subscription = _found(call)
    if call.world.faults.draw("subscription_gone", account=call.account.email, operation="subscriptions.renew"):
        call.world.subscriptions.remove(subscription)
        raise GraphError(404, "ResourceNotFound", "The object was not found.")
    call.world.subscriptions.renew(subscription, call.body)
    return entity(call, subscription_json(subscription, call.account), "subscriptions/$entity")


async def reauthorize_subscription(call: Call) -> Answer:
    """204; does not extend the life."""
    call.world.subscriptions.reauthorize(_found(call))
    return Answer(204)


async def delete_subscription(call: Call) -> Answer:
    """204."""
    call.world.subscriptions.remove(_found(call))
    return Answer(204)


def _found(call: Call) -> Subscription:
    subscription_id = call.request.path_params["subscription_id"]
    return call.world.subscriptions.find(call.account, call.grant.client_id, subscription_id)
