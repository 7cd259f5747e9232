"""What the Microsoft simulator takes from the environment."""

from simulators.common.serve import ServeSettings


class Settings(ServeSettings):
    """Each field is the environment variable of the same name in capitals."""

    http_port: int = 8072
    microsoft_client_id: str = "4f3c2b1a-0d9e-4c8b-a7f6-5e4d3c2b1a09"
    microsoft_client_secret: str = "microsoft-client-secret"
    microsoft_redirect_uris: frozenset[str] = frozenset()
    """The registered redirect URIs, a JSON list; when empty, any https URI and http on a loopback host will do."""
    microsoft_mailbox_concurrency: int = 4
    """Requests under way per app and mailbox (graph/throttling-limits, Outlook service limits)."""
    microsoft_requests_per_ten_minutes: int = 10_000
    """Requests per app and mailbox (same page)."""
    fault_seed: int = 0
