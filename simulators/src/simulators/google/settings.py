"""What the Google simulator takes from the environment."""

from typing import Literal

from simulators.common.serve import ServeSettings


class Settings(ServeSettings):
    """Each field is the environment variable of the same name in capitals."""

    http_port: int = 8071
    google_client_id: str = "google-client-id.apps.googleusercontent.com"
    google_client_secret: str = "google-client-secret"
    google_redirect_uris: frozenset[str] = frozenset()
    """The registered redirect URIs, a JSON list; when empty, any http(s) URI on a loopback host counts."""
    google_publishing_status: Literal["production", "testing"] = "production"
    """In ``testing`` refresh tokens live for 7 days (developers.google.com/identity/protocols/oauth2#expiration)."""
    google_quota_per_minute: int = 600
    """Requests per minute, user and project (calendar/api/guides/quota); 0 = no limit."""
    fault_seed: int = 0
