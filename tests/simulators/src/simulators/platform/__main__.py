"""`python -m simulators.platform`: the simulated platform as a process of its own."""

from __future__ import annotations

from pydantic import SecretStr

from simulators.common.serve import ServeSettings, serve
from simulators.platform.app import create_app


class Settings(ServeSettings):
    """Besides where to listen: JWT_HS256_SECRET, shared with the gateway (at least 32 bytes, RFC 7518 section 3.2)."""

    http_port: int = 8070
    jwt_hs256_secret: SecretStr


if __name__ == "__main__":
    settings = Settings()
    serve(create_app(settings.jwt_hs256_secret.get_secret_value()), settings)
