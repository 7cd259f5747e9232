"""What the console needs to know about the run that it shows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ConsoleSettings:
    """Base URLs without a slash, and the broker; an empty value means that there is none to show."""

    gateway_url: str
    """Where the console's server reaches the gateway."""
    kafka_bootstrap_servers: str = ""
    links: dict[str, str]
    """Pages of the run by name, as browsers reach them: `mail`, `google`, `microsoft`, `docs`."""
