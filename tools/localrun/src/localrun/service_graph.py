"""What runs, in which order, and what each part is told: the wiring of the platform as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localrun.keys import Keys
from localrun.ports import Ports

GOOGLE_CLIENT_ID = "meetings-local"
MICROSOFT_CLIENT_ID = "00000000-0000-4000-8000-00000000beef"


@dataclass(frozen=True)
class ServiceSpec:
    """One Python process: the module `program`, run with `python -m`.

    `name` is also that of its log.
    """

    name: str
    program: str
    port: int
    env: Mapping[str, str] = field(repr=False)
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Settings that the caller's environment may change."""

    @property
    def url(self) -> str:
        """Its base URL, without a slash."""
        return url(self.port)


@dataclass(frozen=True)
class ServiceGraph:
    """What the parts of one run have in common."""

    ports: Ports
    keys: Keys
    state_dir: Path
    kafka: str
    tansu: bool
    """Whether the broker is Tansu, which needs other settings than Apache Kafka."""
    mongodb: str

    def simulators(self) -> list[ServiceSpec]:
        """The world around the platform, the login first."""
        ports, keys = self.ports, self.keys
        return [
            self._simulator("platform", ports.platform, {"JWT_HS256_SECRET": keys.jwt_hs256_secret} | self._console()),
            self._simulator(
                "mail",
                ports.mail,
                {
                    "SMTP_PORT": str(ports.mail_smtp),
                    "REPLIES_PORT": str(ports.replies_smtp),
                    "MAIL_DIR": str(self.state_dir / "mail"),
                },
            ),
            self._simulator("google", ports.google, self._state_file("google") | self._google_client()),
            self._simulator("microsoft", ports.microsoft, self._state_file("microsoft") | self._microsoft_client()),
        ]

    def workers(self) -> list[ServiceSpec]:
        """The services that work through topics and own a database."""
        ports, keys = self.ports, self.keys
        return [
            self._service("meeting-core", ports.meeting_core, {"MONGODB_URI": self.mongodb}),
            self._service(
                "invitations",
                ports.invitations,
                {
                    "MONGODB_URI": self.mongodb,
                    "MEETING_CORE_URL": url(ports.meeting_core),
                    "SMTP_HOST": "127.0.0.1",
                    "SMTP_PORT": str(ports.mail_smtp),
                    "SMTP_TLS": "none",  # mail goes to the sink, which speaks no TLS
                    "INBOUND_PORT": str(ports.replies_smtp),
                    "TRUSTED_AUTHSERV_ID": "mail.example.com",  # the sink, when it plays the receiving server
                }
                | self._rsvp(),
                {"MAIL_FROM": "Meetings <meetings@example.com>", "REPLY_ADDRESS": "meetings@example.com"},
            ),
            self._service(
                "calendar-sync",
                ports.calendar_sync,
                {
                    "MONGODB_URI": self.mongodb,
                    "MEETING_CORE_URL": url(ports.meeting_core),
                    "TOKEN_ENCRYPTION_KEYS": keys.token_encryption_keys,
                    "OAUTH_REDIRECT_BASE_URL": url(ports.gateway),
                    "WEBHOOK_BASE_URL": url(ports.gateway),
                    "GOOGLE_ACCOUNTS_URL": url(ports.google),
                    "GOOGLE_OAUTH_URL": url(ports.google),
                    "GOOGLE_API_URL": url(ports.google),
                    "OAUTHLIB_INSECURE_TRANSPORT": "1",  # the simulated Google speaks no TLS, which its library refuses
                    "MICROSOFT_LOGIN_URL": url(ports.microsoft),
                    "MICROSOFT_GRAPH_URL": url(ports.microsoft),
                }
                | self._google_client()
                | self._microsoft_client(),
            ),
        ]

    def edge_services(self) -> list[ServiceSpec]:
        """The services that the outside calls."""
        ports = self.ports
        return [
            self._service("webhook-ingest", ports.webhook_ingest, {"REJECTED_REQUESTS_PER_ADDRESS": "0"}),
            self._service(
                "api-gateway",
                ports.api_gateway,
                {
                    "JWT_HS256_SECRET": self.keys.jwt_hs256_secret,
                    "JWT_JWKS_URL": f"{url(ports.platform)}/.well-known/jwks.json",
                    "DIRECTORY_URL": url(ports.platform),
                    "MEETING_CORE_URL": url(ports.meeting_core),
                    "CALENDAR_SYNC_URL": url(ports.calendar_sync),
                    "REQUESTS_PER_USER": "0",  # tests and campaigns are a crowd that is one person at one address
                    "REQUESTS_PER_ADDRESS": "0",
                    "PUBLIC_REQUESTS_PER_ADDRESS": "0",
                }
                | self._rsvp(),
            ),
        ]

    def _simulator(self, name: str, port: int, env: dict[str, str]) -> ServiceSpec:
        return ServiceSpec(name, f"simulators.{name}", port, _listening(port) | env)

    def _service(
        self, name: str, port: int, env: dict[str, str], defaults: Mapping[str, str] | None = None
    ) -> ServiceSpec:
        common = {"KAFKA_BOOTSTRAP_SERVERS": self.kafka, "INTERNAL_TOKEN": self.keys.internal_token}
        if self.tansu:
            # It sleeps through a fetch's wait instead of waking when data arrives; and it makes a static member wait
            # 8 s to join a group, so there are none.
            common["KAFKA_FETCH_MAX_WAIT_MS"] = "60"  # shorter keeps an idle run busy
        else:
            common["KAFKA_GROUP_INSTANCE_ID"] = f"{name}-local"
        program = f"{name.replace('-', '_')}.main"
        return ServiceSpec(name, program, port, _listening(port) | common | env, defaults or {})

    def _console(self) -> dict[str, str]:
        """What the demo console shows: the API, the topics, and where the other pages are."""
        ports = self.ports
        pages = {"mail": ports.mail, "google": ports.google, "microsoft": ports.microsoft}
        links = {name: url(port) for name, port in pages.items()} | {"docs": f"{url(ports.gateway)}/docs"}
        return {
            "GATEWAY_URL": url(ports.gateway),
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "CONSOLE_LINKS": json.dumps(links),
        }

    def _state_file(self, name: str) -> dict[str, str]:
        return {"STATE_FILE": str(self.state_dir / f"{name}.json")}

    def _rsvp(self) -> dict[str, str]:
        """What it takes to make the links in mails, and to trust them."""
        return {"PUBLIC_BASE_URL": url(self.ports.gateway), "RSVP_TOKEN_KEYS": self.keys.rsvp_token_keys}

    def _google_client(self) -> dict[str, str]:
        return {"GOOGLE_CLIENT_ID": GOOGLE_CLIENT_ID, "GOOGLE_CLIENT_SECRET": self.keys.google_client_secret}

    def _microsoft_client(self) -> dict[str, str]:
        return {
            "MICROSOFT_CLIENT_ID": MICROSOFT_CLIENT_ID,
            "MICROSOFT_CLIENT_SECRET": self.keys.microsoft_client_secret,
        }


def url(port: int) -> str:
    """The base URL of a part of this run, without a slash."""
    return f"http://127.0.0.1:{port}"


def _listening(port: int) -> dict[str, str]:
    return {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(port)}
