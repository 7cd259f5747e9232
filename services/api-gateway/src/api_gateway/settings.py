"""Settings of the gateway."""

from typing import Self

from chassis.settings import ServiceSettings
from pydantic import Field, SecretStr, model_validator

_SHORTEST_SECRET = 32


class Settings(ServiceSettings):
    service_name: str = "api-gateway"
    http_port: int = 8080
    public_base_url: str = Field(default="http://127.0.0.1:8080", description="under which callers reach the gateway")

    jwt_hs256_secret: SecretStr | None = Field(default=None, description="the platform login's shared secret")
    jwt_jwks_url: str | None = Field(default=None, description="where the login publishes its RS256/ES256 keys")
    jwt_issuer: str | None = Field(default=None, description="if set, the only `iss` that is accepted")
    jwt_audience: str | None = Field(default=None, description="if set, an `aud` that must be present")
    jwt_leeway: float = Field(default=5, description="seconds of clock difference allowed in `exp` and `nbf`")
    jwt_tenant_claim: str = "tenantUuid"
    jwt_user_claim: str = "userUuid"
    jwt_email_claim: str = "username"
    jwt_user_type_claim: str = "userType"
    jwt_partner_claim: str = "partnerUuid"

    meeting_core_url: str = "http://127.0.0.1:8091"
    calendar_sync_url: str = "http://127.0.0.1:8093"
    query_timeout: float = 5

    directory_url: str = "http://127.0.0.1:8070"
    directory_timeout: float = 2
    directory_cache_seconds: float = 60
    directory_concurrency: int = Field(default=16, description="look-ups in flight at once")

    command_deadline: float = Field(default=5, description="how long a caller waits for an outcome before 202")
    publish_timeout: float = Field(default=3, description="how long the bus may take to accept a command before 503")
    commands_in_flight: int = Field(default=1000, description="commands waiting for an outcome; beyond it 503")
    body_limit: int = Field(default=256 * 1024, description="bytes of a request body")

    @model_validator(mode="after")
    def _some_key(self) -> Self:
        secret = self.jwt_hs256_secret
        if secret is None and self.jwt_jwks_url is None:
            raise ValueError("set JWT_HS256_SECRET or JWT_JWKS_URL: without either no token can be checked")
        if secret is not None and len(secret.get_secret_value()) < _SHORTEST_SECRET:
            raise ValueError(
                f"JWT_HS256_SECRET must have at least {_SHORTEST_SECRET} characters (RFC 7518 section 3.2)"
            )
        return self
