"""`python -m simulators.platform`: the simulated platform as a process of its own."""

from __future__ import annotations

from pydantic import Field, SecretStr

from simulators.common.serve import ServeSettings, serve
from simulators.platform.app import create_app
from simulators.platform.console.settings import ConsoleSettings


class Settings(ServeSettings):
    """Besides where to listen: JWT_HS256_SECRET, shared with the gateway (at least 32 bytes, RFC 7518 section 3.2).

    With GATEWAY_URL it also serves the console; KAFKA_BOOTSTRAP_SERVERS lets the console show events, CONSOLE_LINKS (a
    JSON object) names the other pages of the run.
    """

    http_port: int = 8070
    jwt_hs256_secret: SecretStr
    gateway_url: str = ""
    kafka_bootstrap_servers: str = ""
    console_links: dict[str, str] = Field(default_factory=dict)

    @property
    def console(self) -> ConsoleSettings | None:
        """What the console needs to know, if there is one."""
        if not self.gateway_url:
            return None
        return ConsoleSettings(
            gateway_url=self.gateway_url,
            kafka_bootstrap_servers=self.kafka_bootstrap_servers,
            links=self.console_links,
        )


if __name__ == "__main__":
    settings = Settings()
    serve(create_app(settings.jwt_hs256_secret.get_secret_value(), settings.console), settings)
