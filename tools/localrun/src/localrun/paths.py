"""Where things stand in the repository; this package always runs from a checkout."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[4]
DEPLOY = REPOSITORY / "deploy"
