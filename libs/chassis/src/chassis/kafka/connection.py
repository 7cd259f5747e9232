"""The one way to the brokers: every Kafka client of the platform is made with these options."""

from typing import Any, cast

from aiokafka.abc import AbstractTokenProvider
from faststream.security import BaseSecurity, SASLOAuthBearer, SASLPlaintext, SASLScram256, SASLScram512
from pydantic import SecretStr

from chassis.kafka.closed_connections import expect_closed_connections
from chassis.kafka.oauth import ClientCredentialsTokens
from chassis.kafka.settings import KafkaSettings, SaslMechanism

expect_closed_connections()
_LOGINS = {
    SaslMechanism.PLAIN: SASLPlaintext,
    SaslMechanism.SCRAM_SHA_256: SASLScram256,
    SaslMechanism.SCRAM_SHA_512: SASLScram512,
}


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """What an aiokafka client is made with to reach the brokers of these settings."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": settings.kafka_security_protocol.value,
        "ssl_context": settings.tls_context(),
    }
    if settings.kafka_sasl_mechanism is not None:
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism.value
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = _revealed(settings.kafka_sasl_password)
        options["sasl_oauth_token_provider"] = token_provider(settings)
    return options


def faststream_options(settings: KafkaSettings) -> dict[str, Any]:
    """The same for FastStream's broker, which has its own names for them."""
    return {
        "bootstrap_servers": settings.bootstrap_servers,
        "security": _faststream_security(settings),
        "sasl_oauth_token_provider": token_provider(settings),
    }


def token_provider(settings: KafkaSettings) -> AbstractTokenProvider | None:
    """None unless the mechanism is OAUTHBEARER."""
    if settings.kafka_sasl_mechanism is not SaslMechanism.OAUTHBEARER:
        return None
    return ClientCredentialsTokens(
        cast("str", settings.kafka_oauth_token_url),
        cast("str", settings.kafka_oauth_client_id),
        cast("str", _revealed(settings.kafka_oauth_client_secret)),
        scope=settings.kafka_oauth_scope,
        tls=settings.oauth_tls_context(),
    )


def _faststream_security(settings: KafkaSettings) -> BaseSecurity:
    tls = settings.tls_context()
    match settings.kafka_sasl_mechanism:
        case None:
            return BaseSecurity(ssl_context=tls, use_ssl=tls is not None)
        case SaslMechanism.OAUTHBEARER:
            return SASLOAuthBearer(ssl_context=tls, use_ssl=tls is not None)
        case mechanism:
            return _LOGINS[mechanism](
                username=settings.kafka_sasl_username or "",
                password=_revealed(settings.kafka_sasl_password) or "",
                ssl_context=tls,
                use_ssl=tls is not None,
            )


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
