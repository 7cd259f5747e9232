"""Entry point: ``python -m meeting_core.main``."""

from chassis.health import Health
from chassis.http import serve

from meeting_core.bootstrap import create_app
from meeting_core.settings import Settings


def main() -> None:
    settings, health = Settings(), Health()
    serve(create_app(settings, health), settings, health)


if __name__ == "__main__":
    main()
