"""Queries: reads over the internal HTTP API of the service that owns the data. Each is answered with a ``Reply``.

A query is POSTed as JSON to ``/internal/queries/<name>`` with the internal token.
"""

from typing import ClassVar

from pydantic import Field, field_validator

from contracts.api.filters import MAX_FILTERS, MAX_PATTERN_TOTAL, MAX_SORT_KEYS, Condition, SortKey
from contracts.messages.command import Actor
from contracts.model import Contract
from contracts.values.personal import PersonId
from contracts.values.times import Instant

MAX_PEOPLE_CHECKED = 500


class InternalQuery(Contract):
    """What the gateway or an operator may ask, under its ``name``."""

    name: ClassVar[str]

    @property
    def tenant(self) -> str:
        """The tenant it is about; empty when it proves none."""
        return ""


class ActorQuery(InternalQuery):
    """A question on behalf of an authenticated caller."""

    actor: Actor

    @property
    def tenant(self) -> str:
        return self.actor.tenant_uuid


class GetMeeting(ActorQuery):
    """One meeting in full; answered with a ``Meeting``."""

    name = "get-meeting"
    meeting_uuid: str


class GetMeetingHistory(ActorQuery):
    """Who changed a meeting, and what, the first version first; answered with a ``MeetingHistoryPage``."""

    name = "get-meeting-history"
    meeting_uuid: str
    page: int = Field(default=0, ge=0)
    size: int = Field(default=20, ge=1, le=100)


class ListCalendar(ActorQuery):
    """The meetings on the actor's calendar, the latest start first; answered with a ``Page`` of ``MeetingSummary``."""

    name = "list-calendar"
    page: int = Field(default=0, ge=0)
    size: int = Field(default=20, ge=1, le=100)


class SearchMeetings(ListCalendar):
    """Those meetings on the actor's calendar that fulfil every condition; without a sort, the latest start first."""

    name = "search-meetings"
    conditions: list[Condition] = Field(default_factory=list, max_length=MAX_FILTERS)
    sort: list[SortKey] = Field(default_factory=list, max_length=MAX_SORT_KEYS)

    @field_validator("conditions")
    @classmethod
    def _look_for_little(cls, conditions: list[Condition]) -> list[Condition]:
        if (
            sum(len(condition.operands[0]) for condition in conditions if condition.operator.is_pattern)
            > MAX_PATTERN_TOTAL
        ):
            raise ValueError("too much text to look for")
        return conditions


class CheckAvailability(ActorQuery):
    """Who of these people has no time in the half-open window; answered with ``Busy``. The window's end is no part."""

    name = "check-availability"
    user_uuids: list[PersonId] = Field(max_length=MAX_PEOPLE_CHECKED)
    starts_at: Instant
    ends_at: Instant


class GetMeetingPassword(InternalQuery):
    """What participants need to join a meeting; answered with a ``MeetingPassword``.

    Only for services that show it to those who take part. It is in no event, so no topic, dead letter or log has it.
    """

    name = "get-meeting-password"
    tenant_uuid: str
    meeting_uuid: str

    @property
    def tenant(self) -> str:
        return self.tenant_uuid


class GetInvitation(InternalQuery):
    """What a guest's RSVP page shows to the holder of the link; answered with an ``Invitation``.

    ``tenant_uuid`` is the one that the link's token proves; without a token it proves none.
    """

    name = "get-invitation"
    meeting_uuid: str
    participant_uuid: PersonId
    tenant_uuid: str | None = None

    @property
    def tenant(self) -> str:
        return self.tenant_uuid or ""
