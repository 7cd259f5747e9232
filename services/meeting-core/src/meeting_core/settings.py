"""Settings of meeting-core."""

from chassis.settings import DatabaseSettings


class Settings(DatabaseSettings):
    service_name: str = "meeting-core"
    http_port: int = 8091
    mongodb_database: str = "meeting_core"
