"""The content of a calendar event, the same for every provider.

Texts are normalised on both sides, so that two events that read the same are equal.
"""

import hashlib
import json
from collections.abc import Collection
from datetime import datetime, timedelta

from contracts.model import StoredModel
from contracts.values.personal import WrittenText
from contracts.values.times import Instant
from pydantic import field_validator

from calendar_sync.providers.text import normalised

_LONGEST_TEXT = 20_000
"""Of what is kept of an owner's own words, which may be a book."""


class EventTime(StoredModel, frozen=True):
    """When an event is: UTC instants cut to seconds, and the IANA zone it is shown in, None where it is not known.

    An all-day event has dates: they stand here as midnights in UTC, the end exclusive.
    """

    starts_at: Instant
    ends_at: Instant
    all_day: bool = False
    zone: str | None = None

    @field_validator("starts_at", "ends_at")
    @classmethod
    def _whole_seconds(cls, value: datetime) -> datetime:
        return value.replace(microsecond=0)

    @classmethod
    def days(cls, first: datetime, end: datetime | None) -> "EventTime":
        """Whole days from one midnight to before another; an end that is none, or no later, means one day.

        Providers give such ends although RFC 5545 section 3.6.1 has them exclusive, and one day where there is none.
        """
        one_day = first + timedelta(days=1)
        return cls(starts_at=first, ends_at=max(end or one_day, one_day), all_day=True)

    @classmethod
    def span(cls, starts_at: datetime, ends_at: datetime | None, zone: str | None = None) -> "EventTime":
        """From one instant to another; an end that is none, or earlier, is the start (RFC 5545 section 3.6.1)."""
        return cls(starts_at=starts_at, ends_at=max(ends_at or starts_at, starts_at), zone=zone)

    def is_equivalent_to(self, other: "EventTime") -> bool:
        """Whether both mean the same time; the zone counts where both know one."""
        zones = {self.zone, other.zone} - {None}
        return self.instants == other.instants and (self.all_day or len(zones) <= 1)

    @property
    def instants(self) -> tuple[datetime, datetime, bool]:
        return self.starts_at, self.ends_at, self.all_day


class EventContent(StoredModel, frozen=True):
    """What an event says. It never lists guests as attendees: the platform alone invites them."""

    title: WrittenText
    when: EventTime
    location: WrittenText = ""
    description: WrittenText = ""

    @field_validator("title", "location", "description")
    @classmethod
    def _read_the_same(cls, text: str) -> str:
        return normalised(text[:_LONGEST_TEXT])

    def differs_from(self, other: "EventContent") -> frozenset[str]:
        """The names of the fields in which this event is another."""
        texts = {name for name in ("title", "location", "description") if getattr(self, name) != getattr(other, name)}
        return frozenset(texts | (set() if self.when.is_equivalent_to(other.when) else {"when"}))

    def with_those_of(self, other: "EventContent", fields: Collection[str]) -> "EventContent":
        """This event, but in these fields as the other."""
        return self.model_copy(update={name: getattr(other, name) for name in fields})

    @property
    def fingerprint(self) -> str:
        """The same for all events that read the same: how a change is known to be our own that comes back."""
        starts_at, ends_at, all_day = self.when.instants
        said = [self.title, starts_at.isoformat(), ends_at.isoformat(), all_day, self.location, self.description]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()
