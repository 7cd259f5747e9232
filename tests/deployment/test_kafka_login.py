"""deploy/k8s/components/kafka-login: with it, each pod reaches Kafka by TLS and as a user of its own."""

import os
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from chassis.kafka.acls import PROVISIONING
from chassis.kafka.settings import KafkaSettings
from contracts.transport.topics import API_GATEWAY, CALENDAR_SYNC, INVITATIONS, MEETING_CORE, WEBHOOK_INGEST

from tests.support.deployment import ROOT, Manifest, kustomized, workloads

USERS = {name: name for name in (API_GATEWAY, CALENDAR_SYNC, INVITATIONS, MEETING_CORE, WEBHOOK_INGEST)}
USERS["topics"] = PROVISIONING


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    folder = tmp_path_factory.mktemp("overlay")
    (folder / "kustomization.yaml").write_text(
        f"resources: [{_relative('overlays/example', folder)}]\n"
        f"components: [{_relative('components/kafka-login', folder)}]\n"
        "namespace: meetings\n"
    )
    return kustomized(folder)


def test_it_is_what_kubernetes_describes(installation: list[Manifest]) -> None:
    for manifest in installation:
        kubernetes_validate.validate(manifest, "1.37", strict=True)
    assert {manifest["metadata"]["name"] for manifest, _ in workloads(installation)} == {*USERS, "acls"}


@pytest.mark.parametrize("name", USERS)
def test_each_has_its_own_login(installation: list[Manifest], name: str) -> None:
    container = _container(installation, name)
    told = {variable["name"]: variable for variable in container["env"] if variable["name"].startswith("KAFKA_S")}
    assert told["KAFKA_SASL_USERNAME"]["value"] == USERS[name]
    reference = told["KAFKA_SASL_PASSWORD"]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": "meetings-kafka", "key": USERS[name]}
    _speaks_tls(container)


def test_the_acls_are_made_by_a_user_whose_secret_no_other_pod_has(installation: list[Manifest]) -> None:
    for manifest, template in workloads(installation):
        name, text = manifest["metadata"]["name"], str(template)
        assert ("meetings-kafka-admin" in text) == (name == "acls"), name
    _speaks_tls(_container(installation, "acls"))


def _speaks_tls(container: dict[str, Any]) -> None:
    told = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert (told["KAFKA_SECURITY_PROTOCOL"], told["KAFKA_SASL_MECHANISM"]) == ("SASL_SSL", "SCRAM-SHA-512")
    known = {name.upper() for name in KafkaSettings.model_fields}
    assert {name for name in told if name.startswith(("KAFKA_SASL", "KAFKA_SSL", "KAFKA_SEC"))} <= known
    [mount] = [mount for mount in container["volumeMounts"] if mount["name"] == "kafka"]
    assert told["KAFKA_SSL_CA_FILE"] == f"{mount['mountPath']}/ca.pem"


def _container(installation: list[Manifest], name: str) -> dict[str, Any]:
    [template] = [template for manifest, template in workloads(installation) if manifest["metadata"]["name"] == name]
    [only] = template["spec"]["containers"]
    found: dict[str, Any] = only
    return found


def _relative(path: str, folder: Path) -> str:
    return os.path.relpath(ROOT / "deploy/k8s" / path, folder)
