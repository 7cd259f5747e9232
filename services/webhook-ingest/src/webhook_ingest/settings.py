"""Settings of webhook-ingest."""

from chassis.settings import ServiceSettings
from pydantic import Field


class Settings(ServiceSettings):
    service_name: str = "webhook-ingest"
    http_port: int = 8081
    body_limit: int = Field(default=256 * 1024, description="bytes of a request body")
    refused_per_address: int = Field(
        default=600,
        ge=0,
        description="a minute from one client address (IPv6: /64), of what is no known channel's notification; 0 = no "
        "limit. Behind a proxy, FORWARDED_ALLOW_IPS must name it",
    )
    hints_rest: float = Field(
        default=0.1, description="how long hints gather after others were handed to the bus, to go together"
    )
    hints_waiting: int = Field(
        default=10_000,
        description="hints that may wait for the bus; beyond it they are dropped, and pulls make up for it",
    )
