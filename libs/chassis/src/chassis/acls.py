"""Prints the broker's ACLs, or creates them as a user who may alter the cluster: ``python -m chassis.acls``."""

import argparse
import asyncio

import structlog
from aiokafka.client import AIOKafkaClient
from pydantic import Field, field_validator

from chassis.kafka.acls import Acl, create_acls, kafka_acls_commands, platform_acls, subscriber_acls
from chassis.kafka.connection import connection_options
from chassis.kafka.settings import KafkaSettings
from chassis.telemetry.logs import configure_logging

log = structlog.get_logger()


class AclSettings(KafkaSettings):
    """Where the ACLs are created, and what the broker calls the services."""

    kafka_acl_principal: str = Field(
        default="User:{service}",
        description="the services' principals; with client certificates as `User:CN={service},O=Example`",
    )

    @field_validator("kafka_acl_principal")
    @classmethod
    def _names_the_service(cls, principal: str) -> str:
        if not principal.startswith("User:") or "{service}" not in principal:
            raise ValueError("must begin with User: and have {service} in it")
        return principal


async def apply(settings: AclSettings, acls: list[Acl]) -> None:
    """Create those that are missing.

    Raises:
        aiokafka.errors.KafkaError: the broker is away, or refuses.
    """
    client = AIOKafkaClient(**connection_options(settings))
    try:
        await client.bootstrap()
        await create_acls(client, acls, settings.kafka_acl_principal)
        log.info("acls created", count=len(acls))
    finally:
        await client.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chassis.acls", description=__doc__)
    parser.add_argument("--apply", action="store_true", help="create them instead of printing commands")
    parser.add_argument("--subscriber", metavar="NAME", help="those of another service that follows the public topics")
    arguments = parser.parse_args()
    settings = AclSettings()
    acls = platform_acls() if arguments.subscriber is None else subscriber_acls(arguments.subscriber)
    if arguments.apply:
        configure_logging("acls", "INFO")
        asyncio.run(apply(settings, acls))
    else:
        print(*kafka_acls_commands(acls, settings.kafka_acl_principal), sep="\n")  # noqa: T201 for a shell


if __name__ == "__main__":
    main()
