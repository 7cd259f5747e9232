"""Where a campaign takes place: the whole platform, with every way to its broker and its database in our hands."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localrun.kafka import apache_kafka, bootstrap
from localrun.mongodb import mongod, uri
from localrun.platform import Platform
from localrun.ports import Ports, free_port
from localrun.process_factory import KafkaKind
from localrun.processes import Process
from pymongo import MongoClient

from tests.chaos.links import Link, Links
from tests.support.crowd import NO_MAIL_LIMITS, NO_MAILBOX_LIMIT
from tests.support.replica_set import ReplicaSet

SERVICES = ("api-gateway", "meeting-core", "invitations", "calendar-sync", "webhook-ingest")
OWNERS = ("meeting-core", "invitations", "calendar-sync")
"""Who has a database."""
SETTINGS: dict[str, dict[str, str]] = {
    "google": {"GOOGLE_QUOTA_PER_MINUTE": "0"},
    "api-gateway": {"PUBLIC_REQUESTS_PER_ADDRESS": "1000000", "DIRECTORY_CACHE_SECONDS": "5"},
    "meeting-core": {"KAFKA_SESSION_TIMEOUT_MS": "6000", "OUTBOX_RELAY_DELAY": "2", "RESEND_COOLDOWN": "3"}
    | NO_MAIL_LIMITS,
    "invitations": {
        "KAFKA_SESSION_TIMEOUT_MS": "6000",
        "OUTBOX_RELAY_DELAY": "2",
        "DELIVERY_LEASE": "3",
        "DELIVERY_RETRY_INITIAL": "0.2",
        "DELIVERY_RETRY_MAX": "2",
        "UPDATE_WINDOW": "1",
        **NO_MAILBOX_LIMIT,
        "SMTP_TIMEOUT": "5",
    },
    "calendar-sync": {
        "KAFKA_SESSION_TIMEOUT_MS": "6000",
        "OUTBOX_RELAY_DELAY": "2",
        "CALENDAR_TIMEOUT": "3",
        "OAUTH_TIMEOUT": "3",
        "OUTBOUND_LEASE": "3",
        "OUTBOUND_RETRY_INITIAL": "0.2",
        "OUTBOUND_RETRY_MAX": "2",
        "INBOUND_LEASE": "5",
        "INBOUND_RETRY_MAX": "5",
        "CHANNEL_LEASE": "5",
    },
}
"""Shorter than in production, so that in minutes as much is taken over and tried again as there in hours."""


@dataclass(frozen=True)
class Grounds:
    """A running platform with its infrastructure, and the ways between them."""

    platform: Platform
    kafka: KafkaKind
    bootstrap: str
    """The broker without a detour."""
    mongodb: str
    """The database without a detour."""
    processes: dict[str, Process]
    links: Links = field(repr=False)
    to_mongodb: dict[str, Link]
    """Only with one MongoDB: drivers find the members of a replica set by their own addresses."""
    to_kafka: dict[str, Link]
    """Only with Apache Kafka: Tansu advertises one address to everybody."""
    replica_set: ReplicaSet | None
    """Only with three members."""

    def link(self, way: str) -> Link:
        """By its name, as in ``meeting-core to mongodb``."""
        service, _, infrastructure = way.partition(" to ")
        return (self.to_mongodb if infrastructure == "mongodb" else self.to_kafka)[service]

    def refuse_writes(self, service: str, *, refuse: bool) -> None:
        """Answer every write of this service as a server without disk space does, or no longer.

        By a failpoint: https://github.com/mongodb/mongo/wiki/The-%22failCommand%22-fail-point
        """
        writing = ["insert", "update", "delete", "findAndModify"]
        data = {"failCommands": writing, "errorCode": _OUT_OF_DISK_SPACE, "appName": service}
        with MongoClient[dict[str, Any]](self.mongodb) as client:
            if refuse:
                client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
            else:
                client.admin.command("configureFailPoint", "failCommand", mode="off")


_OUT_OF_DISK_SPACE = 14031


@contextmanager
def grounds(
    state_dir: Path,
    *,
    kafka: KafkaKind,
    members: int = 1,
    port_offset: int | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Iterator[Grounds]:
    """Start everything, stop everything at the end; ``state_dir`` keeps logs, mails and data.

    ``members`` of the replica set are 1, with a forwarder before it, or 3, without.
    """
    ports = Ports.from_environment({}, port_offset)
    log, links = state_dir / "logs", Links()
    to_mongodb = {name: Link(free_port(), ports.mongodb) for name in OWNERS} if members == 1 else {}
    to_kafka = {name: Link(free_port(), free_port()) for name in SERVICES} if kafka == "apache" else {}
    settings = {name: dict(given) for name, given in SETTINGS.items()} | {"webhook-ingest": {}}
    for name, link in to_mongodb.items():
        settings[name]["MONGODB_URI"] = f"mongodb://127.0.0.1:{link.port}/?directConnection=true"
    for name, link in to_kafka.items():
        settings[name]["KAFKA_BOOTSTRAP_SERVERS"] = bootstrap(link.port)
    with ExitStack() as running:
        replica_set = running.enter_context(ReplicaSet.running(state_dir / "mongodb")) if members > 1 else None
        database = replica_set.uri if replica_set else uri(ports.mongodb)
        environ = {**os.environ, "MONGODB_URI": database}
        own: list[Process] = []
        if replica_set is None:
            own.append(mongod(state_dir / "mongodb", ports.mongodb, log=log / "mongodb.log", test_commands=True))
        if kafka == "apache":
            detours = {link.target: link.port for link in to_kafka.values()}
            own.append(apache_kafka(state_dir / "kafka", ports.kafka, log=log / "kafka.log", detours=detours))
            environ["KAFKA_BOOTSTRAP_SERVERS"] = bootstrap(ports.kafka)
        for process in own:
            process.start()
            running.callback(process.stop)
        for process in own:
            process.wait_ready()
        running.enter_context(links.carrying([*to_mongodb.values(), *to_kafka.values()]))
        platform = running.enter_context(
            Platform.start(
                state_dir, port_offset=port_offset, kafka=kafka, env_overrides=settings, environ=environ, report=report
            )
        )
        processes = {**platform.processes, **{process.name: process for process in own}}
        processes |= replica_set.processes if replica_set else {}
        yield Grounds(
            platform, kafka, bootstrap(ports.kafka), database, processes, links, to_mongodb, to_kafka, replica_set
        )
