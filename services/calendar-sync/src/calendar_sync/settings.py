"""Settings of calendar-sync."""

from chassis.settings import DatabaseSettings


class Settings(DatabaseSettings):
    service_name: str = "calendar-sync"
    http_port: int = 8093
    mongodb_database: str = "calendar_sync"
