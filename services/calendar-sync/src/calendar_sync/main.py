"""Entry point: ``python -m calendar_sync.main``."""

from chassis.health import Health
from chassis.http import serve

from calendar_sync.bootstrap import create_app
from calendar_sync.settings import Settings


def main() -> None:
    settings, health = Settings(), Health()
    serve(create_app(settings, health), settings, health)


if __name__ == "__main__":
    main()
