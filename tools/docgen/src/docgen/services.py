"""The services, with what can be asked of each without running it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import api_gateway.bootstrap
import api_gateway.settings
import calendar_sync.settings
import invitations.settings
import meeting_core.settings
import webhook_ingest.bootstrap
import webhook_ingest.settings
from chassis.settings import ServiceSettings
from chassis.telemetry.health import Health
from contracts.transport.topics import API_GATEWAY, CALENDAR_SYNC, INVITATIONS, MEETING_CORE, WEBHOOK_INGEST

from docgen.files import ROOT


@dataclass(frozen=True, slots=True)
class Service:
    """A service by its name on the bus, and its settings."""

    name: str
    settings: type[ServiceSettings]

    @property
    def purpose(self) -> str:
        """What the service says about itself in its ``pyproject.toml``."""
        return _description(ROOT / "services" / self.name / "pyproject.toml")


SERVICES = (
    Service(API_GATEWAY, api_gateway.settings.Settings),
    Service(MEETING_CORE, meeting_core.settings.Settings),
    Service(INVITATIONS, invitations.settings.Settings),
    Service(CALENDAR_SYNC, calendar_sync.settings.Settings),
    Service(WEBHOOK_INGEST, webhook_ingest.settings.Settings),
)


def gateway_openapi() -> dict[str, Any]:
    """The OpenAPI document of the gateway, from its application as it would be started."""
    settings = api_gateway.settings.Settings.model_construct()  # the defaults alone: no environment, no secrets
    return api_gateway.bootstrap.create_app(settings, Health()).openapi()


def ingest_openapi() -> dict[str, Any]:
    """The OpenAPI document of the ingest service."""
    settings = webhook_ingest.settings.Settings.model_construct()
    return webhook_ingest.bootstrap.create_app(settings, Health()).openapi()


def _description(project: Path) -> str:
    described: str = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["description"]
    return described
