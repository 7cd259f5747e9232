"""What a service says about settings that it cannot use."""

import pytest
from chassis.kafka.settings import KafkaSettings
from chassis.settings import ServiceSettings
from pydantic import SecretStr, ValidationError, field_validator


class Picky(ServiceSettings):
    service_name: str = "picky"
    http_port: int = 1
    internal_token: SecretStr = SecretStr("known")
    signing_key: SecretStr

    @field_validator("signing_key")
    @classmethod
    def _never_good(cls, _key: SecretStr) -> SecretStr:
        raise ValueError("is too short")


def test_a_wrong_secret_is_named_but_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNING_KEY", "open sesame")
    with pytest.raises(ValidationError) as raised:
        Picky()
    assert "signing_key" in str(raised.value)
    assert "is too short" in str(raised.value)
    assert "sesame" not in str(raised.value)


@pytest.mark.parametrize("servers", ["a:1,b:2", " a:1 , b:2 ", "a:1,,b:2,"])
def test_several_brokers_are_several_however_they_are_written(servers: str) -> None:
    assert KafkaSettings(kafka_bootstrap_servers=servers).bootstrap_servers == ["a:1", "b:2"]


@pytest.mark.parametrize("servers", [" ", ",", " , "])
def test_no_broker_at_all_is_refused_at_start(servers: str) -> None:
    with pytest.raises(ValidationError, match="names no server"):
        KafkaSettings(kafka_bootstrap_servers=servers)
