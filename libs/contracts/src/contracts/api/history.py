"""Views of a meeting's history: what staff who may read the meeting receive."""

from pydantic import Field

from contracts.api.meetings import Page
from contracts.model import Contract
from contracts.values.changes import FieldChange
from contracts.values.enums import ActorType, Way
from contracts.values.personal import PersonId
from contracts.values.times import Instant


class HistoryActor(Contract):
    """Who made a change, as one caller sees them."""

    id: PersonId | None = Field(
        description="as in events (`actor.id`); null for a guest whom the caller does not see",
        examples=["TS019C06688AA57248B9EA5325DBDFC48E"],
    )
    type: ActorType
    way: Way


class HistoryEntryView(Contract):
    """One version of a meeting: who made it, by which way, and what they changed."""

    version: int = Field(examples=[2])
    at: Instant
    event_type: str = Field(examples=["meetings.meeting.updated.v1"])
    event_id: str = Field(description="of the event that told of it", examples=["019A16FF372A70B5A9307B00CE85E4DA"])
    actor: HistoryActor
    changes: list[FieldChange] = Field(description="the fields that this caller may see, with their old and new values")
    previous_hash: str
    hash: str = Field(description="of this entry, SHA-256; the next entry repeats it")


class MeetingHistoryPage(Page[HistoryEntryView]):
    """One page of a meeting's history, the first version first."""
