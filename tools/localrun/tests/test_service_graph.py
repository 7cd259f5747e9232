"""The graph: who is told what, and which setting wins."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from localrun.keys import Keys
from localrun.platform import Platform
from localrun.ports import Ports
from localrun.service_graph import ServiceGraph


@pytest.fixture
def graph(tmp_path: Path) -> ServiceGraph:
    return ServiceGraph(ports=Ports(), keys=Keys(), state_dir=tmp_path, kafka="k:1", tansu=True, mongodb="mongodb://m")


def test_those_who_must_agree_get_the_same_secret(graph: ServiceGraph) -> None:
    parts = {part.name: part.env for part in (*graph.simulators(), *graph.workers(), *graph.edge_services())}
    assert parts["platform"]["JWT_HS256_SECRET"] == parts["api-gateway"]["JWT_HS256_SECRET"]
    assert parts["invitations"]["RSVP_TOKEN_KEYS"] == parts["api-gateway"]["RSVP_TOKEN_KEYS"]
    assert parts["google"]["GOOGLE_CLIENT_SECRET"] == parts["calendar-sync"]["GOOGLE_CLIENT_SECRET"]
    assert parts["microsoft"]["MICROSOFT_CLIENT_SECRET"] == parts["calendar-sync"]["MICROSOFT_CLIENT_SECRET"]
    assert parts["mail"]["SMTP_PORT"] == parts["invitations"]["SMTP_PORT"]
    services = [parts[part.name] for part in (*graph.workers(), *graph.edge_services())]
    assert {env["INTERNAL_TOKEN"] for env in services} == {graph.keys.internal_token}
    assert {env["KAFKA_BOOTSTRAP_SERVERS"] for env in services} == {"k:1"}


def test_no_simulator_is_told_a_secret_of_the_services(graph: ServiceGraph) -> None:
    keys = graph.keys
    for part in graph.simulators():
        assert {keys.internal_token, keys.rsvp_token_keys, keys.token_encryption_keys}.isdisjoint(part.env.values())


def test_secrets_do_not_show_in_a_parts_representation(graph: ServiceGraph) -> None:
    assert graph.keys.internal_token not in repr([*graph.workers(), *graph.edge_services()])


def platform(state_dir: Path, environ: Mapping[str, str], **overrides: Mapping[str, str]) -> Platform:
    return Platform(
        state_dir,
        Ports(),
        kafka="tansu",
        environ=environ,
        env_overrides=overrides,
        report=lambda _: None,
        waiting=lambda _: None,
    )


def test_overrides_win_over_the_wiring_which_wins_over_the_callers_environment(tmp_path: Path) -> None:
    made = platform(
        tmp_path,
        {"LOG_LEVEL": "DEBUG", "HTTP_PORT": "1", "NO_PROXY": "intranet"},
        invitations={"HTTP_HOST": "127.0.0.2"},
    )
    wired, defaults = (
        {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": "8092"},
        {"LOG_LEVEL": "INFO", "MAIL_FROM": "a@example.com"},
    )
    env = made._factory._env("invitations", wired, defaults)
    assert env["LOG_LEVEL"] == "DEBUG"  # over the default
    assert env["HTTP_PORT"] == "8092"
    assert env["HTTP_HOST"] == "127.0.0.2"
    assert env["MAIL_FROM"] == "a@example.com"
    assert env["NO_PROXY"] == "intranet,127.0.0.1"
    assert made._factory._env("mail", {})["NO_PROXY"] == "intranet,127.0.0.1"


def test_own_servers_win_and_then_none_is_started(tmp_path: Path) -> None:
    environ = {"KAFKA_BOOTSTRAP_SERVERS": "kafka.example:9092", "MONGODB_URI": "mongodb://db.example/?replicaSet=x"}
    made = platform(tmp_path, environ)
    assert list(made._infrastructure()) == []
    assert made._graph.kafka == "kafka.example:9092"
    assert made._graph.mongodb == "mongodb://db.example/?replicaSet=x"
    assert not made._graph.tansu
    assert [process.name for process in platform(tmp_path, {})._infrastructure()] == ["mongodb", "kafka"]
