"""What integrators generate clients from: each rule, for every operation of every public API."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from contracts.api.errors import ErrorCode
from contracts.api.webhooks import WEBHOOKS_DESCRIPTION
from docgen.services import gateway_openapi, ingest_openapi
from jsonschema import Draft202012Validator

GATEWAY, WEBHOOKS = gateway_openapi(), ingest_openapi()
DOCUMENTS = {"api-gateway": GATEWAY, "webhook-ingest": WEBHOOKS}
OPERATIONS = {
    f"{method.upper()} {path}": (document, operation)
    for document in DOCUMENTS.values()
    for path, operations in document["paths"].items()
    for method, operation in operations.items()
}
ERROR_BODY = {"$ref": "#/components/schemas/ErrorBody"}
IDENTITY = {"tenant": "x-tenant-uuid", "userId": "x-user-id", "userEmail": "x-user-email", "userType": "x-user-type"}
PUBLIC = re.compile(r"/participants/\{participantUuid\}/rsvp$|/calendar/callback/|/webhooks/")
"""The paths that the outer contract leaves open to everybody."""
READS = {"searchMeetings", "checkAvailability"}
"""Operations that are POST for the size of what they ask, and change nothing."""
VERSIONED = {"MeetingView", "ParticipantView", "ResendInvitation", "MeetingHistoryPage"}
"""What is said about one meeting at one version of it."""
Json = dict[str, Any]


def resolved(document: Json, schema: Json) -> Json:
    reference = schema.get("$ref")
    return document["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema


def schema_name(media: Json) -> str:
    """The name of the model of a body, or of the items of a list of it."""
    schema = media["schema"]
    return str(schema.get("items", schema).get("$ref", "")).rpartition("/")[2]


def example_of(document: Json, media: Json) -> Any:
    """The example of a request or an answer: its own, its model's, or for a list that of its items."""
    schema = resolved(document, media["schema"])
    if "example" in media:
        return media["example"]
    if "examples" in schema:
        return schema["examples"][0]
    items = resolved(document, schema.get("items", {}))
    return [items["examples"][0]] if "examples" in items else None


def contents(operation: Json) -> Iterator[tuple[str, str, Json]]:
    """The bodies of an operation: where, in which media type, and how it is described."""
    for media_type, media in operation.get("requestBody", {}).get("content", {}).items():
        yield "request", media_type, media
    for status, response in operation["responses"].items():
        for media_type, media in response.get("content", {}).items():
            yield status, media_type, media


def headers(operation: Json) -> set[str]:
    """The request headers that are parameters."""
    return {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "header"}


def is_page(operation: Json) -> bool:
    return any("text/html" in response.get("content", {}) for response in operation["responses"].values())


def is_command(name: str, operation: Json) -> bool:
    """Whether a program changes something by it. The forms of pages, and providers, send no headers of ours."""
    return (
        name.split(maxsplit=1)[0] in ("POST", "PUT", "DELETE")
        and operation["operationId"] not in READS
        and not is_page(operation)
        and "/webhooks/" not in name
    )


def of_every_operation(test: Any) -> Any:
    return pytest.mark.parametrize("name", OPERATIONS)(test)


def test_there_are_operations() -> None:
    assert len(OPERATIONS) > 20


@of_every_operation
def test_an_operation_says_what_it_does(name: str) -> None:
    document, operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["description"].endswith(".")
    [tag] = operation["tags"]
    assert tag in {described["name"] for described in document["tags"] if described["description"].endswith(".")}


@of_every_operation
def test_success_is_typed(name: str) -> None:
    document, operation = OPERATIONS[name]
    good = {status: response for status, response in operation["responses"].items() if status < "400"}
    assert good
    for status, response in good.items():
        if status in ("204", "302", "303") or "/webhooks/google" in name:
            assert "content" not in response
        else:
            schemas = [resolved(document, media["schema"]) for media in response["content"].values()]
            assert schemas
            assert all(schema.get("type") in ("object", "array", "string") for schema in schemas), status


@of_every_operation
def test_bodies_are_named_models(name: str) -> None:
    _, operation = OPERATIONS[name]
    for place, media_type, media in contents(operation):
        if media_type in ("text/html", "text/plain"):
            assert media["schema"] == {"type": "string"}, (place, media_type)
        else:
            assert schema_name(media), (place, media_type)


@of_every_operation
def test_choices_are_named(name: str) -> None:
    """A choice without a name gets another one in every generated client, and one for each place."""
    for parameter in OPERATIONS[name][1].get("parameters", ()):
        assert "enum" not in parameter["schema"], parameter["name"]


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_choices_within_models_are_named(document: Json) -> None:
    for name, model in document["components"]["schemas"].items():
        for field, schema in model.get("properties", {}).items():
            inner = [schema, schema.get("items", {}), *schema.get("anyOf", ())]
            assert all("enum" not in part and "properties" not in part for part in inner), f"{name}.{field}"


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_no_model_has_the_name_of_one_of_its_fields(document: Json) -> None:
    """openapi-python-client uses one variable for both."""
    for name, model in document["components"]["schemas"].items():
        assert f"{name[0].lower()}{name[1:]}" not in model.get("properties", {}), name


@of_every_operation
def test_errors_carry_the_standard_body(name: str) -> None:
    _, operation = OPERATIONS[name]
    bad = {status: response for status, response in operation["responses"].items() if status >= "400"}
    assert {"429", "500"} <= bad.keys()
    if "requestBody" in operation:
        assert {"400", "413"} <= bad.keys()
    for status, response in bad.items():
        assert response["content"].keys() <= {"application/json", "text/html"}
        for media_type, media in response["content"].items():
            if media_type == "text/html":  # a page for people tells of its error as a page
                assert media["schema"] == {"type": "string"}
            else:
                assert media["schema"] == ERROR_BODY
                assert media["example"]["status"] == int(status)
                assert media["example"]["errorCode"] in response["description"]


