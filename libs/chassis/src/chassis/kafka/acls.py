"""Who may do what on the broker, derived from the table of topics: what a service needs, and nothing else."""

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import groupby
from shlex import quote
from typing import NamedTuple

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest
from contracts.transport.topics import OPERATORS, RETRY_TOPICS, TOPICS, all_topics, dead_letter_topics

from chassis.tasks import gather_all

PROVISIONING = "provisioning"
"""The job that creates topics; as a principal it is like a service."""
_LITERAL, _ALLOW = 3, 3
_COMMAND = 'kafka-acls.sh --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS" --command-config "$KAFKA_ADMIN_CONFIG" --add'


class Resource(IntEnum):
    """Kafka's codes of resource types."""

    TOPIC = 2
    GROUP = 3


class Operation(IntEnum):
    """Kafka's codes of operations (``org.apache.kafka.common.acl.AclOperation``). Read and Write imply Describe."""

    READ = 3
    WRITE = 4
    CREATE = 5
    ALTER = 7
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11

    @property
    def title(self) -> str:
        """As ``kafka-acls`` writes it."""
        return self.name.title().replace("_", "")


class Acl(NamedTuple):
    """Allows a service one operation on one topic or group, from any host."""

    service: str
    resource: Resource
    operation: Operation
    name: str


def platform_acls() -> list[Acl]:
    """All that the platform needs, sorted."""
    return sorted({*_topic_acls(), *_group_acls(), *_operator_acls(), *_provisioning_acls()})


def subscriber_acls(name: str) -> list[Acl]:
    """What another service needs that follows the public topics, with a consumer group of its own name."""
    topics = [Acl(name, Resource.TOPIC, Operation.READ, topic.name) for topic in TOPICS if topic.public]
    return sorted([*topics, Acl(name, Resource.GROUP, Operation.READ, name)])


def kafka_acls_commands(acls: Sequence[Acl], principal: str) -> Iterator[str]:
    """Commands of ``kafka-acls.sh``; ``principal`` has ``{service}`` where the service's name belongs."""
    for (service, resource), group in groupby(acls, key=lambda acl: acl[:2]):
        operations: dict[str, list[str]] = {}
        for acl in group:
            operations.setdefault(acl.name, []).append(f"--operation {acl.operation.title}")
        names: dict[str, list[str]] = {}
        for name, allowed in operations.items():
            names.setdefault(" ".join(allowed), []).append(f"--{resource.name.lower()} {quote(name)}")
        for allowed_together, resources in names.items():
            who = quote(principal.format(service=service))
            yield f"{_COMMAND} --allow-principal {who} {allowed_together} {' '.join(resources)}"


async def create_acls(client: AIOKafkaClient, acls: Iterable[Acl], principal: str) -> None:
    """Create what is missing; what is there stays, as do all others.

    Raises:
        aiokafka.errors.KafkaError: one could not be created; the client may not alter the cluster, for example.
    """
    await gather_all(*(_create(client, acl, principal.format(service=acl.service)) for acl in acls))


async def _create(client: AIOKafkaClient, acl: Acl, principal: str) -> None:
    request = CreateAclsRequest(acl.resource, acl.name, _LITERAL, principal, "*", acl.operation, _ALLOW)
    answer = await client.send(client.get_random_node(), request)
    for code, message in answer.creation_responses:
        if code:
            raise for_code(code)(message)


def _topic_acls() -> Iterator[Acl]:
    for topic in all_topics():
        yield from (Acl(writer, Resource.TOPIC, Operation.WRITE, topic.name) for writer in topic.writer)
        yield from (Acl(reader, Resource.TOPIC, Operation.READ, topic.name) for reader in topic.readers)


def _group_acls() -> Iterator[Acl]:
    """Services that read in a consumer group, which has their name, are those that take dead letters back."""
    for topic in RETRY_TOPICS:
        yield from (Acl(reader, Resource.GROUP, Operation.READ, reader) for reader in topic.readers)
        yield from (Acl(OPERATORS, Resource.GROUP, Operation.DESCRIBE, reader) for reader in topic.readers)


def _operator_acls() -> Iterator[Acl]:
    """Operators read dead letters, and see how far groups are behind; what they write is in the table."""
    yield from (Acl(OPERATORS, Resource.TOPIC, Operation.READ, topic.name) for topic in dead_letter_topics())
    yield from (Acl(OPERATORS, Resource.TOPIC, Operation.DESCRIBE, topic.name) for topic in (*TOPICS, *RETRY_TOPICS))


def _provisioning_acls() -> Iterator[Acl]:
    operations = (
        Operation.CREATE,
        Operation.ALTER,
        Operation.DESCRIBE,
        Operation.DESCRIBE_CONFIGS,
        Operation.ALTER_CONFIGS,
    )
    for topic in all_topics():
        yield from (Acl(PROVISIONING, Resource.TOPIC, operation, topic.name) for operation in operations)
