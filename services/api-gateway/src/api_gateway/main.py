"""Entry point: ``python -m api_gateway.main``."""

from chassis.http.server import serve
from chassis.telemetry.health import Health

from api_gateway.bootstrap import create_app
from api_gateway.settings import Settings


def main() -> None:
    settings, health = Settings(), Health()
    serve(create_app(settings, health), settings, health)


if __name__ == "__main__":
    main()
