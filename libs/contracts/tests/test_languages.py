"""Languages may be added: a message that names one that this version does not know is read all the same."""

import pytest
from contracts.api.meetings import Invitation
from contracts.values.enums import OPEN_ENUM, Language, ParticipantType
from contracts.values.meeting import Invitee, ParticipantState
from pydantic import BaseModel, TypeAdapter, ValidationError

GUEST = {"participantUuid": "MP1", "participantType": ParticipantType.EXTERNAL}


@pytest.mark.parametrize(
    ("named", "read"), [("SPANISH", Language.SPANISH), ("KLINGON", None), (None, None), (Language.ENGLISH, "ENGLISH")]
)
def test_an_unknown_language_in_a_message_is_read_as_none(named: str | None, read: Language | None) -> None:
    assert Invitee.model_validate({**GUEST, "language": named}).language == read
    assert ParticipantState.model_validate({**GUEST, "language": named}).language == read


@pytest.mark.parametrize("wrong", [1, ["SPANISH"], {}])
def test_what_is_no_name_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        Invitee.model_validate({**GUEST, "language": wrong})


def test_callers_must_name_one_that_there_is() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Language).validate_python("KLINGON")


@pytest.mark.parametrize("model", [Invitee, ParticipantState, Invitation])
def test_schemas_say_that_the_vocabulary_may_grow(model: type[BaseModel]) -> None:
    assert model.model_json_schema()["$defs"]["Language"][OPEN_ENUM] is True
