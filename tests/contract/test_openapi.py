"""Every operation of the public API is described: typed answers, the standard error body, examples that are true."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from contracts.api.errors import ErrorCode
from docgen.services import gateway_openapi
from jsonschema import Draft202012Validator

DOCUMENT = gateway_openapi()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
ERROR_BODY = {"$ref": "#/components/schemas/ErrorBody"}
Media = dict[str, Any]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema


def example_of(media: Media) -> Any:
    """The example of a request or an answer: its own, its model's, or for a list that of its items."""
    schema = resolved(media["schema"])
    if "example" in media:
        return media["example"]
    if "examples" in schema:
        return schema["examples"][0]
    items = resolved(schema.get("items", {}))
    return [items["examples"][0]] if "examples" in items else None


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, str, Media]]:
    """Whatever is said in an operation: where, in which media type, and how it is described."""
    for media_type, media in operation.get("requestBody", {}).get("content", {}).items():
        yield "request", media_type, media
    for status, response in operation["responses"].items():
        for media_type, media in response.get("content", {}).items():
            yield status, media_type, media


def of_every_operation(test: Any) -> Any:
    return pytest.mark.parametrize("name", OPERATIONS)(test)


def test_there_are_operations() -> None:
    assert len(OPERATIONS) > 10


@of_every_operation
def test_an_operation_says_what_it_does(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["description"].endswith(".")
    assert operation["tags"]


@of_every_operation
def test_success_is_typed(name: str) -> None:
    good = {status: response for status, response in OPERATIONS[name]["responses"].items() if status < "400"}
    assert good
    for status, response in good.items():
        if status in ("204", "302", "303"):
            assert "content" not in response
        else:
            schemas = [resolved(media["schema"]) for media in response["content"].values()]
            assert schemas
            assert all(schema.get("type") in ("object", "array", "string") for schema in schemas), status


@of_every_operation
def test_errors_carry_the_standard_body(name: str) -> None:
    bad = {status: response for status, response in OPERATIONS[name]["responses"].items() if status >= "400"}
    assert {"400", "503"} <= bad.keys() or bad.keys() == {"429"}  # a page that only shows what its address says
    for status, response in bad.items():
        for media_type, media in response["content"].items():
            if media_type != "text/html":  # a page for people tells of its error as a page
                assert (status, media_type, media["schema"]) == (status, "application/json", ERROR_BODY)
                assert media["example"]["status"] == int(status)
                assert media["example"]["errorCode"] in response["description"]


@of_every_operation
def test_requests_and_answers_have_true_examples(name: str) -> None:
    for place, media_type, media in contents(OPERATIONS[name]):
        if media_type != "text/html":
            example = example_of(media)
            assert example is not None, f"{place}: add an example in api_gateway/adapters/http/examples.py"
            Draft202012Validator(media["schema"] | {"components": DOCUMENT["components"]}).validate(example)


PUBLIC = re.compile(r"/participants/\{participantUuid\}/rsvp$|/calendar/callback/|/webhooks/")
"""The paths that the outer contract leaves open to everybody."""


@of_every_operation
def test_only_what_is_public_goes_without_a_token(name: str) -> None:
    operation = OPERATIONS[name]
    required = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "header" and one["required"]}
    if PUBLIC.search(name):
        assert "security" not in operation
        assert "401" not in operation["responses"]
    else:
        assert operation["security"] == [{"bearer": []}]
        assert {"x-tenant-uuid", "x-user-id", "x-user-email", "x-user-type"} <= required
        assert {"401", "403"} <= operation["responses"].keys()


def test_an_error_example_is_an_entry_of_the_error_table() -> None:
    for operation in OPERATIONS.values():
        for _, _, media in contents(operation):
            if media["schema"] == ERROR_BODY:
                code = ErrorCode.of(media["example"]["errorCode"])
                assert (code.code, code.message) == (media["example"]["errorCode"], media["example"]["message"])


def test_operations_have_short_names_that_are_nobody_elses() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch("[a-z]+([A-Z][a-z]+){1,4}", name) for name in names), names
    assert {"createMeeting", "listMeetings", "searchMeetings", "updateMeeting", "answerInvitation"} <= set(names)


def test_schemas_have_plain_names_and_a_server_is_named() -> None:
    assert all(re.fullmatch("[A-Za-z]+", name) for name in DOCUMENT["components"]["schemas"])
    assert DOCUMENT["servers"]


def test_a_request_made_of_the_examples_of_its_fields_is_a_meeting_that_can_be_held() -> None:
    fields = DOCUMENT["components"]["schemas"]["CreateMeetingBody"]["properties"]
    assert fields["startDateTime"]["examples"] < fields["endDateTime"]["examples"]
