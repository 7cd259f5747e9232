"""MongoDB as firms run it: TLS of an authority of its own, and one user for each service and its database."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
from contracts.transport.topics import CALENDAR_SYNC, INVITATIONS, MEETING_CORE, OPERATORS
from localrun.mongodb import REPLICA_SET, member
from localrun.ports import free_port
from pymongo import MongoClient

from tests.support.secured_kafka import password

DATABASES = {MEETING_CORE: "meeting_core", INVITATIONS: "invitations", CALENDAR_SYNC: "calendar_sync"}
"""Each service's own, whose users have the right ``readWrite`` there and no other."""


@dataclass(frozen=True)
class SecuredMongodb:
    """A replica set of one member that is running."""

    port: int
    ca_file: Path

    def uri(self, user: str) -> str:
        """Of a service; of operators, whose user is kept in ``admin``."""
        source = DATABASES.get(user, "admin")
        options = f"replicaSet={REPLICA_SET}&authSource={source}&tls=true&tlsCAFile={self.ca_file}"
        return f"mongodb://{user}:{password(user)}@localhost:{self.port}/?{options}"


@contextmanager
def running_secured_mongodb(folder: Path) -> Iterator[SecuredMongodb]:
    """Started with its users, and stopped at the end."""
    authority, port, key = trustme.CA(), free_port(), folder / "members.key"
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    key.write_text(secrets.token_hex(32))
    key.chmod(0o600)
    options = [
        *("--auth", "--keyFile", str(key), "--tlsMode", "requireTLS", "--tlsAllowConnectionsWithoutCertificates"),
        *("--tlsCertificateKeyFile", str(folder / "server.pem"), "--tlsCAFile", str(folder / "ca.pem")),
    ]
    process = member("mongodb", folder / "data", port, log=folder / "mongod.log", options=options)
    process.start()
    try:
        process.wait_ready()
        running = SecuredMongodb(port, folder / "ca.pem")
        _initiate(running)
        yield running
    finally:
        process.stop()


def _initiate(mongodb: SecuredMongodb) -> None:
    """Make it a replica set, then make its users. The first connections from this machine may, while there are none."""
    with _direct(mongodb) as client:
        host = f"localhost:{mongodb.port}"
        client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [{"_id": 0, "host": host}]})
        deadline = time.monotonic() + 60
        while not client.admin.command("hello")["isWritablePrimary"]:
            assert time.monotonic() < deadline, "there is no primary"
            time.sleep(0.05)
        client.admin.command("createUser", "admin", pwd=password("admin"), roles=["root"])
    with MongoClient[dict[str, Any]](mongodb.uri("admin")) as admin:
        for service, database in DATABASES.items():
            admin[database].command("createUser", service, pwd=password(service), roles=["readWrite"])
        roles = [{"role": "readWrite", "db": database} for database in DATABASES.values()]
        admin.admin.command("createUser", OPERATORS, pwd=password(OPERATORS), roles=roles)


def _direct(mongodb: SecuredMongodb) -> MongoClient[dict[str, Any]]:
    return MongoClient(
        f"mongodb://localhost:{mongodb.port}/?directConnection=true&tls=true&tlsCAFile={mongodb.ca_file}",
        timeoutMS=10_000,
    )
