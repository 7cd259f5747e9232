"""Options for clients that speak plain http only, as all do that are meant for a simulator."""

import ssl
from typing import Any

PLAIN: dict[str, Any] = {"trust_env": False, "timeout": 30, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}
"""For ``httpx.Client``: no certificates are read (30 ms of work for each client)."""
