"""Settings of the connection to Kafka, checked as a whole: what does not fit together is refused at start."""

import ssl
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.kafka.tls import ReloadingContext

_PASSWORD = ("kafka_sasl_username", "kafka_sasl_password")
_OAUTH = ("kafka_oauth_token_url", "kafka_oauth_client_id", "kafka_oauth_client_secret")
_OAUTH_OPTIONS = ("kafka_oauth_scope", "kafka_oauth_ca_file")


class SecurityProtocol(StrEnum):
    """Kafka's ``security.protocol``."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def has_tls(self) -> bool:
        return self in (SecurityProtocol.SSL, SecurityProtocol.SASL_SSL)

    @property
    def has_login(self) -> bool:
        return self in (SecurityProtocol.SASL_PLAINTEXT, SecurityProtocol.SASL_SSL)


class SaslMechanism(StrEnum):
    """Kafka's ``sasl.mechanism``, those that are supported."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"
    OAUTHBEARER = "OAUTHBEARER"


class KafkaSettings(BaseSettings):
    """How to reach Kafka, and as whom."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,  # a wrong secret is no less a secret
    )

    kafka_bootstrap_servers: str = Field(
        default="localhost:9092",
        description="`host:port`, comma-separated. One that answers is enough: it names the other brokers",
    )
    kafka_security_protocol: SecurityProtocol = Field(
        default=SecurityProtocol.PLAINTEXT,
        description="`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`; `SSL` means TLS, `SASL` a login",
    )
    kafka_ssl_ca_file: Path | None = Field(
        default=None,
        description="PEM file of the authorities that may sign the brokers' certificates; without it, the system's",
    )
    kafka_ssl_cert_file: Path | None = Field(
        default=None,
        description="PEM file of the client certificate, its chain behind it. These three files are read again when "
        "they have changed, for the next connection",
    )
    kafka_ssl_key_file: Path | None = Field(default=None, description="PEM file of the client certificate's key")
    kafka_ssl_key_password: SecretStr | None = Field(default=None, description="decrypts the key, if it is encrypted")
    kafka_sasl_mechanism: SaslMechanism | None = Field(
        default=None, description="`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`"
    )
    kafka_sasl_username: str | None = Field(default=None, description="for `PLAIN` and `SCRAM`")
    kafka_sasl_password: SecretStr | None = Field(default=None, description="for `PLAIN` and `SCRAM`")
    kafka_oauth_token_url: str | None = Field(
        default=None, description="for `OAUTHBEARER`: the token endpoint, asked with client credentials (RFC 6749, 4.4)"
    )
    kafka_oauth_client_id: str | None = Field(default=None, description="for `OAUTHBEARER`")
    kafka_oauth_client_secret: SecretStr | None = Field(default=None, description="for `OAUTHBEARER`")
    kafka_oauth_scope: str | None = Field(default=None, description="for `OAUTHBEARER`, if the token endpoint wants it")
    kafka_oauth_ca_file: Path | None = Field(
        default=None, description="PEM file of the token endpoint's authorities; without it, the system's"
    )

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _names_a_server(cls, servers: str) -> str:
        if not _split(servers):
            raise ValueError("names no server")
        return servers

    @field_validator("kafka_oauth_token_url")
    @classmethod
    def _is_encrypted(cls, url: str | None) -> str | None:
        """RFC 6749 section 3.2: the token endpoint is asked over TLS."""
        if url is not None:
            parts = urlsplit(url)
            host = parts.hostname or ""
            if not host or (parts.scheme, _is_local(host)) not in {("https", False), ("https", True), ("http", True)}:
                raise ValueError("must be an https URL")
        return url

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._check_tls()
        self._check_login()
        return self

    def _check_tls(self) -> None:
        files = self._given("kafka_ssl_ca_file", "kafka_ssl_cert_file", "kafka_ssl_key_file", "kafka_ssl_key_password")
        if files and not self.kafka_security_protocol.has_tls:
            raise ValueError(f"{files[0]} needs KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL")
        if (self.kafka_ssl_cert_file is None) != (self.kafka_ssl_key_file is None):
            raise ValueError("KAFKA_SSL_CERT_FILE and KAFKA_SSL_KEY_FILE need each other")
        if self.kafka_ssl_key_password is not None and self.kafka_ssl_key_file is None:
            raise ValueError("KAFKA_SSL_KEY_PASSWORD needs KAFKA_SSL_KEY_FILE")
        self.tls_context()
        self.oauth_tls_context()

    def _check_login(self) -> None:
        mechanism = self.kafka_sasl_mechanism
        if self.kafka_security_protocol.has_login and mechanism is None:
            raise ValueError(f"KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol} needs KAFKA_SASL_MECHANISM")
        if mechanism is not None and not self.kafka_security_protocol.has_login:
            raise ValueError("KAFKA_SASL_MECHANISM needs KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT or SASL_SSL")
        login = () if mechanism is None else _OAUTH if mechanism is SaslMechanism.OAUTHBEARER else _PASSWORD
        for name in login:
            if not self._given(name):
                raise ValueError(f"KAFKA_SASL_MECHANISM={mechanism} needs {name.upper()}")
        options = _OAUTH_OPTIONS if login is _OAUTH else ()
        for name in self._given(*(set(_PASSWORD + _OAUTH + _OAUTH_OPTIONS) - {*login, *options})):
            raise ValueError(f"{name} is not used with KAFKA_SASL_MECHANISM={mechanism or '(unset)'}")

    def tls_context(self) -> ssl.SSLContext | None:
        """For connections to the brokers; None where the protocol is not encrypted. Raises ValueError."""
        if not self.kafka_security_protocol.has_tls:
            return None
        password = self.kafka_ssl_key_password
        return ReloadingContext.of(
            self.kafka_ssl_ca_file,
            self.kafka_ssl_cert_file,
            self.kafka_ssl_key_file,
            "" if password is None else password.get_secret_value(),
        )

    def oauth_tls_context(self) -> ssl.SSLContext | None:
        """For connections to the token endpoint; None: as any connection. Raises ValueError."""
        return None if self.kafka_oauth_ca_file is None else ReloadingContext.of(self.kafka_oauth_ca_file)

    def _given(self, *names: str) -> list[str]:
        """Those of these settings that are set, as environment variables."""
        return [name.upper() for name in names if getattr(self, name) is not None]

    @property
    def bootstrap_servers(self) -> list[str]:
        """The servers one by one, as every Kafka client takes them. FastStream takes a string for one single server."""
        return _split(self.kafka_bootstrap_servers)


def _split(servers: str) -> list[str]:
    return [server for part in servers.split(",") if (server := part.strip())]


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