@pytest.mark.parametrize("form", ["submitRsvpForm", "confirmAuthorization"])
@pytest.mark.parametrize("status", ["400", "413", "500"])
def test_a_form_is_refused_by_a_page_or_by_the_standard_body(form: str, status: str) -> None:
    [operation] = [operation for _, operation in OPERATIONS.values() if operation["operationId"] == form]
    content = operation["responses"][status]["content"]
    assert content["text/html"] == {"schema": {"type": "string"}}
    assert content["application/json"]["schema"] == ERROR_BODY


@of_every_operation
def test_requests_and_answers_have_true_examples(name: str) -> None:
    document, operation = OPERATIONS[name]
    for place, media_type, media in contents(operation):
        if media_type != "text/html":
            example = example_of(document, media)
            assert example is not None, f"{place}: add an example beside the others of this API"
            Draft202012Validator(media["schema"] | {"components": document["components"]}).validate(example)


@of_every_operation
def test_what_a_request_must_have_is_shown(name: str) -> None:
    for parameter in OPERATIONS[name][1].get("parameters", ()):
        if parameter["required"]:
            assert "example" in parameter or parameter["schema"].get("examples"), parameter["name"]


@of_every_operation
def test_only_what_is_public_goes_without_a_token(name: str) -> None:
    _, operation = OPERATIONS[name]
    if PUBLIC.search(name):
        assert "security" not in operation
        assert "401" not in operation["responses"]
    else:
        assert operation["security"] == [{"bearer": [], **{scheme: [] for scheme in IDENTITY}}]
        assert not headers(operation) & {*IDENTITY.values()}
        assert {"401", "403"} <= operation["responses"].keys()


def test_who_the_caller_is_are_security_schemes() -> None:
    schemes = GATEWAY["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    for scheme, header in IDENTITY.items():
        assert (schemes[scheme]["type"], schemes[scheme]["in"], schemes[scheme]["name"]) == ("apiKey", "header", header)


@of_every_operation
def test_a_command_takes_a_key(name: str) -> None:
    _, operation = OPERATIONS[name]
    assert ("Idempotency-Key" in headers(operation)) == is_command(name, operation)


@of_every_operation
def test_what_compares_versions_says_so(name: str) -> None:
    _, operation = OPERATIONS[name]
    assert ("If-Match" in headers(operation)) == ("412" in operation["responses"])


@of_every_operation
def test_what_is_about_one_meeting_has_its_version(name: str) -> None:
    _, operation = OPERATIONS[name]
    for status in {"200", "201", "204"} & operation["responses"].keys():
        response = operation["responses"][status]
        media = response.get("content", {}).get("application/json")
        is_versioned = schema_name(media) in VERSIONED if media else status == "204"
        assert ("ETag" in response.get("headers", {})) == is_versioned, status


@of_every_operation
def test_an_answer_that_something_was_accepted_says_where_to_look(name: str) -> None:
    _, operation = OPERATIONS[name]
    accepted = operation["responses"].get("202")
    if accepted and not is_page(operation):
        assert accepted["headers"]["Location"]["required"]
        assert schema_name(accepted["content"]["application/json"]) in ("Accepted", "CalendarAccepted")
        assert is_command(name, operation)


@of_every_operation
def test_an_answer_to_come_back_says_when(name: str) -> None:
    for status, response in OPERATIONS[name][1]["responses"].items():
        assert ("Retry-After" in response.get("headers", {})) == (status in ("429", "503")), status


@of_every_operation
def test_a_page_is_in_the_language_that_is_asked_for(name: str) -> None:
    _, operation = OPERATIONS[name]
    assert ("Accept-Language" in headers(operation)) == is_page(operation)
    for response in operation["responses"].values():
        if response.get("content", {}).keys() == {"text/html"}:
            assert "Content-Language" in response["headers"]


def test_an_error_example_is_an_entry_of_the_error_table() -> None:
    for _, operation in OPERATIONS.values():
        for _, _, media in contents(operation):
            if media["schema"] == ERROR_BODY:
                code = ErrorCode.of(media["example"]["errorCode"])
                assert (code.code, code.message) == (media["example"]["errorCode"], media["example"]["message"])


def test_operations_have_short_names_of_their_own() -> None:
    names = [operation["operationId"] for _, operation in OPERATIONS.values()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch("[a-z]+([A-Z][a-z]+){1,4}", name) for name in names), names
    assert {"createMeeting", "listMeetings", "searchMeetings", "updateMeeting", "answerInvitation"} <= set(names)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_schemas_have_plain_names_and_a_server_is_named(document: Json) -> None:
    assert all(re.fullmatch("[A-Za-z]+", name) for name in document["components"]["schemas"])
    assert document["servers"]


def test_the_two_descriptions_lead_to_each_other() -> None:
    assert WEBHOOKS_DESCRIPTION in GATEWAY["info"]["description"]
    assert "(/openapi.json)" in WEBHOOKS["info"]["description"]


def test_a_request_made_of_the_examples_of_its_fields_is_a_meeting_that_can_be_held() -> None:
    fields = GATEWAY["components"]["schemas"]["CreateMeetingBody"]["properties"]
    assert fields["startDateTime"]["examples"] < fields["endDateTime"]["examples"]
