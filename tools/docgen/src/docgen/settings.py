"""The page about settings: every environment variable of every service."""

from types import NoneType
from typing import get_args

from chassis.acls import AclSettings
from chassis.kafka.settings import KafkaSettings
from chassis.provision import ProvisioningSettings
from chassis.settings import DatabaseSettings, ServiceSettings
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from docgen.files import Files
from docgen.markdown import code, page, table
from docgen.services import SERVICES, Service

PATH = "docs/generated/settings.md"
_HEAD = ("variable", "type", "default", "meaning")
_SHARED: tuple[type[KafkaSettings], ...] = (DatabaseSettings, ServiceSettings, KafkaSettings)
Fields = dict[str, FieldInfo]


def settings_files() -> Files:
    """The page about settings."""
    return {
        PATH: page(
            "Settings",
            "Every setting is an environment variable; an empty one counts as unset. Durations are in seconds unless "
            "the name says otherwise. What has no default must be set, else the service says so and does not start.",
            "## Whatever connects to Kafka",
            _table(KafkaSettings),
            "## The topics' job",
            "`python -m chassis.provision`",
            _table(ProvisioningSettings),
            "## The broker's ACLs",
            "`python -m chassis.acls`",
            _table(AclSettings),
            "## Every service",
            _table(ServiceSettings),
            "## Every service with a database",
            _table(DatabaseSettings),
            *(block for service in SERVICES for block in _section(service)),
        )
    }


def own_fields(settings: type[KafkaSettings]) -> Fields:
    """The settings that a class adds to those of every service, or whose default it changes."""
    shared = next((base.model_fields for base in _SHARED if issubclass(settings, base) and base is not settings), {})
    return {
        name: field
        for name, field in settings.model_fields.items()
        if name not in shared or shared[name].default != field.default
    }


def described(settings: type[KafkaSettings], name: str) -> str:
    """What a setting means, where it was first declared."""
    bases = (base.model_fields for base in settings.__mro__ if issubclass(base, KafkaSettings))
    return next((fields[name].description or "" for fields in bases if name in fields and fields[name].description), "")


def _section(service: Service) -> tuple[str, str, str]:
    return f"## {service.name}", service.purpose, _table(service.settings)


def _table(settings: type[KafkaSettings]) -> str:
    return table(
        _HEAD,
        (
            (code(name.upper()), _type(field), _default(field), described(settings, name))
            for name, field in own_fields(settings).items()
        ),
    )


def _type(field: FieldInfo) -> str:
    kinds = [kind for kind in get_args(field.annotation) if kind is not NoneType] or [field.annotation]
    return " or ".join("secret" if kind is SecretStr else getattr(kind, "__name__", str(kind)) for kind in kinds)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**must be set**"
    value = field.get_default(call_default_factory=True, validated_data={})
    return "unset" if value is None else code(str(value))
