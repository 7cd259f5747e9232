"""deploy/k8s, judged without a cluster: rendered by kubectl, checked by Kubernetes' schemas and the services' needs."""

import re
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
from chassis.provision import ProvisioningSettings
from contracts.transport.topics import TOPICS
from docgen import services

from tests.deployment.rehearsal import page
from tests.support.deployment import (
    FOR_LIBRARIES,
    ROOT,
    Manifest,
    kustomized,
    pod_environment,
    settings_of,
    started_with,
    workloads,
)

NAMES = [service.name for service in services.SERVICES]
CONSUMERS = sorted({group for topic in TOPICS for group in topic.readers} - {"api-gateway", "webhook-ingest"})
OUTSIDE = ("edge", "prometheus", "kafka", "mongodb", "telemetry", "directory", "smtp", "imap", "receiving-mail")
INSTALLATION = kustomized(ROOT / "deploy/k8s/overlays/example")
TEMPLATES = {manifest["metadata"]["name"]: template for manifest, template in workloads(INSTALLATION)}


def named(kind: str, name: str) -> Manifest:
    (found,) = (one for one in INSTALLATION if one["kind"] == kind and one["metadata"]["name"] == name)
    return found


def container(name: str) -> dict[str, Any]:
    (only,) = TEMPLATES[name]["spec"]["containers"]
    found: dict[str, Any] = only
    return found


def port(name: str) -> int:
    (only,) = (one for one in container(name)["ports"] if one["name"] == "http")
    number: int = only["containerPort"]
    return number


@pytest.mark.parametrize("manifest", INSTALLATION, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_it_is_what_kubernetes_describes(manifest: Manifest) -> None:
    kubernetes_validate.validate(manifest, "1.37", strict=True)


def test_a_misspelt_field_would_be_noticed() -> None:
    manifest = named("PodDisruptionBudget", "api-gateway")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest | {"spec": manifest["spec"] | {"maxUnavailble": 1}}, "1.37", strict=True)


def test_base_alone_renders_and_names_no_namespace() -> None:
    base = kustomized(ROOT / "deploy/k8s/base")
    assert {manifest["metadata"].get("namespace") for manifest in base} == {None}


def test_everything_is_in_a_namespace_that_is_made_first() -> None:
    namespace = INSTALLATION[0]  # kubectl applies in this order
    assert (namespace["kind"], namespace["metadata"]["name"]) == ("Namespace", "meetings")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {manifest["metadata"]["namespace"] for manifest in INSTALLATION[1:]} == {"meetings"}


def test_rendering_twice_gives_the_same() -> None:
    assert kustomized(ROOT / "deploy/k8s/overlays/example") == INSTALLATION


def test_guests_need_the_token_of_their_mail() -> None:
    assert pod_environment(TEMPLATES["api-gateway"], INSTALLATION)["RSVP_TOKEN_POLICY"] == "required"


def test_every_service_runs_and_topics_are_made() -> None:
    assert set(TEMPLATES) == {*NAMES, "topics"}


# --- the environment of pods


@pytest.mark.parametrize("name", NAMES)
def test_every_service_starts_with_its_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = pod_environment(TEMPLATES[name], INSTALLATION)
    own = {variable["name"] for variable in container(name)["env"]}
    assert own <= settings_of(name) | FOR_LIBRARIES
    shared = given.keys() - own
    assert shared <= set().union(*map(settings_of, NAMES))
    settings = started_with(name, given, monkeypatch)
    assert settings.service_name == name
    assert settings.http_port == port(name)


def test_topics_are_made_by_settings_of_the_job() -> None:
    given = pod_environment(TEMPLATES["topics"], INSTALLATION)
    assert set(given) <= {field.upper() for field in ProvisioningSettings.model_fields}
    assert given["KAFKA_REPLICATION_FACTOR"] == "3"
    assert (
        given["KAFKA_BOOTSTRAP_SERVERS"]
        == pod_environment(TEMPLATES["meeting-core"], INSTALLATION)["KAFKA_BOOTSTRAP_SERVERS"]
    )


@pytest.mark.parametrize("name", NAMES)
def test_secrets_are_references(name: str) -> None:
    secret = {
        field.upper()
        for service in services.SERVICES
        if service.name == name
        for field, described in service.settings.model_fields.items()
        if "SecretStr" in str(described.annotation)
    } | {"MONGODB_URI"}
    for variable in container(name)["env"]:
        assert (variable["name"] in secret) <= ("secretKeyRef" in variable.get("valueFrom", {}))
    shared = {key for one in INSTALLATION if one["kind"] == "ConfigMap" for key in one["data"]}
    assert shared.isdisjoint(secret)


