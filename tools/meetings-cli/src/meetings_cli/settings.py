"""Where everything is. The environment says so, under the names that the services use; else the local run does."""

import json
import os
from pathlib import Path
from typing import Any

from chassis.settings import DatabaseSettings
from contracts.transport.topics import API_GATEWAY, CALENDAR_SYNC, INVITATIONS, MEETING_CORE, WEBHOOK_INGEST
from pydantic import Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource


class Settings(DatabaseSettings):
    """What the command line needs to know; nothing must be set beside a local run."""

    service_name: str = "operator"
    http_port: int = 0  # it listens nowhere
    internal_token: SecretStr = SecretStr("")
    mongodb_database: str = ""  # there are several

    api_gateway_url: str = Field(default="http://127.0.0.1:8080", description="base URL of a replica, for its health")
    webhook_ingest_url: str = Field(default="http://127.0.0.1:8081", description="the same")
    meeting_core_url: str = Field(default="http://127.0.0.1:8091", description="the same")
    invitations_url: str = Field(default="http://127.0.0.1:8092", description="the same")
    calendar_sync_url: str = Field(default="http://127.0.0.1:8093", description="the same, and to have things done")

    meeting_core_database: str = Field(default="meeting_core", description="the database of meeting-core")
    invitations_database: str = Field(default="invitations", description="the database of invitations")
    calendar_sync_database: str = Field(default="calendar_sync", description="the database of calendar-sync")

    login_url: str | None = Field(default=None, description="base URL of the simulated platform's login, for tokens")
    jwt_hs256_secret: SecretStr | None = Field(default=None, description="signs development tokens")
    jwt_tenant_claim: str = Field(default="tenantUuid", description="the claim that names the tenant")
    jwt_user_claim: str = Field(default="userUuid", description="the claim that names the user")
    jwt_email_claim: str = Field(default="username", description="the claim that has the user's e-mail")
    jwt_user_type_claim: str = Field(default="userType", description="the claim that has the kind of user")
    jwt_partner_claim: str = Field(default="partnerUuid", description="the claim that names partner staff's firm")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 there is none
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 nor one of these
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _LocalRunSource(settings_cls)

    def of(self, database: str) -> "Settings":
        """The settings for one of the databases."""
        return self.model_copy(update={"mongodb_database": database})

    @property
    def services(self) -> dict[str, str]:
        """The base URL of each service by its name."""
        return {
            API_GATEWAY: self.api_gateway_url,
            WEBHOOK_INGEST: self.webhook_ingest_url,
            MEETING_CORE: self.meeting_core_url,
            INVITATIONS: self.invitations_url,
            CALENDAR_SYNC: self.calendar_sync_url,
        }


def local_run() -> dict[str, Any] | None:
    """What the local run in STATE_DIR (default: ``.local``) says of itself; None while there is none.

    Raises:
        ValueError: its file is not readable as JSON.
    """
    return _read("run.json")


class _LocalRunSource(PydanticBaseSettingsSource):
    """The addresses and secrets of the local run, while there is one."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        return None, field_name, False  # all at once, below

    def __call__(self) -> dict[str, Any]:
        run = local_run()
        if run is None:
            return {}
        keys = _read("keys.json") or {}
        found = {
            "kafka_bootstrap_servers": run.get("kafka"),
            "mongodb_uri": run.get("mongodb"),
            "internal_token": keys.get("internal_token"),
            "jwt_hs256_secret": keys.get("jwt_hs256_secret"),
        }
        found |= {f"{name.replace('-', '_')}_url": url for name, url in run.get("services", {}).items()}
        return {name: value for name, value in found.items() if value is not None}


def _read(name: str) -> dict[str, Any] | None:
    path = Path(os.environ.get("STATE_DIR") or ".local") / name
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path} cannot be read: {type(error).__name__}") from error
