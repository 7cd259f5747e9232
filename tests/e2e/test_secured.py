"""The whole platform on a broker and a database as firms run them: TLS, a login for each service, least privilege.

Apache Kafka has the ACLs that ``make acls`` prints, and no others; MongoDB has one user for each service, who may use
its database and nothing else.
"""

import asyncio
import gc
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from chassis.acls import AclSettings, apply
from chassis.kafka.acls import PROVISIONING, Operation, Resource, platform_acls
from chassis.outages import is_outage
from chassis.redaction import describe_error
from contracts.transport.topics import CALENDAR_SYNC, INVITATIONS, MEETING_CORE, OPERATORS, all_topics
from contracts.values.ids import uuid7_hex
from localrun.platform import Platform
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

from tests.support.broker_rights import rights
from tests.support.callers import Caller, calling
from tests.support.inbox import Inbox
from tests.support.outside import outsides, sees_sync
from tests.support.owners import LENGTH, Owner, in_days
from tests.support.secured_kafka import (
    ADMIN,
    SERVICES,
    Environment,
    SecuredKafka,
    password,
    running_secured_kafka,
    token_endpoint,
)
from tests.support.secured_mongodb import DATABASES, SecuredMongodb, running_secured_mongodb
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

GROUPS = {MEETING_CORE, INVITATIONS, CALENDAR_SYNC}
ACLS = platform_acls()
TOPICS = {topic.name for topic in all_topics()}


@pytest.fixture(scope="module")
def kafka(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    if pytestconfig.getoption("kafka") != "apache":
        pytest.skip("only Apache Kafka knows users and ACLs: --kafka=apache")
    with running_secured_kafka(tmp_path_factory.mktemp("secured-kafka")) as running:
        admin = {name.lower(): value for name, value in running.as_user(ADMIN).items()}
        asyncio.run(apply(AclSettings.model_validate(admin), ACLS))
        yield running


@pytest.fixture(scope="module")
def mongodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredMongodb]:
    with running_secured_mongodb(tmp_path_factory.mktemp("secured-mongodb")) as running:
        yield running


@pytest.fixture(scope="module")
def secured(kafka: SecuredKafka, tmp_path_factory: pytest.TempPathFactory, free_port_offset: int) -> Iterator[Platform]:
    """The platform, each part with its own login."""
    logins = {name: kafka.as_user(name) for name in (*SERVICES, PROVISIONING)}
    logins["provision"] = logins.pop(PROVISIONING)
    environ = os.environ | {"KAFKA_BOOTSTRAP_SERVERS": kafka.as_user(ADMIN)["KAFKA_BOOTSTRAP_SERVERS"]}
    state = tmp_path_factory.mktemp("secured")
    with Platform.start(
        state, port_offset=free_port_offset, kafka="apache", env_overrides=logins, environ=environ
    ) as running:
        yield running


@pytest.fixture
async def host(secured: Platform) -> AsyncIterator[Caller]:
    async with calling(secured.addresses.gateway, secured.addresses.people[0]) as caller:
        yield caller


async def test_a_meeting_lives_its_whole_life(secured: Platform, host: Caller) -> None:
    """Through every service and every topic: commands, events, mails, answers, calendars, notifications."""
    guest, address = f"{uuid7_hex().lower()}@example.com", f"{uuid7_hex().lower()}@example.org"
    with outsides(secured) as both:
        owner = Owner(both["google"], address)
        await owner.outside.connect(host, address)
        start = in_days(30)
        meeting = await host.creates(
            startDateTime=f"{start:%Y-%m-%dT%H:%M:%S}",
            endDateTime=f"{start + LENGTH:%Y-%m-%dT%H:%M:%S}",
            timezone="UTC",
            externalAttendees=[{"email": guest, "name": "Jane Roe"}],
        )
        await Inbox(secured.addresses.mail, guest).mails(1)
        await sees_sync(host, meeting, "SYNCED", within=60)

        title = f"Renamed {uuid7_hex()}"
        owner.renames(owner.copy_of(meeting), title)

        async def renamed() -> bool:
            return bool((await host.sees(meeting))["title"] == title)

        await until(renamed, what="the host's edit in Google comes back", within=60)
        await host.cancels(meeting)
        await Inbox(secured.addresses.mail, guest).mails(2)


async def test_operators_see_all_and_handle_dead_letters(
    secured: Platform, kafka: SecuredKafka, mongodb: SecuredMongodb
) -> None:
    logins = kafka.as_user(OPERATORS) | {"MONGODB_URI": mongodb.uri(OPERATORS)}
    environment = os.environ | {"STATE_DIR": str(secured.state_dir)} | logins

    async def meetings(*words: str) -> str:
        pipe = asyncio.subprocess.PIPE
        program = Path(sys.executable).with_name("meetings")
        process = await asyncio.create_subprocess_exec(program, *words, env=environment, stdout=pipe, stderr=pipe)
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()

    found = json.loads(await meetings("status", "--json"))
    assert found["unknown"] == {}
    assert {lag["group"] for lag in found["lags"]} == GROUPS
    assert "no dead letters" in (await meetings("dead-letters", "list")).lower()


