"""Settings every service has. Values come from environment variables of the same name."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from chassis.demo_secrets import is_demo_secret
from chassis.kafka.settings import KafkaSettings


class ServiceSettings(KafkaSettings):
    """Where a service listens and whom it talks to. Durations are in seconds unless the name says otherwise."""

    service_name: str = Field(description="the name of the service in messages and logs")
    http_host: str = Field(default="127.0.0.1", description="the address to listen on")
    http_port: int = Field(description="the port to listen on")
    log_level: str = Field(default="INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`")
    internal_token: SecretStr = Field(description="shared by the services; guards the internal query APIs")
    otel_exporter_otlp_endpoint: str | None = Field(
        default=None, description="base URL of an OTLP/HTTP collector that gets traces; without it none are recorded"
    )
    demo: bool = Field(
        default=False, description="accept the published secrets of demonstrations; never beside real people's data"
    )
    drain_timeout: float = Field(default=25, description="from SIGTERM until whatever still runs is cut off")

    kafka_fetch_max_wait_ms: int = Field(
        default=20,
        description="how long the broker may hold a fetch. A consumer has one fetch per broker in flight, and a "
        "partition that is not in it waits for its end: long waits of idle partitions delay busy ones",
    )
    kafka_session_timeout_ms: int = Field(
        default=10_000, description="how long a silent consumer keeps its partitions before another replica gets them"
    )
    kafka_group_instance_id: str | None = Field(
        default=None,
        description="unique per replica and stable: a restart within the session timeout does not rebalance",
    )
    stall_timeout: float = Field(
        default=60, description="lag without progress for this long means the consumer is dead"
    )

    @model_validator(mode="after")
    def _no_demo_secret(self) -> Self:
        if not self.demo:
            for name in type(self).model_fields:
                value = getattr(self, name)
                if isinstance(value, SecretStr) and is_demo_secret(value.get_secret_value()):
                    raise ValueError(f"{name.upper()} is a published secret of the demonstration: set one of your own")
        return self


class DatabaseSettings(ServiceSettings):
    """Settings of a service that owns a database."""

    mongodb_uri: str = Field(
        default="mongodb://localhost:27017/?replicaSet=rs0", description="a replica set or a sharded cluster"
    )
    mongodb_database: str = Field(description="the database that this service owns alone")
    mongodb_concurrency: int = Field(
        default=16, description="operations in flight at once; more only adds unfairness in the driver's pool"
    )
    outbox_relay_delay: float = Field(
        default=10, description="how long an event may wait for its writer before the relay publishes it"
    )
