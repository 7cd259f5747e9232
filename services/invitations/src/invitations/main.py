"""Entry point: ``python -m invitations.main``."""

from chassis.health import Health
from chassis.http import serve

from invitations.bootstrap import create_app
from invitations.settings import Settings


def main() -> None:
    settings, health = Settings(), Health()
    serve(create_app(settings, health), settings, health)


if __name__ == "__main__":
    main()