@pytest.mark.parametrize("user", [*SERVICES, OPERATORS, PROVISIONING])
async def test_each_is_refused_what_it_need_not_do(secured: Platform, kafka: SecuredKafka, user: str) -> None:
    mine = {operation: _allowed(user, operation) for operation in Operation}
    described = mine[Operation.READ] | mine[Operation.WRITE] | mine[Operation.DESCRIBE]
    async with rights(kafka.as_user(user)) as has:
        assert await has.readable(TOPICS) == mine[Operation.READ]
        assert await has.writable(TOPICS - mine[Operation.WRITE]) == set()
        assert await has.joinable(GROUPS) == _allowed(user, Operation.READ, Resource.GROUP)
        assert await has.seen() == described
        assert await has.creatable(TOPICS | {"another"}) == mine[Operation.CREATE]
        assert await has.alterable(TOPICS - mine[Operation.ALTER_CONFIGS]) == set()
        assert await has.deletable(TOPICS & described) == set()


async def test_who_has_a_login_but_no_acl_is_refused_everything(secured: Platform, kafka: SecuredKafka) -> None:
    async with token_endpoint() as url, rights(kafka.with_token("a-stranger", url)) as has:
        assert await has.readable(TOPICS) == await has.writable(TOPICS) == await has.seen() == set()
        assert await has.joinable(GROUPS) == await has.creatable(TOPICS) == set()


@pytest.mark.parametrize("service", DATABASES)
async def test_each_uses_its_own_database_alone(mongodb: SecuredMongodb, service: str) -> None:
    async with AsyncMongoClient[dict[str, Any]](mongodb.uri(service)) as client:
        await client[DATABASES[service]]["probes"].insert_one({})
        for other in {*DATABASES.values(), "admin", "local", "another"} - {DATABASES[service]}:
            with pytest.raises(OperationFailure, match="not authorized"):
                await client[other]["probes"].find_one()
            with pytest.raises(OperationFailure, match="not authorized"):
                await client[other]["probes"].insert_one({})
        with pytest.raises(OperationFailure, match="not authorized"):
            await client[DATABASES[service]].command("createUser", "another", pwd="secret", roles=[])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the driver leaves sockets open
@pytest.mark.parametrize("wrong", [("tls=true", "tls=false"), ("password-of-", "no-password-of-"), ("tlsCAFile", "x")])
async def test_a_wrong_way_to_the_database_is_an_outage(mongodb: SecuredMongodb, wrong: tuple[str, str]) -> None:
    uri = mongodb.uri(INVITATIONS).replace(*wrong).replace(f"&x={mongodb.ca_file}", "")
    uri = uri.partition("&tlsCAFile")[0] if "tls=false" in uri else uri
    async with AsyncMongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=1_000) as client:
        with pytest.raises(PyMongoError) as failure:
            await client["invitations"]["probes"].find_one()
    assert is_outage(failure.value)
    assert "password" not in describe_error(failure.value)
    gc.collect()


@pytest.mark.parametrize("protocol", ["SASL_SSL", "SASL_PLAINTEXT"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_every_way_to_log_in_works(secured: Platform, kafka: SecuredKafka, mechanism: str, protocol: str) -> None:
    await _sees_its_topics(kafka.as_user(INVITATIONS, mechanism, protocol))


async def test_a_token_logs_in(secured: Platform, kafka: SecuredKafka) -> None:
    async with token_endpoint() as url:
        await _sees_its_topics(kafka.with_token(INVITATIONS, url))


async def test_a_client_certificate_logs_in(secured: Platform, kafka: SecuredKafka) -> None:
    await _sees_its_topics(kafka.with_certificate(INVITATIONS))


@pytest.mark.parametrize(
    "wrong",
    [
        {"KAFKA_SASL_PASSWORD": "wrong"},
        {"KAFKA_SSL_CA_FILE": ""},  # the system's authorities did not sign the broker's certificate
        {"KAFKA_SECURITY_PROTOCOL": "PLAINTEXT", "KAFKA_SSL_CA_FILE": "", "KAFKA_SASL_MECHANISM": ""}
        | {"KAFKA_SASL_USERNAME": "", "KAFKA_SASL_PASSWORD": ""},
    ],
)
async def test_a_wrong_login_is_an_outage_and_its_secrets_stay_secret(
    kafka: SecuredKafka, wrong: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KafkaConnectionError) as refusal:
        async with rights(kafka.as_user(INVITATIONS) | wrong):
            pass
    assert "Unable connect" in caplog.text
    assert password(INVITATIONS) not in f"{caplog.text} {refusal.value}"


async def _sees_its_topics(environment: Environment) -> None:
    async with rights(environment) as has:
        assert await has.seen() == _allowed(INVITATIONS, Operation.READ) | _allowed(INVITATIONS, Operation.WRITE)


def _allowed(user: str, operation: Operation, resource: Resource = Resource.TOPIC) -> set[str]:
    return {acl.name for acl in ACLS if acl[:3] == (user, resource, operation)}
