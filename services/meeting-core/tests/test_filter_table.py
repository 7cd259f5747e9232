"""The table of filter fields, against what callers are shown and what is stored."""

from typing import Any

import pytest
from contracts.api.filters import BOOLEAN, FILTER_FIELDS, INSTANT, LOCAL_DATE_TIME, NUMBER, TEXT, FilterField
from contracts.api.meetings import MeetingView, ParticipantView
from contracts.model import Contract
from contracts.values.enums import UserType
from meeting_core.adapters.meetings import to_document
from meeting_core.adapters.search import PATHS
from meeting_core.domain.views import Viewer

from tests.support.commands import HOST
from tests.support.meetings import meeting as any_meeting

_CALLER_DEPENDENT = {
    "canEdit",
    "canCancel",
    "canResend",
    "canRemoveFromCalendar",
    "canRetrySync",
    "externalSyncFailureVisibleToViewer",
}
_OF_PARTICIPANTS = {"email", "name", "participantType", "rsvpStatus", "participantEntityUuid", "participantUuid"}


def test_every_scalar_field_of_a_meeting_can_be_filtered_by() -> None:
    scalars = set(MeetingView.model_json_schema()["properties"]) - _CALLER_DEPENDENT - {"participants"}
    assert set(FILTER_FIELDS) == scalars | {f"participants.{name}" for name in _OF_PARTICIPANTS}


def test_every_field_is_stored_somewhere() -> None:
    assert set(PATHS) == set(FILTER_FIELDS)


@pytest.mark.parametrize("field", FILTER_FIELDS.values(), ids=lambda field: field.name)
def test_a_field_is_of_the_kind_that_it_is_shown_as(field: FilterField) -> None:
    view: type[Contract] = ParticipantView if field.of_participant else MeetingView
    schema = view.model_json_schema()
    shown_as = schema["properties"][field.name.removeprefix("participants.")]
    [shown_as] = [one for one in shown_as.get("anyOf", [shown_as]) if one.get("type") != "null"]
    if "$ref" in shown_as:
        assert field.kind.name == "choice"
        assert (
            field.kind.format_hint
            == f"one of {', '.join(schema['$defs'][shown_as['$ref'].rpartition('/')[2]]['enum'])}"
        )
    elif "pattern" in shown_as:
        assert field.kind is LOCAL_DATE_TIME
    elif "format" in shown_as:
        assert field.kind is INSTANT
    else:
        assert field.kind is {"string": TEXT, "integer": NUMBER, "boolean": BOOLEAN}[shown_as["type"]]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_stored_is_what_a_host_is_shown(seed: int) -> None:
    meeting = any_meeting(seed).model_copy(update={"guests_hidden": False})
    host = HOST.model_copy(update={"user_id": meeting.hosted.host_uuid, "user_type": UserType.TENANT_STAFF})
    view = Viewer(meeting, host).full().model_dump(by_alias=True)
    document = to_document(meeting)
    for field in FILTER_FIELDS.values():
        assert _at(document, PATHS[field.name]) == _at(view, field.name), field.name


def _at(tree: Any, path: str) -> Any:
    """What stands at a dotted path; a list for what stands in each item of a list."""
    for step in path.split("."):
        tree = [one[step] for one in tree] if isinstance(tree, list) else tree[step]
    return tree
