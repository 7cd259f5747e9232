"""Settings of calendar-sync."""

from chassis.settings import DatabaseSettings
from pydantic import Field, SecretStr, field_validator

from calendar_sync.connections.vault import AesGcmTokenVault


class Settings(DatabaseSettings):
    service_name: str = "calendar-sync"
    http_port: int = 8093
    mongodb_database: str = "calendar_sync"

    token_encryption_keys: SecretStr = Field(
        description="keys that seal what providers give us: URL-safe base64 of 32 bytes each, comma-separated; the "
        "first seals, all open"
    )
    oauth_redirect_base_url: str = Field(
        description="under which the providers send browsers back: the gateway's public address, no slash at the end"
    )
    authorization_lifetime: float = Field(default=600, description="how long a user may take to consent")
    oauth_timeout: float = Field(default=8, description="for one call of a provider's login")
    revocation_lease: float = Field(
        default=60, description="after which another worker takes over taking leave of an account"
    )

    meeting_core_url: str = Field(
        default="http://127.0.0.1:8091", description="where passwords of meetings are asked for"
    )
    query_timeout: float = Field(default=3, gt=0, description="seconds for an answer to that")
    deployment: str = Field(
        default="meetings", description="tells this platform's events from those of others in the same calendars"
    )
    calendar_timeout: float = Field(default=30, description="for one call of a provider's calendar API")
    outbound_concurrency: int = Field(default=64, ge=1, description="calendar writes at once, for each provider")
    outbound_lease: float = Field(default=20, description="after which another worker takes over a calendar write")
    outbound_retry_initial: float = Field(default=1, description="pause after a calendar write failed; it doubles")
    outbound_retry_max: float = Field(default=300, description="the longest pause between attempts")
    outbound_failed_after_attempts: int = Field(
        default=8, ge=1, description="failed attempts after which the sync status is `FAILED`; attempts continue"
    )

    webhook_base_url: str = Field(
        description="under which providers tell of changes: webhook-ingest's public address, no slash at the end"
    )
    channel_concurrency: int = Field(default=16, ge=2, description="channel checks at once, half per provider")
    channel_lease: float = Field(default=60, description="after which another worker takes over a channel check")
    channel_lifetime: float = Field(
        default=6 * 86_400, description="asked for; providers grant at most a week, and less if they like"
    )

    inbound_concurrency: int = Field(default=32, ge=2, description="calendars read at once, half of them per provider")
    inbound_lease: float = Field(default=20, description="after which another worker takes over reading a calendar")
    inbound_min_interval: float = Field(
        default=0.5, description="between the beginnings of two pulls of one calendar at least"
    )
    poll_interval: float = Field(default=300, description="between catch-up pulls, a quarter more or less")
    inbound_retry_max: float = Field(default=60, description="the longest pause after a pull failed")
    window_days_back: int = Field(default=30, ge=1, description="of external calendars, how much of the past is read")
    window_days_ahead: int = Field(default=180, ge=1, description="and how much of the future")
    mass_deletion_limit: int = Field(
        default=10,
        ge=0,
        description="if more mirrored events are deleted within ten minutes, the deletions are treated as an accident",
    )

    google_client_id: str = Field(description="the OAuth client at Google")
    google_client_secret: SecretStr = Field(description="of the OAuth client at Google")
    google_accounts_url: str = Field(default="https://accounts.google.com", description="where users consent")
    google_oauth_url: str = Field(default="https://oauth2.googleapis.com", description="where tokens come from")
    google_api_url: str = Field(default="https://www.googleapis.com", description="the calendar API")

    microsoft_client_id: str = Field(description="the application at Microsoft Entra")
    microsoft_client_secret: SecretStr = Field(description="of the application at Microsoft Entra")
    microsoft_authority: str = Field(
        default="common", description="who may connect: `common`, `organizations`, `consumers`, or one tenant's id"
    )
    microsoft_login_url: str = Field(
        default="https://login.microsoftonline.com", description="where users consent and tokens come from"
    )
    microsoft_graph_url: str = Field(default="https://graph.microsoft.com", description="the calendar API")

    @field_validator("token_encryption_keys")
    @classmethod
    def _usable_keys(cls, keys: SecretStr) -> SecretStr:
        AesGcmTokenVault.parse(keys.get_secret_value())
        return keys
