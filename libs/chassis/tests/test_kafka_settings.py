"""Settings of the connection to Kafka: what does not fit together is refused with a sentence that says why."""

from pathlib import Path

import pytest
import trustme
from chassis.kafka.connection import connection_options
from chassis.kafka.settings import KafkaSettings
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import ValidationError

PASSWORD = {"KAFKA_SASL_USERNAME": "meeting-core", "KAFKA_SASL_PASSWORD": "open sesame"}
OAUTH = {
    "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
    "KAFKA_OAUTH_TOKEN_URL": "https://login.example.com/token",
    "KAFKA_OAUTH_CLIENT_ID": "meeting-core",
    "KAFKA_OAUTH_CLIENT_SECRET": "open sesame",
}


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A client's files, and a key that is another certificate's."""
    folder, authority = tmp_path_factory.mktemp("pems"), trustme.CA()
    mine, other = authority.issue_cert("client"), authority.issue_cert("other")
    files = {
        "ca": authority.cert_pem,
        "cert": mine.cert_chain_pems[0],
        "key": mine.private_key_pem,
        "other": other.private_key_pem,
    }
    for name, blob in files.items():
        blob.write_to_path(folder / name)
    (folder / "nonsense").write_text("no PEM")
    return {path.name: str(path) for path in folder.iterdir()} | {"missing": str(folder / "missing")}


def settings(monkeypatch: pytest.MonkeyPatch, env: dict[str, str], pems: dict[str, str]) -> KafkaSettings:
    for name, value in env.items():
        monkeypatch.setenv(name, value.format(**pems))
    return KafkaSettings()


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "should be 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_SECURITY_PROTOCOL=SASL_SSL needs KAFKA_SASL_MECHANISM"),
        ({"KAFKA_SASL_MECHANISM": "PLAIN"} | PASSWORD, "needs KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT or SASL_SSL"),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SASL_MECHANISM": "PLAIN"} | PASSWORD,
            "needs KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT or SASL_SSL",
        ),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "GSSAPI"}, "kafka_sasl_mechanism"),
        (
            {
                "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
                "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
                "KAFKA_SASL_USERNAME": "a",
            },
            "KAFKA_SASL_MECHANISM=SCRAM-SHA-512 needs KAFKA_SASL_PASSWORD",
        ),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL"} | PASSWORD, "is not used with KAFKA_SASL_MECHANISM=(unset)"),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"} | OAUTH | {"KAFKA_OAUTH_TOKEN_URL": ""},
            "KAFKA_SASL_MECHANISM=OAUTHBEARER needs KAFKA_OAUTH_TOKEN_URL",
        ),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"} | OAUTH | {"KAFKA_OAUTH_TOKEN_URL": "http://login.example.com/"},
            "must be an https URL",
        ),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"} | OAUTH | PASSWORD, "is not used with KAFKA_SASL_MECHANISM=OAUTHB"),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_OAUTH_SCOPE": "kafka"}
            | PASSWORD,
            "KAFKA_OAUTH_SCOPE is not used with KAFKA_SASL_MECHANISM=PLAIN",
        ),
        ({"KAFKA_SSL_CA_FILE": "{ca}"}, "KAFKA_SSL_CA_FILE needs KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CERT_FILE": "{cert}"}, "need each other"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_KEY_FILE": "{key}"}, "need each other"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_KEY_PASSWORD": "x"}, "needs KAFKA_SSL_KEY_FILE"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_FILE": "{missing}"}, "No such file or directory: {missing}"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_FILE": "{nonsense}"}, "TLS: "),
        (
            {
                "KAFKA_SECURITY_PROTOCOL": "SSL",
                "KAFKA_SSL_CERT_FILE": "{cert}",
                "KAFKA_SSL_KEY_FILE": "{other}",
            },
            "TLS: KEY_VALUES_MISMATCH",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, pems: dict[str, str], env: dict[str, str], why: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        settings(monkeypatch, env, pems)
    assert why.format(**pems) in str(refusal.value)
    assert "sesame" not in str(refusal.value)


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"KAFKA_SECURITY_PROTOCOL": "SSL"},
        {
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_SSL_CA_FILE": "{ca}",
            "KAFKA_SSL_CERT_FILE": "{cert}",
            "KAFKA_SSL_KEY_FILE": "{key}",
        },
        {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM": "SCRAM-SHA-256"} | PASSWORD,
        {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SSL_CA_FILE": "{ca}"} | OAUTH,
        {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"} | OAUTH | {"KAFKA_OAUTH_TOKEN_URL": "http://127.0.0.1:1/token"},
    ],
)
async def test_what_fits_together_makes_a_connection(
    monkeypatch: pytest.MonkeyPatch, pems: dict[str, str], env: dict[str, str]
) -> None:
    given = settings(monkeypatch, env, pems)
    options = connection_options(given)
    assert options["security_protocol"] == env.get("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")
    assert (options["ssl_context"] is not None) == options["security_protocol"].endswith("SSL")
    assert options.get("sasl_mechanism") == env.get("KAFKA_SASL_MECHANISM")
    assert "sesame" not in f"{given!r} {given}"


def test_an_encrypted_key_without_its_password_is_refused(tmp_path: Path) -> None:
    mine = trustme.CA().issue_cert("client")
    mine.cert_chain_pems[0].write_to_path(tmp_path / "cert")
    key = load_pem_private_key(mine.private_key_pem.bytes(), None)
    (tmp_path / "key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"sesame"))
    )
    files = {"kafka_ssl_cert_file": tmp_path / "cert", "kafka_ssl_key_file": tmp_path / "key"}
    assert KafkaSettings.model_validate(
        {"kafka_security_protocol": "SSL", "kafka_ssl_key_password": "sesame", **files}
    ).tls_context()
    with pytest.raises(ValidationError, match="encrypted with another password"):
        KafkaSettings.model_validate({"kafka_security_protocol": "SSL", **files})
