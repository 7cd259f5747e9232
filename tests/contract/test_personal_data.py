"""Personal data is declared: each text in a message or a stored document has a kind, or says nothing of a person."""

from typing import Annotated

import pytest
from contracts.values.personal import NEUTRAL, DataKind, MailAddress, PersonName
from docgen.messages import message_types
from docgen.personal_data import COLLECTIONS, Text, texts_of, unclassified
from pydantic import BaseModel, Field, RootModel

PLACES = [
    *(pytest.param(kind.body, id=name) for name, kind in message_types().items()),
    *(pytest.param(collection.model, id=collection.name) for collection in COLLECTIONS),
]


@pytest.mark.parametrize("model", PLACES)
def test_every_text_is_classified(model: type[BaseModel]) -> None:
    assert unclassified(model) == []


def test_no_name_is_neutral_that_no_field_has() -> None:
    models = [place.values[0] for place in PLACES]
    names = {text.name for model in models if isinstance(model, type) for text in texts_of(model) if text.kind is None}
    assert names == NEUTRAL


class _Inner(BaseModel):
    address: Annotated[MailAddress, Field(max_length=9)]
    nickname: str | None


class _Group(RootModel[list[_Inner]]):
    root: list[_Inner]


class _Outer(BaseModel):
    people: list[_Inner]
    group: _Group
    by_name: dict[PersonName, int]
    number: int
    again: "_Outer | None" = None


def test_a_text_without_a_kind_is_found_wherever_it_is() -> None:
    assert list(texts_of(_Outer)) == [
        Text("people.address", "address", DataKind.ADDRESS),
        Text("people.nickname", "nickname", None),
        Text("group.address", "address", DataKind.ADDRESS),
        Text("group.nickname", "nickname", None),
        Text("by_name", "by_name", DataKind.NAME),
    ]
    assert unclassified(_Outer) == ["people.nickname", "group.nickname"]
