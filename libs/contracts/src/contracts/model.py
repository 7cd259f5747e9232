"""The bases of everything that is said between services or answered to callers, and of what documents hold."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Contract(BaseModel):
    """An immutable message part: camelCase on the wire, snake_case in Python.

    Consumers are tolerant (unknown fields are ignored), so a producer may add optional fields at any time. A producer
    always writes every field, null where it does not apply: schemas promise that.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        serialize_by_alias=True,
        json_schema_serialization_defaults_required=True,
        extra="ignore",
        frozen=True,
    )


class StoredModel(BaseModel):
    """Part of a stored document: camelCase in the database, snake_case in Python."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )
