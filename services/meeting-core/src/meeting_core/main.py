"""Entry point: ``python -m meeting_core.main``."""

from chassis.http.server import serve
from chassis.telemetry.health import Health

from meeting_core.bootstrap import create_app
from meeting_core.settings import Settings


def main() -> None:
    settings, health = Settings(), Health()
    serve(create_app(settings, health), settings, health)


if __name__ == "__main__":
    main()
