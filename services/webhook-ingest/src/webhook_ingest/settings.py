"""Settings of webhook-state."""

from chassis.settings import ServiceSettings
from pydantic import Field


class Settings(ServiceSettings):
    service_name: str = "webhook-ingest"
    http_port: int = 8081
    body_limit: int = Field(default=256 * 1024, description="bytes of a request body")
    rejected_requests_per_address: int = Field(
        default=600,
        ge=0,
        description="requests a minute without an authentic notification from one client address (IPv6: /64); 0 = no "
        "limit. Behind a proxy, FORWARDED_ALLOW_IPS must name it",
    )
    notification_batch_window: float = Field(
        default=0.1, description="how long notifications gather after others were published, to be published together"
    )
    notification_buffer_size: int = Field(
        default=10_000,
        description="notifications held while the broker is unavailable; more are dropped, and the next periodic sync "
        "reads the changes",
    )
