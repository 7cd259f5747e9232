"""The link of a meeting and its copies in its host's external calendars: what is wanted, and what was written. Pure.

What is wanted comes from the meeting's events and is only ever replaced by something newer. What was written is known
by whoever writes it, one copy for each account that the host has had connected.
"""

from datetime import datetime

from contracts.enums import CalendarProvider, ExternalSyncStatus, MeetingStatus, SyncFailureCode, SyncOperation
from contracts.ids import uuid8_hex
from contracts.meetings import MeetingState
from contracts.times import Instant
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from calendar_sync.domain.event import EventContent
from calendar_sync.domain.failures import Failure

_STORED = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

_MOST_ASKED = 20


class Copy(BaseModel):
    """A meeting's event in one account."""

    model_config = _STORED

    provider: CalendarProvider
    calendar_email: str
    number: int = 1
    """Rises when an event has to be made anew: an id that was deleted can never be used again."""
    event_id: str | None = None
    """The provider's id; None until a create is known to have succeeded."""
    etag: str | None = None
    asked: EventContent | None = None
    """What the last write that is known to have succeeded asked for."""
    returned: EventContent | None = None
    """What the provider made of it."""
    echo: str | None = None
    """The fingerprint of what the provider made of it: a change that brings the same is our own."""
    asking: list[EventContent] = Field(default_factory=list)
    """What was asked for since, with nobody knowing yet whether it was done."""
    attempted_at: Instant | None = None
    removed: bool = False

    def holds(self, *, event_id: str, etag: str, content: EventContent) -> None:
        """The event was seen as it is."""
        self.event_id, self.etag, self.removed = event_id, etag, False
        self.returned, self.echo = content, content.fingerprint

    def asks(self, content: EventContent, now: datetime) -> None:
        """This is about to be asked for. After very many unanswered wishes, nothing is known of the event."""
        if content not in self.asking:
            self.asking.append(content)
        if len(self.asking) > _MOST_ASKED:
            self.asked, self.asking = None, [content]
        self.attempted_at = now

    def settled(self, content: EventContent) -> None:
        """The event says what was wanted."""
        self.asked, self.asking = content, []

    def anew(self) -> None:
        """The event is gone for good; the next one gets another id."""
        self.number += 1
        self.event_id = self.etag = self.asked = self.returned = self.echo = None
        self.asking, self.removed = [], False

    def gone(self) -> None:
        """The event was removed because it is not wanted; its id is kept, to know its tombstone by."""
        self.etag = self.asked = self.returned = self.echo = None
        self.asking, self.removed = [], True

    def ours_in(self, content: EventContent, theirs: EventContent | None) -> frozenset[str]:
        """The fields to write so that the event says what is wanted, and keeps what only its owner changed.

        A three-way merge: what is wanted counts where it differs from anything that we have written or tried to;
        elsewhere ``theirs``, the event as it was just read, stays.
        """
        known = theirs or (None if self.asking else self.asked)
        differing = content.differs_from(known) if known is not None else frozenset(EventContent.model_fields)
        if self.asked is None:  # whatever is there was not known to us, so nothing says that its owner changed it
            return differing
        return differing & frozenset().union(*(content.differs_from(base) for base in (self.asked, *self.asking)))


class Told(BaseModel):
    """What was last told about a link."""

    model_config = _STORED

    status: ExternalSyncStatus
    operation: SyncOperation | None = None
    failure_code: SyncFailureCode | None = None
    failure_reason: str | None = None
    sequence: int
    """Of the telling: milliseconds since 1970, or one more than before."""
    meeting_version: int
    at: Instant


class Link(BaseModel):
    """One meeting of the platform. ``sequence`` is the newest version of it that was heard of; older news is stale."""

    model_config = _STORED

    meeting_uuid: str
    tenant_uuid: str
    host_uuid: str
    sequence: int
    wanted: MeetingState
    asked_for: str = ""
    """The correlation id of the request that led to the newest wish."""
    copies: dict[str, Copy] = Field(default_factory=dict)
    """By ``account_key``."""
    told: Told | None = None

    def is_ahead(self, now: datetime) -> bool:
        """Whether the meeting takes place and is not over."""
        return self.wanted.status is MeetingStatus.ACTIVE and self.wanted.ends_at > now

    @property
    def is_told_of(self) -> bool:
        """Whether anybody believes that the meeting has to do with a calendar."""
        return self.told is not None and self.told.status is not ExternalSyncStatus.NOT_APPLICABLE

    def tell(
        self,
        status: ExternalSyncStatus,
        now: datetime,
        *,
        operation: SyncOperation | None = None,
        failure: Failure | None = None,
    ) -> Told | None:
        """What is to be told now; None when it was told before."""
        before = self.told
        told = Told(
            status=status,
            operation=operation,
            failure_code=failure.code if failure else None,
            failure_reason=failure.reason if failure else None,
            sequence=max(int(now.timestamp() * 1000), before.sequence + 1 if before else 0),
            meeting_version=self.sequence,
            at=now,
        )
        same = before is not None and before == told.model_copy(update={"sequence": before.sequence, "at": before.at})
        return None if same else told


def account_key(provider: CalendarProvider, calendar_email: str) -> str:
    """Names an account at a provider; the same whoever connects it, and however often."""
    return uuid8_hex("calendar account", provider, calendar_email.casefold())
