"""Settings of webhook-ingest."""

from chassis.settings import ServiceSettings
from pydantic import Field


class Settings(ServiceSettings):
    service_name: str = "webhook-ingest"
    http_port: int = 8081
    body_limit: int = Field(default=256 * 1024, description="bytes of a request body")
    hints_waiting: int = Field(
        default=10_000,
        description="hints that may wait for the bus; beyond it they are dropped, and pulls make up for it",
    )