def test_the_page_makes_every_secret_that_pods_refer_to() -> None:
    lines = page.commands("make rehearsal-kubernetes").replace("\\\n", "").splitlines()
    made = {
        (line.split()[1], key)
        for line in lines
        if line.startswith("secret ")
        for key in re.findall(r"--from-literal=([\w-]+)=", line)
    }
    referred = {
        (reference["name"], reference["key"])
        for template in TEMPLATES.values()
        for variable in template["spec"]["containers"][0].get("env", [])
        if (reference := variable.get("valueFrom", {}).get("secretKeyRef"))
    }
    assert made == referred


def test_no_manifest_is_a_secret() -> None:
    assert [one for one in INSTALLATION if one["kind"] == "Secret"] == []


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_consumer_is_the_same_member_after_a_restart(name: str) -> None:
    stateful_set = named("StatefulSet", name)  # its pods keep their names
    assert stateful_set["spec"]["serviceName"] == name
    (variable,) = (one for one in container(name)["env"] if one["name"] == "KAFKA_GROUP_INSTANCE_ID")
    assert variable["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_internal_addresses_lead_to_services() -> None:
    given = pod_environment(TEMPLATES["api-gateway"], INSTALLATION)
    for variable, name in (("MEETING_CORE_URL", "meeting-core"), ("CALENDAR_SYNC_URL", "calendar-sync")):
        (exposed,) = named("Service", name)["spec"]["ports"]
        assert given[variable] == f"http://{name}:{exposed['port']}"


# --- how pods run


@pytest.mark.parametrize("name", NAMES)
def test_a_service_selects_its_own_pods(name: str) -> None:
    labels = TEMPLATES[name]["metadata"]["labels"]
    spec = named("Service", name)["spec"]
    assert spec["selector"].items() <= labels.items()
    mail = [{"name": "mail", "port": 8125, "targetPort": "mail"}] if name == "invitations" else []
    assert spec["ports"] == [{"name": "http", "port": port(name), "targetPort": "http"}, *mail]


@pytest.mark.parametrize("name", NAMES)
def test_every_service_is_probed(name: str) -> None:
    probes = {probe: container(name)[f"{probe}Probe"]["httpGet"] for probe in ("startup", "liveness", "readiness")}
    assert {probe: get["path"] for probe, get in probes.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    assert {get["port"] for get in probes.values()} == {"http"}


@pytest.mark.parametrize("name", [*NAMES, "topics"])
def test_every_pod_is_restricted(name: str) -> None:
    """The Pod Security Standard "restricted" (kubernetes.io/docs/concepts/security/pod-security-standards)."""
    pod = TEMPLATES[name]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    assert [set(volume) - {"name"} for volume in pod["volumes"]] == [{"emptyDir"}]
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"^USER ([1-9]\d*)$", dockerfile, re.MULTILINE)) == {str(pod["securityContext"]["runAsUser"])}


@pytest.mark.parametrize("name", [*NAMES, "topics"])
def test_every_pod_is_bounded(name: str) -> None:
    resources = container(name)["resources"]
    assert resources["requests"].keys() == resources["limits"].keys() == {"cpu", "memory"}


