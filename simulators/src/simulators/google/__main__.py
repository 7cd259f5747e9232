"""``python -m simulators.google``: serve the Google simulator."""

from simulators.common.serve import serve
from simulators.google.app import create_app
from simulators.google.settings import Settings

if __name__ == "__main__":
    settings = Settings()
    serve(create_app(settings), settings)
