"""Where the providers' notifications arrive, under the platform's one base URL."""

WEBHOOKS_PATH = "/api/v1/webhooks"
WEBHOOKS_DESCRIPTION = f"{WEBHOOKS_PATH}/openapi.json"
"""Where webhook-ingest publishes its OpenAPI description."""