@pytest.mark.parametrize("name", NAMES)
def test_a_pod_has_time_to_drain(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drain = started_with(name, pod_environment(TEMPLATES[name], INSTALLATION), monkeypatch).drain_timeout
    before = container(name)["lifecycle"]["preStop"]["sleep"]["seconds"]
    # Requests get all of it, then consumers and workers half of it each (chassis.http.app.serve, each bootstrap.py).
    assert TEMPLATES[name]["spec"]["terminationGracePeriodSeconds"] >= before + 2 * drain


@pytest.mark.parametrize("name", NAMES)
def test_replicas_are_spread_and_kept(name: str) -> None:
    labels = TEMPLATES[name]["metadata"]["labels"]
    budget = named("PodDisruptionBudget", name)["spec"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    assert budget["maxUnavailable"] < named("HorizontalPodAutoscaler", name)["spec"]["minReplicas"]
    spread = TEMPLATES[name]["spec"]["topologySpreadConstraints"]
    assert {one["topologyKey"] for one in spread} == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    for one in spread:
        assert one["labelSelector"]["matchLabels"].items() <= labels.items()
        assert one["matchLabelKeys"] == ["app.kubernetes.io/name"]


@pytest.mark.parametrize("name", NAMES)
def test_replicas_follow_the_load(name: str) -> None:
    scaler = named("HorizontalPodAutoscaler", name)["spec"]
    target = scaler["scaleTargetRef"]
    assert named(target["kind"], target["name"])["apiVersion"] == target["apiVersion"]
    assert "replicas" not in named(target["kind"], name)["spec"]  # it would undo the scaler's work at every roll-out
    lag = [metric["external"]["metric"] for metric in scaler["metrics"] if metric["type"] == "External"]
    if name in CONSUMERS:
        assert lag == [{"name": "meetings_consumer_lag", "selector": {"matchLabels": {"group": name}}}]
        assert scaler["maxReplicas"] == max(topic.partitions for topic in TOPICS if name in topic.readers)
    else:
        assert lag == []


# --- who may talk to whom


def selects(selector: Manifest, name: str) -> bool:
    """Whether a pod selector picks the pods of a workload."""
    labels = TEMPLATES[name]["metadata"]["labels"]
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(rule["key"]) in rule["values"] for rule in selector.get("matchExpressions", [])
    )


def peers(rule: list[Manifest]) -> Iterator[str]:
    """The names of who is meant: workloads, kinds of namespaces outside, DNS, addresses."""
    for peer in rule:
        match peer:
            case {"ipBlock": {"cidr": str(cidr)}}:
                yield cidr
            case {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                "podSelector": _,
            }:
                yield "dns"
            case {"namespaceSelector": {"matchLabels": labels}}:
                (label,) = labels.items()
                yield next(role for role in OUTSIDE if label == (f"meetings/{role}", "allowed"))
            case {"podSelector": selector}:
                yield from (name for name in TEMPLATES if selects(selector, name))


def ways(direction: str, side: str) -> set[tuple[str, str, int | str]]:
    """(workload, peer, port) for all that the policies allow; the port "any" when they name none."""
    return {
        (name, peer, port(name) if allowed["port"] == "http" else allowed["port"])
        for policy in INSTALLATION
        if policy["kind"] == "NetworkPolicy"
        for name in TEMPLATES
        if selects(policy["spec"]["podSelector"], name)
        for rule in policy["spec"].get(direction, [])
        for peer in peers(rule[side])
        for allowed in rule.get("ports", [{"port": "any"}])
        if allowed["port"] != "http" or "ports" in container(name)
    }


def test_pods_let_in_nothing_but_this() -> None:
    assert ways("ingress", "from") == {
        ("api-gateway", "edge", 8080),
        ("webhook-ingest", "edge", 8081),
        ("meeting-core", "api-gateway", 8091),
        ("invitations", "receiving-mail", 8125),
        ("meeting-core", "invitations", 8091),
        ("meeting-core", "calendar-sync", 8091),
        ("calendar-sync", "api-gateway", 8093),
        *((name, "prometheus", port(name)) for name in NAMES),
    }


def test_pods_let_out_nothing_but_this() -> None:
    assert ways("egress", "to") == {
        *((name, *to) for name in TEMPLATES for to in (("dns", 53), ("kafka", 9092), ("telemetry", 4318))),
        *((name, "mongodb", 27017) for name in ("meeting-core", "invitations", "calendar-sync")),
        ("api-gateway", "meeting-core", 8091),
        ("api-gateway", "calendar-sync", 8093),
        ("api-gateway", "directory", "any"),
        ("invitations", "meeting-core", 8091),
        ("calendar-sync", "meeting-core", 8091),
        ("invitations", "smtp", 587),
        ("invitations", "smtp", 465),
        ("invitations", "imap", 993),
        ("calendar-sync", "0.0.0.0/0", 443),
        ("calendar-sync", "::/0", 443),
    }


def test_only_services_behind_the_edge_trust_forwarded_addresses() -> None:
    trusting = {name for name in NAMES if "FORWARDED_ALLOW_IPS" in pod_environment(TEMPLATES[name], INSTALLATION)}
    assert trusting == {name for name, peer, _ in ways("ingress", "from") if peer == "edge"}


def test_what_no_policy_allows_is_denied() -> None:
    policy = named("NetworkPolicy", "nothing-else")["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert all(selects(policy["podSelector"], name) for name in TEMPLATES)
    assert "ingress" not in policy
    assert "egress" not in policy


def test_calendar_sync_cannot_reach_private_addresses() -> None:
    (rule,) = named("NetworkPolicy", "calendar-sync")["spec"]["egress"]
    excepted = {network for peer in rule["to"] for network in peer["ipBlock"]["except"]}
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7"} <= excepted


# --- the one base URL


def route(path: str) -> str | None:
    """The service to which the Ingress sends a path: the longest prefix of whole elements wins."""
    rules = [rule for one in named("Ingress", "meetings")["spec"]["rules"] for rule in one["http"]["paths"]]
    fitting = [rule for rule in rules if f"{path}/".startswith(f"{rule['path']}/")]
    longest = max(fitting, key=lambda rule: len(rule["path"]), default=None)
    return longest and longest["backend"]["service"]["name"]


def test_the_base_url_leads_to_all_that_is_public() -> None:
    for path in services.gateway_openapi()["paths"]:
        assert route(path) == "api-gateway"
    for path in services.ingest_openapi()["paths"]:
        assert route(path) == "webhook-ingest"
    for path in ("/docs", "/docs/filters", "/openapi.json", "/static-offline-docs/swagger-ui.css"):
        assert route(path) == "api-gateway"


def test_the_base_url_does_not_lead_to_what_is_internal() -> None:
    caddy = (ROOT / "deploy/edge/Caddyfile").read_text(encoding="utf-8")
    (internal,) = re.findall(r"@internal path (.+)", caddy)
    for path in (*internal.replace("*", "meetings").split(), "/"):
        assert route(path) is None
