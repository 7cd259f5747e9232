"""Settings of the gateway."""

from typing import Literal, Self

from chassis.settings import ServiceSettings
from contracts.rsvp_tokens import RsvpKeys
from pydantic import Field, SecretStr, field_validator, model_validator

_MIN_SECRET_LENGTH = 32


class Settings(ServiceSettings):
    service_name: str = "api-gateway"
    http_port: int = 8080
    public_base_url: str = Field(default="http://127.0.0.1:8080", description="under which callers reach the gateway")

    docs_site_url: str = Field(
        default="", description="where the documentation site (`make site`) is served; `/` and `/docs` lead there"
    )

    jwt_hs256_secret: SecretStr | None = Field(default=None, description="the platform login's shared secret")
    jwt_jwks_url: str | None = Field(default=None, description="where the login publishes its RS256/ES256 keys")
    jwt_issuer: str | None = Field(default=None, description="if set, the only `iss` that is accepted")
    jwt_audience: str | None = Field(default=None, description="if set, an `aud` that must be present")
    jwt_leeway: float = Field(default=5, description="seconds of clock difference allowed in `exp` and `nbf`")
    jwt_tenant_claim: str = Field(default="tenantUuid", description="the claim that names the tenant")
    jwt_user_claim: str = Field(default="userUuid", description="the claim that names the user")
    jwt_email_claim: str = Field(default="username", description="the claim that has the user's e-mail")
    jwt_user_type_claim: str = Field(default="userType", description="the claim that has the kind of user")
    jwt_firm_claim: str = Field(
        default="tenantCode", description="the claim that names the user's firm for people; without it, its id is shown"
    )
    jwt_partner_claim: str = Field(default="partnerUuid", description="the claim that names partner staff's firm")

    rsvp_token_keys: SecretStr = Field(
        description="keys of the tokens in mailed links, the same for every service: URL-safe base64 of at least 32 "
        "bytes each, comma-separated; the first signs, all verify"
    )
    rsvp_token_policy: Literal["optional", "required"] = Field(
        default="optional", description="whether a guest may answer by a link without a token; a wrong one never passes"
    )
    requests_per_user: int = Field(default=1200, ge=0, description="a minute by one user; 0 = no limit")
    reads_in_flight_per_user: int = Field(
        default=10,
        ge=0,
        description="searches of one user at once, and as many lists, and as many availability checks; 0 = no limit",
    )
    requests_per_address: int = Field(
        default=12_000,
        ge=0,
        description="a minute from one client address (IPv6: /64), at the endpoints that need a login, counted before "
        "it is checked; 0 = no limit. Behind a proxy, FORWARDED_ALLOW_IPS must name it, or all callers are one address",
    )
    public_requests_per_address: int = Field(
        default=600, ge=0, description="the same at the endpoints that need no login; 0 = no limit"
    )
    public_requests_per_guest: int = Field(
        default=60, ge=0, description="a minute with the link of one guest; 0 = no limit"
    )
    cors_origins: str = Field(
        default="",
        description="origins of web pages that may call, comma-separated, as `https://app.example.com`; without any, "
        "browsers let no other page read an answer",
    )

    meeting_core_url: str = Field(default="http://127.0.0.1:8091", description="where meetings are asked for")
    calendar_sync_url: str = Field(default="http://127.0.0.1:8093", description="where connections are asked for")
    availability_for_clients: bool = Field(
        default=False, description="whether a `CLIENT` may ask when staff have time; else 403"
    )
    oauth_other_browser: Literal["ask", "refuse", "accept"] = Field(
        default="ask",
        description="what happens when a user comes back from a calendar provider in another browser than the one that "
        "began to connect, as one does who was sent somebody else's link: ask them, refuse, or connect all the same",
    )
    query_timeout: float = Field(default=5, description="how long a query may take before 503")
    authorization_timeout: float = Field(default=30, description="how long all calls of a provider's login may take")

    directory_url: str = Field(default="http://127.0.0.1:8070", description="the platform's directory of people")
    directory_timeout: float = Field(default=2, description="how long a look-up may take before 503")
    directory_cache_seconds: float = Field(default=60, description="how long results of the directory are cached")
    directory_concurrency: int = Field(default=16, description="look-ups in flight at once")

    command_deadline: float = Field(default=5, description="how long a caller waits for an outcome before 202")
    publish_timeout: float = Field(default=3, description="how long the bus may take to acknowledge a command")
    commands_in_flight: int = Field(default=1000, description="commands waiting for an outcome; beyond it 503")
    body_limit: int = Field(default=256 * 1024, description="bytes of a request body")

    @field_validator("rsvp_token_keys")
    @classmethod
    def _usable_keys(cls, keys: SecretStr) -> SecretStr:
        RsvpKeys.parse(keys.get_secret_value())
        return keys

    @model_validator(mode="after")
    def _some_key(self) -> Self:
        secret = self.jwt_hs256_secret
        if secret is None and self.jwt_jwks_url is None:
            raise ValueError("set JWT_HS256_SECRET or JWT_JWKS_URL: without either no token can be checked")
        if secret is not None and len(secret.get_secret_value()) < _MIN_SECRET_LENGTH:
            raise ValueError(
                f"JWT_HS256_SECRET must have at least {_MIN_SECRET_LENGTH} characters (RFC 7518 section 3.2)"
            )
        return self
