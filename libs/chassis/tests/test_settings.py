"""What a service says about settings that it cannot use."""

import pytest
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
