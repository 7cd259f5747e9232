"""Settings of invitations."""

from chassis.settings import DatabaseSettings


class Settings(DatabaseSettings):
    service_name: str = "invitations"
    http_port: int = 8092
    mongodb_database: str = "invitations"
