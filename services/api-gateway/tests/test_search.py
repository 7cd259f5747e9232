"""The search endpoint alone: what reaches meeting-core, and what is refused before that, with which words."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from contracts.api.filters import (
    FILTER_FIELDS,
    MAX_FILTERS,
    MAX_PATTERN_LENGTH,
    MAX_PATTERN_TOTAL,
    MAX_VALUES,
    Operator,
)
from contracts.api.queries import SearchMeetings
from contracts.messages.replies import Outcome, Reply
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.gateway import Gateway

SEARCH = "/api/v2/meetings"
AN_OPERAND = {
    "text": "x",
    "number": 45,
    "boolean": True,
    "local date-time": "2026-06-15T15:00:00",
    "instant": "2026-06-15T10:30:00.123Z",
}
NO_OPERAND = {
    "text": 5,
    "number": "45",
    "boolean": "true",
    "local date-time": "2026-06-15T15:00:00Z",
    "instant": "2026-06-15",
}


def an_operand(field: str) -> Any:
    kind = FILTER_FIELDS[field].kind
    return AN_OPERAND.get(kind.name) or kind.format_hint.removeprefix("one of ").split(", ")[0]


def entry(field: str, operator: str, operand: Any = ...) -> dict[str, Any]:
    """A filter entry with its operands where they belong."""
    names = Operator(operator).operands
    given = an_operand(field) if operand is ... else operand
    return {"field": field, "operator": operator} | {name: [given] if name == "values" else given for name in names}


async def search(api: Gateway, *filters: Any, **more: Any) -> httpx.Response:
    return await api.client.post(SEARCH, json={"filters": list(filters), **more})


async def asked(api: Gateway, *filters: Any, **more: Any) -> SearchMeetings:
    """The query of a search that must be accepted."""
    api.core.queries.clear()
    answer = await search(api, *filters, **more)
    assert answer.status_code == 200, answer.text
    [query] = api.core.queries
    assert isinstance(query, SearchMeetings)
    return query


async def refused(api: Gateway, *filters: Any, **more: Any) -> list[str]:
    """What is wrong with a search that must be refused before anything behind hears of it."""
    api.core.queries.clear()
    answer = await search(api, *filters, **more)
    assert answer.status_code == 400, answer.text
    assert api.core.queries == []
    details: list[str] = answer.json()["details"]
    return details


# --- what is accepted -----------------------------------------------------------------------------------------------


async def test_an_empty_search_asks_for_the_first_twenty(api: Gateway) -> None:
    query = await asked(api)
    assert (query.conditions, query.sort, query.page, query.size) == ([], [], 0, 20)
    assert query.actor.user_id == "TS019C06688AA57248B9EA5325DBDFC48E"


async def test_null_is_the_same_as_absent(api: Gateway) -> None:
    answer = await api.client.post(SEARCH, json={"filters": None, "sort": None, "page": None, "size": None})
    assert answer.status_code == 200
    assert api.core.queries == [await asked(api)]


async def test_the_answer_is_the_page_of_meeting_core(api: Gateway) -> None:
    page = {"content": [], "page": 0, "size": 20, "totalElements": 0, "totalPages": 0}
    api.core.outcome = Reply(outcome=Outcome.OK, data=page)
    answer = await search(api)
    assert answer.json() == page
    assert "etag" not in answer.headers


@pytest.mark.parametrize("field", FILTER_FIELDS)
async def test_a_field_takes_every_operator_of_its_kind_and_no_other(api: Gateway, field: str) -> None:
    for operator in Operator:
        wanted = entry(field, operator)
        if operator in FILTER_FIELDS[field].kind.operators:
            [condition] = (await asked(api, wanted)).conditions
            assert (condition.field, condition.operator) == (field, operator)
            assert condition.operands == [an_operand(field) for _ in operator.operands]
        else:
            api.core.queries.clear()
            [detail] = await refused(api, wanted)
            assert detail.startswith(
                f"filters[0].operator: {field} is a {FILTER_FIELDS[field].kind.name} field: use EQUALS"
            )


@pytest.mark.parametrize("field", FILTER_FIELDS)
async def test_an_operand_of_another_type_is_refused(api: Gateway, field: str) -> None:
    kind = FILTER_FIELDS[field].kind
    for operator in kind.operators:
        for index, name in enumerate(operator.operands):
            wrong = entry(field, operator) | {
                name: [NO_OPERAND.get(kind.name, "MAYBE")] if name == "values" else NO_OPERAND.get(kind.name, "MAYBE")
            }
            place = f"{name}[0]" if name == "values" else name
            assert await refused(api, wrong) == [f"filters[0].{place}: must be {kind.format_hint}"], (operator, index)


@pytest.mark.parametrize("operator", ["equals", "Equals", "EQUALS", "eQuAlS"])
async def test_operators_are_read_in_any_case(api: Gateway, operator: str) -> None:
    [condition] = (await asked(api, {"field": "title", "operator": operator, "value": "x"})).conditions
    assert condition.operator is Operator.EQUALS


async def test_operands_that_the_operator_does_not_take_go_nowhere(api: Gateway) -> None:
    spare = {"value": {"$gt": ""}, "values": [{"$ne": 1}], "min": [[]], "max": "x", "$where": "1"}
    [condition] = (await asked(api, {"field": "title", "operator": "IS_NULL"} | spare)).conditions
    assert condition.operands == []


async def test_filters_keep_their_order_and_may_repeat(api: Gateway) -> None:
    query = await asked(api, *[entry("title", "CONTAINS", f"{number}") for number in range(MAX_FILTERS)])
    assert [one.operands for one in query.conditions] == [[f"{number}"] for number in range(MAX_FILTERS)]


async def test_text_that_is_looked_for_is_short_whatever_its_filters_are(api: Gateway) -> None:
    longest = "á" * MAX_PATTERN_LENGTH
    for operator in ("CONTAINS", "STARTS_WITH", "ENDS_WITH"):
        [condition] = (await asked(api, entry("description", operator, longest))).conditions
        assert condition.operands == [longest]
        assert await refused(api, entry("title", "EQUALS", "x"), entry("description", operator, longest + "a")) == [
            f"filters[1].value: must have at most {MAX_PATTERN_LENGTH} characters for {operator}"
        ]
    [exact] = (await asked(api, entry("description", "EQUALS", longest * 8))).conditions
    assert exact.operands == [longest * 8], "what is compared as a whole may be longer"

    many = [entry("description", "CONTAINS", longest[:200]) for _ in range(MAX_PATTERN_TOTAL // 200)]
    assert len((await asked(api, *many)).conditions) == len(many)
    [detail] = await refused(api, *many, entry("title", "EQUALS", "x"), entry("title", "ENDS_WITH", "y"))
    assert detail.startswith(f"filters[{len(many) + 1}].value: ")


async def test_of_a_thousand_values_the_wrong_one_is_named(api: Gateway) -> None:
    values: list[Any] = [f"{number}" for number in range(1_000)]
    [condition] = (await asked(api, {"field": "title", "operator": "IN", "values": values})).conditions
    assert condition.operands == values
    values[777] = 777
    [detail] = await refused(api, {"field": "title", "operator": "IN", "values": values})
    assert detail.startswith("filters[0].values[777]: must be text")


async def test_more_than_a_few_searches_of_one_user_at_once_are_put_off_and_lists_are_not(api: Gateway) -> None:
    held, ask = asyncio.Event(), api.core.ask

    async def wait_and_ask(query: Any) -> Reply:
        if isinstance(query, SearchMeetings):
            await held.wait()
        return await ask(query)

    api.core.ask = wait_and_ask  # type: ignore[method-assign]
    searches = [asyncio.create_task(search(api)) for _ in range(11)]
    done, running = await asyncio.wait(searches, return_when=asyncio.FIRST_COMPLETED)
    [put_off] = [one.result() for one in done]
    assert (put_off.status_code, put_off.headers["retry-after"]) == (429, "1")
    assert (await api.client.get("/api/v1/meetings")).status_code == 200
    held.set()
    assert [(await one).status_code for one in running] == [200] * 10
    assert (await search(api)).status_code == 200


async def test_a_sort_entry_is_a_field_and_a_direction(api: Gateway) -> None:
    query = await asked(api, sort=["title,asc", "startDateTime,DESC", " createdAt , desc ", "endDateTime"])
    assert [(one.field, one.descending) for one in query.sort] == [
        ("title", False),
        ("startDateTime", True),
        ("createdAt", True),
        ("endDateTime", False),
    ]


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "detail"),
    [
        ({}, "filters[1].field: Field required"),
        ({"field": "title"}, "filters[1].operator: Field required"),
        ({"field": "title", "operator": "LIKE", "value": "x"}, "filters[1].operator: Input should be 'EQUALS', 'NOT_"),
        ({"field": "canEdit", "operator": "EQUALS", "value": True}, "filters[1].field: must be one of meetingUuid, "),
        ({"field": "participants.phone", "operator": "IS_NULL"}, "filters[1].field: must be one of meetingUuid, "),
        ({"field": "content.title", "operator": "IS_NULL"}, "filters[1].field: must be one of meetingUuid, "),
        ({"field": "title", "operator": "EQUALS"}, "filters[1].value: is required by EQUALS"),
        ({"field": "title", "operator": "EQUALS", "value": None}, "filters[1].value: is required by EQUALS"),
        ({"field": "title", "operator": "EQUALS", "values": ["x"]}, "filters[1].value: is required by EQUALS"),
        ({"field": "title", "operator": "IN", "value": "x"}, "filters[1].values: is required by IN"),
        ({"field": "title", "operator": "IN", "values": []}, "filters[1].values: is required by IN"),
        ({"field": "title", "operator": "IN", "values": "x"}, "filters[1].values: Input should be a valid list"),
        ({"field": "title", "operator": "IN", "values": ["x", None]}, "filters[1].values[1]: must be text"),
        ({"field": "createdAt", "operator": "RANGE", "min": "2026-01-01T00:00:00Z"}, "filters[1].max: is required by"),
        ({"field": "title", "operator": "IN", "values": ["x"] * (MAX_VALUES + 1)}, "filters[1].values: List should"),
    ],
)
async def test_a_wrong_entry_is_named(api: Gateway, wrong: Any, detail: str) -> None:
    details = await refused(api, entry("title", "IS_NULL"), wrong)
    assert details[0].startswith(detail)


@pytest.mark.parametrize(
    ("more", "detail"),
    [
        ({"filters": [entry("title", "IS_NULL")] * (MAX_FILTERS + 1)}, "filters: List should have at most 50 items"),
        ({"filters": {}}, "filters: Input should be a valid list"),
        ({"filters": ["title"]}, "filters[0]: Input should be"),
        ({"page": -1}, "page: Input should be greater than or equal to 0"),
        ({"page": "0"}, "page: Input should be a valid integer"),
        ({"page": True}, "page: Input should be a valid integer"),
        ({"page": 10**9}, "page: Input should be less than or equal to"),
        ({"size": 0}, "size: Input should be greater than or equal to 1"),
        ({"size": 101}, "size: Input should be less than or equal to 100"),
        ({"sort": "title,asc"}, "sort: Input should be a valid list"),
        ({"sort": ["title,asc", "title,up"]}, "sort[1]: must be `field,asc` or `field,desc` with a field out of"),
        ({"sort": ["participants.email,asc"]}, "sort[0]: must be `field,asc`"),
        ({"sort": ["internalNotes,asc"]}, "sort[0]: must be `field,asc`"),
        ({"sort": ["nothing"]}, "sort[0]: must be `field,asc`"),
        ({"sort": [{"title": 1}]}, "sort[0]: must be `field,asc`"),
        ({"sort": ["title"] * 11}, "sort: List should have at most 10 items"),
    ],
)
async def test_wrong_paging_and_sorting_is_named(api: Gateway, more: dict[str, Any], detail: str) -> None:
    [first, *_] = await refused(api, **more)
    assert first.startswith(detail)


# --- what is hostile ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operand", [{"$gt": ""}, {"$ne": None}, {"$regex": ".*"}, ["x"], [["x"]], {"a": {"b": {}}}, True, 5]
)
@pytest.mark.parametrize("operator", [one for one in FILTER_FIELDS["title"].kind.operators if one.operands])
async def test_no_document_passes_for_text(api: Gateway, operator: Operator, operand: Any) -> None:
    for name in operator.operands:
        wrong = entry("title", operator) | {name: [operand] if name == "values" else operand}
        [detail] = await refused(api, wrong)
        assert "must be text" in detail


@pytest.mark.parametrize("text", ["a\0b", "\0", "x" * 8001])
async def test_text_that_no_meeting_can_have_is_refused(api: Gateway, text: str) -> None:
    assert "must be text" in (await refused(api, entry("title", "CONTAINS", text)))[0]


@pytest.mark.parametrize(
    "raw",
    [
        '{"filters":' + "[" * 100_000,
        '{"filters":' + "[" * 50_000 + "]" * 50_000 + "}",
        '{"filters":[{"field":"title","operator":"EQUALS","value":' + '{"a":' * 5000 + "1" + "}" * 5000 + "}]}",
        '{"filters":[{"field":"title","operator":"EQUALS","value":"\\ud800"}]}',
        '{"filters":[{"field":"\\ud800","operator":"IS_NULL"}]}',
        '{"filters":[{"field":"title","operator":"\\ud800"}]}',
        '{"filters":[{"field":"durationMinutes","operator":"EQUALS","value":NaN}]}',
        '{"filters":[{"field":"durationMinutes","operator":"EQUALS","value":1e999}]}',
        '{"filters":[{"field":"durationMinutes","operator":"EQUALS","value":-1e999}]}',
        '{"filters":[{"field":"durationMinutes","operator":"EQUALS","value":' + "9" * 400 + "}]}",
        '{"filters":[{"field":"createdAt","operator":"EQUALS","value":"0001-01-01T00:00:00+23:59"}]}',
        '{"filters":[{"field":"startDateTime","operator":"EQUALS","value":"9999-12-31T23:59:59"}]}',
        '{"size":' + "1" * 6000 + "}",
        '{"sort":["\\ud800,asc"]}',
        "[]",
        "3",
        "null",
        "",
        "\ufeff{}",
    ],
    ids=lambda raw: raw[:60],
)
async def test_what_no_client_would_send_is_400(api: Gateway, raw: str) -> None:
    answer = await api.client.post(
        SEARCH, content=raw.encode("utf-8", "surrogatepass"), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["errorCode"] in ("BE0201", "BE0202")
    assert api.core.queries == []


_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["$gt", "title"])
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("$gt"), inner, max_size=3)
    ),
    max_leaves=6,
)
_ENTRIES = st.fixed_dictionaries(
    {"field": st.sampled_from([*FILTER_FIELDS]) | _JSON, "operator": st.sampled_from([*Operator]) | _JSON},
    optional={"value": _JSON, "values": st.lists(_JSON, max_size=3) | _JSON, "min": _JSON, "max": _JSON},
)


@given(filters=st.lists(_ENTRIES, max_size=3) | _JSON, sort=st.lists(_JSON, max_size=2) | _JSON)
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_whatever_is_sent_only_plain_values_get_through(api: Gateway, filters: Any, sort: Any) -> None:
    api.core.queries.clear()
    raw = json.dumps({"filters": filters, "sort": sort}).encode()
    answer = await api.client.post(SEARCH, content=raw, headers={"Content-Type": "application/json"})
    if answer.status_code == 400:
        assert api.core.queries == []
        return
    assert answer.status_code == 200, answer.text
    [query] = api.core.queries
    for condition in query.conditions:
        assert all(isinstance(operand, str | int | float | bool) for operand in condition.operands)
    assert SearchMeetings.model_validate_json(query.model_dump_json()) == query


# --- what is documented ---------------------------------------------------------------------------------------------


async def test_the_reference_page_names_every_field_and_operator(api: Gateway) -> None:
    page = (await api.client.get("/docs/filters")).text
    for name in (*FILTER_FIELDS, *Operator):
        assert f"<td><code>{name}</code></td>" in page
    assert "`" not in page


async def test_the_reference_is_linked_from_the_docs(api: Gateway) -> None:
    document = (await api.client.get("/openapi.json")).json()
    assert "(/docs/filters)" in document["info"]["description"]
    assert "(/docs/filters)" in document["paths"][SEARCH]["post"]["description"]
    assert document["components"]["schemas"]["FieldName"]["enum"] == [*FILTER_FIELDS]
