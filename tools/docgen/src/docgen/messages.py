"""Every message type there is: all modules of the contracts, imported."""

import importlib
import pkgutil
from functools import cache

import contracts
from contracts.transport.registry import MESSAGE_TYPES, MessageType
from contracts.transport.topics import Topic


@cache
def message_types() -> dict[str, MessageType]:
    """All message types by name, in the order of their names."""
    for module in pkgutil.walk_packages(contracts.__path__, "contracts."):
        importlib.import_module(module.name)
    return dict(sorted(MESSAGE_TYPES.items()))


def types_on(topic: Topic) -> list[MessageType]:
    """The message types that a topic carries."""
    return [kind for kind in message_types().values() if kind.topic == topic]


def meaning(kind: MessageType) -> str:
    """What a message says, in the words of its model."""
    return " ".join((kind.body.__doc__ or "").split())
