"""Entry point: ``python -m calendar_sync.main``."""

from chassis.http.server import serve
from chassis.telemetry.health import Health

from calendar_sync.bootstrap import create_app
from calendar_sync.settings import Settings


def main() -> None:
    settings, health = Settings(), Health()
    serve(create_app(settings, health), settings, health)


if __name__ == "__main__":
    main()
