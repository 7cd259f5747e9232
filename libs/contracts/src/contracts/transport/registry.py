"""Which message types exist and which topic carries them. Schemas, samples and docs are made from this table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from contracts.model import Contract
from contracts.transport.topics import Topic

Body = TypeVar("Body", bound=Contract)


@dataclass(frozen=True, slots=True)
class MessageType:
    """A released message type: its CloudEvents ``type`` (name and version), its topic and its body."""

    name: str
    topic: Topic
    body: type[Contract]


MESSAGE_TYPES: dict[str, MessageType] = {}
_NAME_OF: dict[type[Contract], str] = {}


def message(name: str, topic: Topic) -> Callable[[type[Body]], type[Body]]:
    """Register the decorated model as the body of messages of this type on this topic."""

    def register(body: type[Body]) -> type[Body]:
        if name in MESSAGE_TYPES:
            raise ValueError(f"message type {name} is registered twice")
        MESSAGE_TYPES[name] = MessageType(name, topic, body)
        _NAME_OF[body] = name
        return body

    return register


def type_of(body: Contract | type[Contract]) -> MessageType:
    """The message type that a body, or a class of bodies, is sent as."""
    return MESSAGE_TYPES[_NAME_OF[body if isinstance(body, type) else type(body)]]
