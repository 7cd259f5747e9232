"""docker-compose.yml, judged without Docker: by the specification's schema, and by what the services need."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from docs.generate.services import SERVICES
from tests.support.deployment import (
    FOR_LIBRARIES,
    ROOT,
    compose,
    compose_environment,
    settings_of,
    started_with,
)

NAMES = [service.name for service in SERVICES]
CONTAINERS = compose()["services"]
FOR_THE_SIMULATED_GOOGLE = {"OAUTHLIB_INSECURE_TRANSPORT"}


def test_it_is_what_the_compose_specification_describes() -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec/compose-spec.json").read_text(encoding="utf-8"))
    errors = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(compose())]
    assert errors == []


@pytest.mark.parametrize("name", NAMES)
def test_every_service_starts_with_what_it_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = compose_environment(CONTAINERS[name])
    assert set(told) <= settings_of(name) | FOR_LIBRARIES | FOR_THE_SIMULATED_GOOGLE
    settings = started_with(name, told, monkeypatch)
    assert settings.service_name == name
    assert int(CONTAINERS[name]["stop_grace_period"].removesuffix("s")) > settings.drain_timeout


@pytest.mark.parametrize("name", NAMES)
def test_every_service_is_unprivileged(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"]
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]


def test_addresses_lead_to_the_ports_that_services_listen_on() -> None:
    ports = {name: compose_environment(CONTAINERS[name])["HTTP_PORT"] for name in NAMES}
    gateway = compose_environment(CONTAINERS["api-gateway"])
    assert gateway["MEETING_CORE_URL"] == f"http://meeting-core:{ports['meeting-core']}"
    assert gateway["CALENDAR_SYNC_URL"] == f"http://calendar-sync:{ports['calendar-sync']}"
    edge = (ROOT / "deploy/edge/Caddyfile").read_text(encoding="utf-8")
    for door in ("api-gateway", "webhook-ingest"):
        assert f"reverse_proxy {{${door.replace('-', '_').upper()}:{door}:{ports[door]}}} {{" in edge


def test_only_the_edge_is_published() -> None:
    published = {name for name, container in CONTAINERS.items() if "ports" in container and "profiles" not in container}
    assert published == {"edge"}


def test_files_that_containers_are_given_exist() -> None:
    mounts = [volume for container in CONTAINERS.values() for volume in container.get("volumes", [])]
    sources = [mount.partition(":")[0] for mount in mounts if mount.startswith("./")]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
