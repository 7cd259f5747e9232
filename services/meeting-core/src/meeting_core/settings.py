"""Settings of meeting-core."""

from chassis.settings import DatabaseSettings
from pydantic import Field


class Settings(DatabaseSettings):
    service_name: str = "meeting-core"
    http_port: int = 8091
    mongodb_database: str = "meeting_core"
    resend_cooldown: float = Field(
        default=60, ge=0, description="seconds after a resend in which its recipient is skipped"
    )
