"""ACLs follow from the table of topics: what a service needs, and nothing else."""

import re
import shlex
from itertools import pairwise

import pytest
from chassis.acls import AclSettings
from chassis.kafka.acls import (
    PROVISIONING,
    Acl,
    Operation,
    Resource,
    kafka_acls_commands,
    platform_acls,
    subscriber_acls,
)
from contracts.transport.topics import (
    API_GATEWAY,
    CALENDAR_SYNC,
    INVITATIONS,
    MEETING_CORE,
    OPERATORS,
    WEBHOOK_INGEST,
    all_topics,
)
from pydantic import ValidationError

GROUPS = {MEETING_CORE, INVITATIONS, CALENDAR_SYNC}


def allowed(service: str, operation: Operation, resource: Resource = Resource.TOPIC) -> set[str]:
    return {acl.name for acl in platform_acls() if acl[:3] == (service, resource, operation)}


def test_a_service_reads_and_writes_its_topics_and_parks_its_dead_letters() -> None:
    assert allowed(API_GATEWAY, Operation.READ) == {"gateway.replies"}
    assert allowed(API_GATEWAY, Operation.WRITE) == {
        "calendar.commands",
        "meetings.commands",
        "gateway.replies.api-gateway.dlt",
    }
    assert allowed(INVITATIONS, Operation.READ) == {"meetings.events", "invitations.retry"}
    assert allowed(INVITATIONS, Operation.WRITE) == {
        "invitations.events",
        "meetings.events.invitations.dlt",
        "invitations.retry.invitations.dlt",
    }
    assert allowed(WEBHOOK_INGEST, Operation.READ) == {"calendar.channels"}


@pytest.mark.parametrize("service", [API_GATEWAY, MEETING_CORE, INVITATIONS, CALENDAR_SYNC, WEBHOOK_INGEST])
def test_no_service_may_create_change_or_join_what_is_not_its_own(service: str) -> None:
    theirs = [acl for acl in platform_acls() if acl.service == service]
    assert {acl.operation for acl in theirs} == {Operation.READ, Operation.WRITE}
    assert allowed(service, Operation.READ, Resource.GROUP) == ({service} if service in GROUPS else set())


def test_operators_see_lag_and_handle_dead_letters_but_no_messages() -> None:
    assert allowed(OPERATORS, Operation.DESCRIBE, Resource.GROUP) == GROUPS
    assert all(name.endswith(".dlt") for name in allowed(OPERATORS, Operation.READ))
    assert all(name.endswith((".dlt", ".retry")) for name in allowed(OPERATORS, Operation.WRITE))


def test_provisioning_makes_topics_but_reads_and_writes_nothing() -> None:
    assert allowed(PROVISIONING, Operation.CREATE) == {topic.name for topic in all_topics()}
    assert not allowed(PROVISIONING, Operation.READ) | allowed(PROVISIONING, Operation.WRITE)


def test_a_subscriber_reads_public_topics_in_its_own_group() -> None:
    assert subscriber_acls("appointments") == [
        Acl("appointments", Resource.TOPIC, Operation.READ, "meetings.events"),
        Acl("appointments", Resource.GROUP, Operation.READ, "appointments"),
    ]


def test_the_commands_say_all_of_them_and_nothing_more() -> None:
    said = set()
    for command in kafka_acls_commands(platform_acls(), "User:CN={service},O=Example"):
        words = shlex.split(command)
        options = list(pairwise(words))
        [who] = [value for name, value in options if name == "--allow-principal"]
        service = who.removeprefix("User:CN=").removesuffix(",O=Example")
        for resource in Resource:
            names = [value for name, value in options if name == f"--{resource.name.lower()}"]
            operations = [
                op for name, value in options if name == "--operation" for op in Operation if op.title == value
            ]
            said |= {Acl(service, resource, operation, name) for name in names for operation in operations}
    assert said == set(platform_acls())


@pytest.mark.parametrize("principal", ["{service}", "User:meetings", "Group:{service}"])
def test_a_principal_must_name_the_service(monkeypatch: pytest.MonkeyPatch, principal: str) -> None:
    monkeypatch.setenv("KAFKA_ACL_PRINCIPAL", principal)
    with pytest.raises(ValidationError, match=re.escape("must begin with User: and have {service} in it")):
        AclSettings()
