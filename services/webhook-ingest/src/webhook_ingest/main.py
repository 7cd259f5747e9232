"""Entry point: ``python -m webhook_ingest.main``."""

from chassis.health import Health
from chassis.http import serve

from webhook_ingest.bootstrap import create_app
from webhook_ingest.settings import Settings


def main() -> None:
    settings, health = Settings(), Health()
    serve(create_app(settings, health), settings, health)


if __name__ == "__main__":
    main()
