"""Queries: what the gateway asks the owners of data, over their internal HTTP APIs. Each is answered with a ``Reply``.

A query is POSTed as JSON to ``/internal/queries/<name>`` with the internal token.
"""

from typing import ClassVar

from pydantic import Field

from contracts.commands import Actor
from contracts.model import Contract


class Query(Contract):
    """A question on behalf of an authenticated caller."""

    name: ClassVar[str]
    actor: Actor


class GetMeeting(Query):
    """One meeting in full; answered with a ``Meeting``."""

    name = "get-meeting"
    meeting_uuid: str


class ListCalendar(Query):
    """The meetings on the actor's calendar, the latest start first; answered with a ``Page`` of ``MeetingSummary``."""

    name = "list-calendar"
    page: int = Field(default=0, ge=0)
    size: int = Field(default=20, ge=1, le=100)
