"""Settings of webhook-ingest."""

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    service_name: str = "webhook-ingest"
    http_port: int = 8081
