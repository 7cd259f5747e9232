"""Entry point: ``python -m webhook_ingest.main``."""

from chassis.http.server import serve
from chassis.telemetry.health import Health

from webhook_ingest.bootstrap import create_app
from webhook_ingest.settings import Settings


def main() -> None:
    settings, health = Settings(), Health()
    serve(create_app(settings, health), settings, health)


if __name__ == "__main__":
    main()
