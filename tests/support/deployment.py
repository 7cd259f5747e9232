"""The deployment files as they are after their tools have read them, for tests."""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from chassis.settings import ServiceSettings
from dotenv import dotenv_values
from localrun.keys import Keys

from docs.generate.services import SERVICES

ROOT = Path(__file__).parents[2]
Manifest = dict[str, Any]

FOR_LIBRARIES = {"FORWARDED_ALLOW_IPS"}
"""Variables that are no setting of ours: uvicorn reads it (https://www.uvicorn.org/settings/, "HTTP")."""


def kustomized(folder: Path) -> list[Manifest]:
    """What ``kubectl apply -k`` would send."""
    kubectl = Path(sys.executable).with_name("kubectl")
    command = [kubectl, "kustomize", folder]
    rendered = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert rendered.returncode == 0, rendered.stderr
    return list(yaml.safe_load_all(rendered.stdout))


def compose() -> dict[str, Any]:
    """The compose file with its variables replaced by their defaults, as without any environment."""
    loaded: dict[str, Any] = _interpolated(yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    return loaded


def _interpolated(node: Any) -> Any:
    """Values are filled in after the file was read as YAML, so they stay strings (compose-spec, "Interpolation")."""
    match node:
        case dict():
            return {key: _interpolated(value) for key, value in node.items()}
        case list():
            return [_interpolated(value) for value in node]
        case str():
            filled = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", node)
            assert "${" not in filled, f"a variable without a default: {node}"
            return filled
    return node


def compose_environment(service: Mapping[str, Any]) -> dict[str, str]:
    """What a container of a compose service finds: its files, and over them its own variables."""
    files = (dotenv_values(ROOT / file) for file in service.get("env_file", []))
    own: dict[str, str] = service.get("environment", {})
    return {name: value or "" for file in files for name, value in file.items()} | own


def workloads(manifests: Iterable[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """Every manifest that makes pods, and the template of its pods."""
    for manifest in manifests:
        if manifest["kind"] in {"Deployment", "StatefulSet", "Job"}:
            yield manifest, manifest["spec"]["template"]


def pod_environment(template: Manifest, manifests: Iterable[Manifest]) -> dict[str, str]:
    """What a container of the pod finds; secrets, which nothing in the repository knows, are made up."""
    maps = {one["metadata"]["name"]: one["data"] for one in manifests if one["kind"] == "ConfigMap"}
    (container,) = template["spec"]["containers"]
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]
    for variable in container.get("env", []):
        found[variable["name"]] = _value(variable, maps)
    return found


def _value(variable: Manifest, maps: Mapping[str, Mapping[str, str]]) -> str:
    match variable:
        case {"value": str(value)}:
            return value
        case {"valueFrom": {"configMapKeyRef": {"name": name, "key": key}}}:
            return maps[name][key]
        case {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}:
            return "pod-0"
        case {"name": name, "valueFrom": {"secretKeyRef": {"name": _, "key": _}}}:
            return str(getattr(Keys(), name.lower(), "made-up"))
    raise AssertionError(f"not understood: {variable}")


def started_with(name: str, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    """The settings of a service that finds this environment and nothing else.

    Raises:
        pydantic.ValidationError: it would not start.
    """
    settings = next(service.settings for service in SERVICES if service.name == name)
    with monkeypatch.context() as alone:
        for field in settings.model_fields:
            alone.delenv(field.upper(), raising=False)
        for variable, value in environment.items():
            alone.setenv(variable, value)
        return settings()


def settings_of(name: str) -> set[str]:
    """The environment variables that a service reads."""
    settings = next(service.settings for service in SERVICES if service.name == name)
    return {field.upper() for field in settings.model_fields}
