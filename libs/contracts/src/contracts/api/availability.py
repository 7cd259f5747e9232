"""Whether people have time: nothing but that is said about their meetings."""

from pydantic import Field

from contracts.model import Contract
from contracts.values.enums import AvailabilityStatus
from contracts.values.personal import PersonId


class Busy(Contract):
    """Who of those asked about has no time, and of whom else not all that takes their time is known."""

    user_uuids: list[PersonId]
    unknown_user_uuids: list[PersonId] = Field(default_factory=list)


class UserAvailability(Contract):
    """Whether one person has time."""

    user_uuid: PersonId = Field(examples=["TS019C06688AA57248B9EA5325DBDFC48E"])
    status: AvailabilityStatus = Field(
        description="`UNKNOWN`: not a staff member of this tenant, or their connected calendar is not known for all of "
        "the window"
    )


class AvailabilityView(Contract):
    """One entry for each person asked about, in the order asked."""

    availabilities: list[UserAvailability]
