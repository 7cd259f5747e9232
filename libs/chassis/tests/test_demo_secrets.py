"""The published secrets of demonstrations are recognised."""

import base64

import pytest
from chassis.demo_secrets import is_demo_secret
from chassis.settings import ServiceSettings
from pydantic import SecretStr, ValidationError


class Settings(ServiceSettings):
    service_name: str = "test"
    http_port: int = 1
    keys: SecretStr = SecretStr("")


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "secret",
    ["demo-x", encoded("demo-key"), encoded("demo-key").rstrip("="), f"{encoded('own key')},{encoded('demo-key')}"],
)
def test_a_published_secret_is_refused_unless_it_is_a_demonstration(secret: str) -> None:
    assert is_demo_secret(secret)
    with pytest.raises(ValidationError, match="KEYS is a published secret") as refused:
        Settings(internal_token=SecretStr("own"), keys=SecretStr(secret))
    assert secret not in str(refused.value)
    Settings(internal_token=SecretStr("own"), keys=SecretStr(secret), demo=True)


@pytest.mark.parametrize("secret", ["", "a secret with a demo- inside", encoded("own key"), "é", "===", "demo"])
def test_other_secrets_are_not(secret: str) -> None:
    assert not is_demo_secret(secret)
    Settings(internal_token=SecretStr("own"), keys=SecretStr(secret))
