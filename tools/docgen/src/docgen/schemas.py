"""The golden JSON Schemas: ``<type>.json`` is what producers write, ``<type>.read.json`` what consumers accept."""

from typing import Any, Literal

from contracts.model import Contract
from contracts.transport.registry import MessageType
from pydantic.json_schema import GenerateJsonSchema

from docgen.files import Files, as_json
from docgen.messages import message_types

FOLDER = "libs/contracts/schemas"
READ = ".read.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


class PlainSchema(GenerateJsonSchema):
    """Pydantic's schema without a title for each field, which would only repeat its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 the base's signature
        return False


def schema_of(body: type[Contract], mode: Literal["serialization", "validation"]) -> Schema:
    """The JSON Schema of a body as it is written, or as it is read."""
    return body.model_json_schema(mode=mode, schema_generator=PlainSchema)


def schema_files() -> Files:
    """Today's golden schemas of every message type."""
    return {path: as_json(schema) for kind in message_types().values() for path, schema in _both(kind).items()}


def _both(kind: MessageType) -> dict[str, Schema]:
    written, read = schema_of(kind.body, "serialization"), schema_of(kind.body, "validation")
    schemas = {f"{FOLDER}/{kind.name}.json": headed(kind, written)}
    if read != written:
        schemas[f"{FOLDER}/{kind.name}{READ}"] = headed(kind, read)
    return schemas


def headed(kind: MessageType, schema: Schema) -> Schema:
    """A schema that says which message type it is of, and where such messages lie."""
    return {"$schema": DIALECT, "x-type": kind.name, "x-topic": kind.topic.name, "x-key": kind.topic.key, **schema}
