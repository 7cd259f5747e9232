"""The bodies that callers send, with the rules of the outer contract. Unknown fields are ignored."""

from typing import Annotated, Literal, Self

from contracts.messages.meeting_commands import MeetingChanges
from contracts.model import Contract
from contracts.values.enums import Language, LocationType, RsvpStatus
from contracts.values.limits import MAX_PARTICIPANTS
from contracts.values.meeting import MeetingContent
from contracts.values.times import LocalDateTime, TimeZoneName
from pydantic import Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from api_gateway.schemas.text import (
    MAX_PEOPLE_WRITTEN,
    CountryCode,
    Email,
    Ids,
    Line,
    PhoneNumber,
    Text,
    Title,
    WebLink,
    at_most,
    check_guest_phone,
)


class ExternalAttendee(Contract):
    """A guest from outside the platform."""

    email: Email = Field(examples=["jane.roe@example.com"])
    name: Title | None = Field(default=None, examples=["Jane Roe"])
    language: Language | None = None
    country_code: CountryCode | None = None
    phone: PhoneNumber | None = None

    @model_validator(mode="after")
    def _phone_pair(self) -> Self:
        if self.country_code is None and self.phone is None:
            return self
        if self.country_code is None or self.phone is None:
            raise field_error("phone", "countryCode and phone belong together")
        try:
            check_guest_phone(self.country_code, self.phone)
        except ValueError as problem:
            raise field_error("phone", str(problem)) from problem
        return self


class _Texts(Contract):
    """The optional strings of a meeting."""

    title: Title | None = Field(default=None, examples=["Quarterly portfolio review"])
    location_detail: Line | None = Field(default=None, examples=["https://meet.google.com/abc-defg-hij"])
    description: Text | None = Field(
        default=None, description="all participants see it", examples=["Review Q2 performance and rebalancing plan."]
    )
    internal_notes: Text | None = Field(
        default=None, description="staff only; what a CLIENT sends here is ignored", examples=["Bring the updated IPS."]
    )
    meeting_information: Text | None = None
    meeting_link: WebLink | None = Field(default=None, examples=["https://meet.google.com/abc-defg-hij"])
    meeting_password: Line | None = None
    meeting_provider: Line | None = Field(default=None, description="a free label", examples=["GOOGLE_MEET"])


ContactIds = Annotated[Ids | None, Field(examples=[["C019B9D0FD0E5772F9E8ED189895D40C4"]])]
StaffIds = Annotated[Ids | None, Field(examples=[["PS0199CA8F08C270B5A5B0DFD3B565B332"]])]


Guests = Annotated[list[ExternalAttendee], Field(max_length=MAX_PEOPLE_WRITTEN), at_most(MAX_PEOPLE_WRITTEN)]


class _People(Contract):
    """Whom to invite; a list that is null or absent says nothing about its kind."""

    contact_ids: ContactIds = None
    staff_ids: StaffIds = None
    external_attendees: Guests | None = None

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        """Refuses too many people before any is looked up; duplicates are found later."""
        ids = {*(self.contact_ids or ()), *(self.staff_ids or ())}
        if len(ids) > MAX_PARTICIPANTS + 1:  # one may be the caller's own, which is ignored
            raise field_error("participants", f"at most {MAX_PARTICIPANTS} are allowed")
        return self


class CreateMeetingBody(_Texts, _People):
    """A meeting to create."""

    start_date_time: LocalDateTime
    end_date_time: LocalDateTime = Field(examples=["2026-06-15T15:45:00"])
    timezone: TimeZoneName
    all_day: StrictBool | None = None
    location_type: LocationType

    def content(self) -> MeetingContent:
        """The meeting's content; empty strings are no content."""
        given = {name: value for name, value in self if name in MeetingContent.model_fields and value not in ("", None)}
        return MeetingContent(**given)

    @model_validator(mode="after")
    def _can_be_held(self) -> Self:
        try:
            self.content().schedule.checked()
        except ValueError as problem:
            raise field_error("endDateTime", str(problem)) from problem
        return self


class UpdateMeetingBody(_Texts, _People):
    """What to change of a meeting: null or absent = unchanged, an empty string clears, a list replaces its kind."""

    start_date_time: LocalDateTime | None = None
    end_date_time: LocalDateTime | None = Field(default=None, examples=["2026-06-15T15:45:00"])
    timezone: TimeZoneName | None = None
    all_day: StrictBool | None = None
    location_type: LocationType | None = None

    def changes(self) -> MeetingChanges:
        return MeetingChanges(**{name: value for name, value in self if name in MeetingChanges.model_fields})


RsvpAnswer = TypeAliasType("RsvpAnswer", Literal[RsvpStatus.ACCEPTED, RsvpStatus.DECLINED])
"""How an invitation can be answered; a named alias, so that it has this name in generated clients."""


class RsvpBody(Contract):
    """The answer to an invitation."""

    status: RsvpAnswer = Field(examples=[RsvpStatus.ACCEPTED])


def field_error(field: str, problem: str) -> PydanticCustomError:
    """A problem of one field that only the whole body shows."""
    return PydanticCustomError("body", "{problem}", {"field": field, "problem": problem})
