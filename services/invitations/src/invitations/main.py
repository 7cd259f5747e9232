"""Entry point: ``python -m invitations.main``."""

from chassis.http.server import serve
from chassis.telemetry.health import Health

from invitations.bootstrap import create_app
from invitations.settings import Settings


def main() -> None:
    settings, health = Settings(), Health()
    serve(create_app(settings, health), settings, health)


if __name__ == "__main__":
    main()
