"""The Calendar v3 discovery document that google-api-python-client ships, read once.

Format: developers.google.com/discovery/v1/reference/apis
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from simulators.google.state import Json


@dataclass(frozen=True)
class Method:
    """One API method: ``name`` as in ``events.insert``; ``request``/``response`` are schema names or None."""

    name: str
    verb: str
    path: str
    parameters: Json
    scopes: frozenset[str]
    request: str | None
    response: str | None


@cache
def document() -> Json:
    """The discovery document."""
    folder = files("googleapiclient.discovery_cache") / "documents"
    loaded: Json = json.loads((folder / "calendar.v3.json").read_text(encoding="utf-8"))
    return loaded


@cache
def methods() -> tuple[Method, ...]:
    """Every method of the API; those with a literal last path segment before those with a variable one."""
    doc = document()
    found = []
    for resource, part in doc["resources"].items():
        for name, described in part["methods"].items():
            found.append(
                Method(
                    name=f"{resource}.{name}",
                    verb=described["httpMethod"],
                    path=f"/{doc['servicePath']}{described['path']}",
                    parameters=doc["parameters"] | described.get("parameters", {}),
                    scopes=frozenset(described["scopes"]),
                    request=described.get("request", {}).get("$ref"),
                    response=described.get("response", {}).get("$ref"),
                )
            )
    return tuple(sorted(found, key=lambda method: method.path.endswith("}")))
