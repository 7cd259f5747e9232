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
from docgen.services import SERVICES
from dotenv import dotenv_values
from localrun.keys import Keys

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<operator>:[-?])(?P<word>[^}]*))?\}")
Manifest = dict[str, Any]

FOR_LIBRARIES = {"FORWARDED_ALLOW_IPS", "OAUTHLIB_INSECURE_TRANSPORT"}
"""Variables that are no setting of ours: uvicorn's (https://www.uvicorn.org/settings/, "HTTP") and oauthlib's."""


def kustomized(folder: Path) -> list[Manifest]:
    """What ``kubectl apply -k`` would send."""
    kubectl = Path(sys.executable).with_name("kubectl")
    command = [kubectl, "kustomize", folder]
    rendered = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert rendered.returncode == 0, rendered.stderr
    return list(yaml.safe_load_all(rendered.stdout))


def demo_environment() -> dict[str, str]:
    """The variables of the demonstration."""
    return {name: value or "" for name, value in dotenv_values(ROOT / "deploy/demo.env").items()}


def compose(environment: Mapping[str, str]) -> dict[str, Any]:
    """The compose file with its variables replaced, as with this environment and no other.

    Raises:
        KeyError: the variable of this name has no default and is not in the environment.
    """
    return dict(_interpolated(yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8")), environment))


def _interpolated(node: Any, environment: Mapping[str, str]) -> Any:
    """Values are filled in after the file was read as YAML, so they stay strings (compose-spec, "Interpolation")."""

    def value(variable: re.Match[str]) -> str:
        name, operator, word = variable["name"], variable["operator"], variable["word"] or ""
        if environment.get(name):
            return environment[name]
        if operator == ":-":
            return word
        raise KeyError(name)

    match node:
        case dict():
            return {key: _interpolated(below, environment) for key, below in node.items()}
        case list():
            return [_interpolated(below, environment) for below in node]
        case str():
            return _VARIABLE.sub(value, node)
    return node


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
