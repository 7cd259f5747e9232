"""What callers send to see who has time."""

from datetime import datetime
from typing import Annotated, Self

from contracts.api.queries import MAX_PEOPLE_CHECKED
from contracts.model import Contract
from contracts.values.ids import ForeignId
from contracts.values.times import LocalDateTime, TimeZoneName, to_instant
from pydantic import Field, model_validator

from api_gateway.schemas.bodies import field_error
from api_gateway.schemas.text import at_most


class AvailabilityBody(Contract):
    """Whom to check, and the half-open window: wall-clock times in an IANA zone, UTC unless one is given."""

    user_uuids: Annotated[
        list[ForeignId], Field(min_length=1, max_length=MAX_PEOPLE_CHECKED), at_most(MAX_PEOPLE_CHECKED)
    ]
    start_date_time: LocalDateTime
    end_date_time: LocalDateTime = Field(examples=["2026-06-15T15:45:00"])
    timezone: TimeZoneName | None = Field(default=None, description="of the window; UTC unless given")

    @property
    def starts_at(self) -> datetime:
        """The UTC instant at which the window opens."""
        return to_instant(self.start_date_time, self.timezone or "UTC")

    @property
    def ends_at(self) -> datetime:
        """The UTC instant at which the window has closed."""
        return to_instant(self.end_date_time, self.timezone or "UTC")

    @model_validator(mode="after")
    def _has_time_in_it(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise field_error("endDateTime", "must be after startDateTime")
        return self
