"""``python -m simulators.microsoft``: serve the Microsoft simulator."""

from simulators.common.serve import serve
from simulators.microsoft.app import create_app
from simulators.microsoft.settings import Settings

if __name__ == "__main__":
    settings = Settings()
    serve(create_app(settings), settings)
