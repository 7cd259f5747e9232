"""Who changed a meeting, and what: part of every event of a meeting, and of its history."""

from pydantic import Field

from contracts.model import Contract
from contracts.values.enums import ActorType, Way
from contracts.values.personal import PersonId, WrittenText


class ActorRef(Contract):
    """Who made a change, and the way by which it came."""

    id: PersonId = Field(
        description="the platform's id of the person; the participantUuid of a GUEST; the service's name for SYSTEM; "
        "for PROVIDER the user in whose calendar the change was read",
        examples=["TS019C06688AA57248B9EA5325DBDFC48E"],
    )
    type: ActorType
    way: Way


class FieldChange(Contract):
    """One field's old and new value. A person who comes or goes is a change of their fields from or to null."""

    field: str = Field(description="by its wire name", examples=["title"])
    participant_uuid: PersonId | None = Field(default=None, description="whose field it is; null: the meeting's")
    old: WrittenText | bool | None = Field(default=None, examples=["Portfolio review"])
    new: WrittenText | bool | None = Field(default=None, examples=["Portfolio review and plan"])
    withheld: bool = Field(default=False, description="the values are not shown here, only that they changed")

    def without_values(self) -> "FieldChange":
        """That the field changed, and no more."""
        return self.model_copy(update={"old": None, "new": None, "withheld": True})
