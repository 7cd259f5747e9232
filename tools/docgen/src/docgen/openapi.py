"""The OpenAPI documents of the services that have a public HTTP API."""

from docgen.files import Files, as_json
from docgen.services import gateway_openapi, ingest_openapi

FOLDER = "docs/generated/openapi"


def openapi_files() -> Files:
    """One document per service."""
    return {
        f"{FOLDER}/api-gateway.json": as_json(gateway_openapi()),
        f"{FOLDER}/webhook-ingest.json": as_json(ingest_openapi()),
    }
