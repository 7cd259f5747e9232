"""The link of a meeting and its copies in its host's external calendars: what is wanted, and what was written. Pure.

What is wanted comes from the meeting's events and is only ever replaced by something newer. What was written is known
by whoever writes it, one copy for each account that the host has had connected.

Hosts change and delete their copies, too, and the meeting is what decides: their change is told, and what the meeting
makes of it comes back as what is wanted.

- What we know the event to say (``returned``) moves only by our own writes and by taking over. So a change of its
  owner's is told once, and nothing that we wrote is ever told as theirs.
- Where the platform changed the same field, and that is not written yet, the platform counts: its write takes the
  owner's change away. Where the platform's change came first but was not heard of yet, the owner's is told, the
  meeting has both in the order in which it took them, and the last one is written if the event does not say it.
- A field that was told is not written while the meeting says what it said before, or it would flap back until the
  answer comes. If none comes in time, because the meeting does not accept the change, the field is put right.

Each telling comes of a change that somebody made, each write of a telling, of a change on the platform or of one wait
that ended; so when people stop, writing stops, and then the event says what the meeting says.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from contracts.values.enums import CalendarProvider, ExternalSyncStatus, MeetingStatus, SyncFailureCode, SyncOperation
from contracts.values.ids import uuid8_hex
from contracts.values.meeting import MeetingState
from contracts.values.times import Instant
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from calendar_sync.domain.event import EventContent
from calendar_sync.domain.failures import Failure

_STORED = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

_MOST_ASKED = 20
_MAX_BLOCKS = 5
_EVERYTHING = frozenset(EventContent.model_fields)


class Conceded(BaseModel):
    """What the host changed and we have told of. It is left alone until the meeting says something new about it."""

    model_config = _STORED

    fields: list[str]
    instead_of: list[EventContent]
    """What the meeting has said until then: as long as it says one of these, it has not answered."""
    until: Instant
    """When we stop waiting for an answer, and what the meeting says is written."""


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
    calendar_id: str | None = None
    """The calendar that its owner has moved it to; None while it is where it was made."""
    asked: EventContent | None = None
    """What the last write that is known to have succeeded asked for."""
    returned: EventContent | None = None
    """What the platform knows the event to say: what the provider made of our writes, and what we took over from its
    owner. What else is in the event is news."""
    echo: str | None = None
    """The fingerprint of that: a change that brings the same is our own."""
    asking: list[EventContent] = Field(default_factory=list)
    """What was asked for since, with nobody knowing yet whether it was done."""
    attempted_at: Instant | None = None
    blocks: list[str] = Field(default_factory=list)
    """The lines that we added to its descriptions, newest last: what an editor that was open for long brings back."""
    conceded: Conceded | None = None
    looked: str = ""
    """The token of the last ``Look`` that was taken."""
    removed: bool = False

    def is_at(self, event_id: str, etag: str, calendar_id: str | None = None) -> None:
        """The event was seen there. What it says is not known to the platform by that."""
        self.event_id, self.etag, self.removed = event_id, etag, False
        self.calendar_id = calendar_id or self.calendar_id

    def says(self, content: EventContent, fields: Collection[str] = _EVERYTHING) -> None:
        """From now on the platform knows that the event says this in these fields; all, if nothing was known."""
        self.returned = content if self.returned is None else self.returned.with_those_of(content, fields)
        self.echo = self.returned.fingerprint

    def remember_block(self, block: str) -> None:
        """These lines are about to be written."""
        if block and block not in self.blocks[-1:]:
            self.blocks = [*(known for known in self.blocks if known != block), block][-_MAX_BLOCKS:]

    def asks(self, content: EventContent, fields: Collection[str], now: datetime) -> None:
        """These fields are about to be asked for. After very many unanswered wishes, nothing is known of the event."""
        asking = content if self.asked is None else self.asked.with_those_of(content, fields)
        if asking not in self.asking:
            self.asking.append(asking)
        if len(self.asking) > _MOST_ASKED:
            self.asked, self.asking = None, [content]
        self.attempted_at = now

    def settled(self, content: EventContent, theirs: EventContent | None, now: datetime) -> None:
        """The event says what was wanted, except where its owner's change is still to be answered.

        Where ``theirs``, the event as it was just read, says the same, its owner may have made it so: it is known now.
        """
        awaited = self.awaited(content, now)
        if theirs is not None:
            self.says(theirs, _EVERYTHING - content.differs_from(theirs) - awaited)
        self.asked = content if self.asked is None else content.with_those_of(self.asked, awaited)
        self.asking = []

    def anew(self) -> None:
        """The event is gone for good; the next one gets another id."""
        self.number += 1
        self._forget()
        self.event_id, self.removed = None, False

    def gone(self) -> None:
        """The event is not there any more; its id is kept, to know its tombstone by."""
        self._forget()
        self.removed = True

    def _forget(self) -> None:
        self.etag = self.calendar_id = self.asked = self.returned = self.echo = self.conceded = None
        self.asking = []

    def ours_in(self, content: EventContent, theirs: EventContent | None, now: datetime) -> frozenset[str]:
        """The fields to write so that the event says what is wanted, and keeps what only its owner changed.

        A three-way merge: what is wanted counts where it differs from anything that we have written or tried to;
        elsewhere ``theirs``, the event as it was just read, stays.
        """
        known = theirs or (None if self.asking else self.returned)
        differing = content.differs_from(known) if known is not None else _EVERYTHING
        if self.asked is None:  # whatever is there was not known to us, so nothing says that its owner changed it
            return differing
        return (differing & self._unlike_asked(content)) - self.awaited(content, now)

    # --- what its owner does ------------------------------------------------------------------------------------

    def theirs_in(self, content: EventContent, wanted: EventContent, now: datetime) -> frozenset[str]:
        """The fields of the event as it was just read that its owner changed, and the platform did not meanwhile."""
        if self.asked is None or self.returned is None:
            return frozenset()
        unanswered = frozenset().union(*(_EVERYTHING - content.differs_from(ours) for ours in self.asking))
        written_soon = self._unlike_asked(wanted) - self.awaited(wanted, now)
        return content.differs_from(self.returned) - unanswered - written_soon

    def concedes(
        self, content: EventContent, fields: Collection[str], wanted: EventContent, now: datetime, until: datetime
    ) -> None:
        """Its owner's change of these fields is told, and until the meeting answers, or that instant, it stays."""
        before = self.conceded if self.conceded is not None and now < self.conceded.until else None
        said = [*(before.instead_of if before else []), wanted, *([self.asked] if self.asked else [])]
        self.conceded = Conceded(
            fields=sorted({*fields, *(before.fields if before else [])}), instead_of=said[-_MOST_ASKED:], until=until
        )
        self.accepts(content, fields)

    def accepts(self, content: EventContent, fields: Collection[str]) -> None:
        """These fields are as if we had asked for what they say."""
        self.says(content, fields)
        self.asked = self.asked.with_those_of(content, fields) if self.asked else None
        self.asking = [one.with_those_of(content, fields) for one in self.asking]

    def removed_by_owner(self, until: datetime) -> None:
        """The event is gone and that is told; it is not made anew before the meeting answers, or that instant."""
        self.gone()
        self.conceded = Conceded(fields=sorted(_EVERYTHING), instead_of=[], until=until)

    def awaited(self, wanted: EventContent, now: datetime) -> frozenset[str]:
        """The fields that its owner changed, and about which the meeting still says what it said before."""
        conceded = self.conceded
        if conceded is None or self.asked is None or now >= conceded.until:
            return frozenset()
        said = frozenset().union(*(_EVERYTHING - wanted.differs_from(before) for before in conceded.instead_of))
        return wanted.differs_from(self.asked) & said & frozenset(conceded.fields)

    def waits(self, wanted: EventContent, now: datetime) -> timedelta:
        """How long an answer to what its owner did is still waited for; zero when none is."""
        if self.conceded is None or not (self.removed or self.awaited(wanted, now)):
            return timedelta(0)
        return max(timedelta(0), self.conceded.until - now)

    def _unlike_asked(self, content: EventContent) -> frozenset[str]:
        bases = [self.asked] if self.asked else []
        return frozenset().union(*(content.differs_from(base) for base in (*bases, *self.asking)))


class Look(BaseModel):
    """Somebody saw that the event may have been changed or removed by its owner; each has a ``token`` of its own."""

    model_config = _STORED

    token: str
    doubted: bool = False
    """So many are missing at once that a removal is not to be believed."""


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
    asked_in_trace: str | None = None
    """That request's traceparent."""
    copies: dict[str, Copy] = Field(default_factory=dict)
    """By ``account_key``."""
    look: dict[str, Look] = Field(default_factory=dict)
    """The newest look at the copy of each account."""
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


def account_key(provider: CalendarProvider, subject: str) -> str:
    """Names an account at a provider by the provider's id of it."""
    return uuid8_hex("calendar account", provider, subject)
