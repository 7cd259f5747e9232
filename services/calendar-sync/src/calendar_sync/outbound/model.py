"""A meeting of the platform and its mirrored events in the host's external calendars. Pure.

1. ``base`` is what we know an event to contain, ``desired`` what the meeting wants, ``observed`` what was just read.
2. Fields in which observed and base differ are host edits; they are published once.
3. Where the platform changed the same field and has not written it yet, the platform's value is written.
4. A published host edit is not written over while the meeting has not answered, at most until ``expires_at``.
5. After that, the event is made equal to the meeting.

Decision 15 says why this converges.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from contracts.model import StoredModel
from contracts.values.enums import CalendarProvider, ExternalSyncStatus, MeetingStatus, SyncFailureCode, SyncOperation
from contracts.values.meeting import MeetingState
from contracts.values.personal import Credential, MailAddress, PersonId, WrittenText
from contracts.values.times import Instant
from pydantic import Field

from calendar_sync.providers.errors import Failure
from calendar_sync.providers.event_content import EventContent

_MAX_REMEMBERED = 20


_MAX_BLOCKS = 5


_EVERYTHING = frozenset(EventContent.model_fields)


class PendingHostEdit(StoredModel):
    """An edit of the host that was published. It is not written over until the meeting has answered."""

    fields: list[str]
    previous_contents: list[EventContent]
    """The contents that the meeting had until then: while it has one of these, it has not answered."""
    expires_at: Instant
    """When we stop waiting for an answer, and write the meeting's content."""


class MirroredEvent(StoredModel):
    """A meeting's event in one account."""

    provider: CalendarProvider
    calendar_email: MailAddress
    incarnation: int = 1
    """Rises when an event has to be made anew: an id that was deleted can never be used again."""
    event_id: str | None = None
    """The provider's id; None until a create is known to have succeeded."""
    etag: str | None = None
    calendar_id: MailAddress | None = None
    """The calendar that its owner has moved it to; None while it is where it was made."""
    last_written: EventContent | None = None
    """What the last write that is known to have succeeded asked for."""
    base: EventContent | None = None
    """The content of the event that the platform knows: what the provider made of our writes, and what we adopted from
    its owner. Where the event differs from it, its owner has changed it."""
    base_fingerprint: str | None = None
    """The fingerprint of ``base``: a change with the same fingerprint is our own."""
    unconfirmed_writes: list[EventContent] = Field(default_factory=list)
    """The contents of later writes that may or may not have succeeded."""
    attempted_at: Instant | None = None
    blocks: list[WrittenText] = Field(default_factory=list)
    """The lines that we added to its descriptions, newest last: an editor that was open for long may restore them."""
    pending_host_edit: PendingHostEdit | None = None
    last_recheck_id: str = ""
    """The id of the last ``Recheck`` that was carried out."""
    deleted: bool = False

    def record_location(self, event_id: str, etag: str, calendar_id: str | None = None) -> None:
        """Record where the event is. Its content is not known by that."""
        self.event_id, self.etag, self.deleted = event_id, etag, False
        self.calendar_id = calendar_id or self.calendar_id

    def record_known_content(self, content: EventContent, fields: Collection[str] = _EVERYTHING) -> None:
        """Record the content of these fields as known; of all fields, if nothing was known."""
        self.base = content if self.base is None else self.base.with_those_of(content, fields)
        self.base_fingerprint = self.base.fingerprint

    def record_block(self, block: str) -> None:
        """Record lines that are about to be written."""
        if block and block not in self.blocks[-1:]:
            self.blocks = [*(known for known in self.blocks if known != block), block][-_MAX_BLOCKS:]

    def record_intent(self, content: EventContent, fields: Collection[str], now: datetime) -> None:
        """Record that these fields are about to be written. After many unconfirmed writes, nothing is known."""
        intended = content if self.last_written is None else self.last_written.with_those_of(content, fields)
        if intended not in self.unconfirmed_writes:
            self.unconfirmed_writes.append(intended)
        if len(self.unconfirmed_writes) > _MAX_REMEMBERED:
            self.last_written, self.unconfirmed_writes = None, [content]
        self.attempted_at = now

    def record_synced(self, content: EventContent, observed: EventContent | None, now: datetime) -> None:
        """Record that the event has the desired ``content``, except where a host edit awaits the meeting's answer.

        Where ``observed``, the event as it was just read, has the same content, it is known from now on.
        """
        awaited = self.fields_awaiting_meeting(content, now)
        if observed is not None:
            self.record_known_content(observed, _EVERYTHING - content.differs_from(observed) - awaited)
        self.last_written = content if self.last_written is None else content.with_those_of(self.last_written, awaited)
        self.unconfirmed_writes = []

    def start_new_incarnation(self) -> None:
        """The event is gone for good; the next event gets another id."""
        self.incarnation += 1
        self._forget()
        self.event_id, self.deleted = None, False

    def mark_deleted(self) -> None:
        """The event is deleted; its id is kept, so that its tombstone is recognised."""
        self._forget()
        self.deleted = True

    def _forget(self) -> None:
        self.etag = self.calendar_id = self.last_written = self.base = self.base_fingerprint = (
            self.pending_host_edit
        ) = None
        self.unconfirmed_writes = []

    def fields_to_write(self, content: EventContent, observed: EventContent | None, now: datetime) -> frozenset[str]:
        """The fields to write so that the event has the desired content, and keeps what only its owner changed.

        A three-way merge: a desired field is written where it differs from everything that we wrote or tried to write;
        elsewhere ``observed``, the event as it was just read, stays.
        """
        known = observed or (None if self.unconfirmed_writes else self.base)
        differing = content.differs_from(known) if known is not None else _EVERYTHING
        if (
            self.last_written is None
        ):  # whatever is there was not known to us, so nothing says that its owner changed it
            return differing
        return (differing & self._unlike_written(content)) - self.fields_awaiting_meeting(content, now)

    # --- what its owner does ------------------------------------------------------------------------------------

    def fields_changed_by_host(self, content: EventContent, desired: EventContent, now: datetime) -> frozenset[str]:
        """The fields of the event as it was just read that its owner changed, and the platform did not meanwhile."""
        if self.last_written is None or self.base is None:
            return frozenset()
        unanswered = frozenset().union(*(_EVERYTHING - content.differs_from(ours) for ours in self.unconfirmed_writes))
        written_soon = self._unlike_written(desired) - self.fields_awaiting_meeting(desired, now)
        return content.differs_from(self.base) - unanswered - written_soon

    def hold_host_edit(
        self, content: EventContent, fields: Collection[str], desired: EventContent, now: datetime, expires_at: datetime
    ) -> None:
        """Keep the host's edit of these fields until the meeting answers, at most until ``expires_at`` (UTC)."""
        before = (
            self.pending_host_edit
            if self.pending_host_edit is not None and now < self.pending_host_edit.expires_at
            else None
        )
        contents = [
            *(before.previous_contents if before else []),
            desired,
            *([self.last_written] if self.last_written else []),
        ]
        self.pending_host_edit = PendingHostEdit(
            fields=sorted({*fields, *(before.fields if before else [])}),
            previous_contents=contents[-_MAX_REMEMBERED:],
            expires_at=expires_at,
        )
        self.adopt_fields(content, fields)

    def adopt_fields(self, content: EventContent, fields: Collection[str]) -> None:
        """Treat these fields as if we had written them."""
        self.record_known_content(content, fields)
        self.last_written = self.last_written.with_those_of(content, fields) if self.last_written else None
        self.unconfirmed_writes = [write.with_those_of(content, fields) for write in self.unconfirmed_writes]

    def mark_deleted_by_host(self, expires_at: datetime) -> None:
        """The host deleted the event: it is not created again until the meeting answers, or ``expires_at`` (UTC)."""
        self.mark_deleted()
        self.pending_host_edit = PendingHostEdit(
            fields=sorted(_EVERYTHING), previous_contents=[], expires_at=expires_at
        )

    def fields_awaiting_meeting(self, desired: EventContent, now: datetime) -> frozenset[str]:
        """The fields that the host changed, and of which the meeting still has an earlier content."""
        pending_host_edit = self.pending_host_edit
        if pending_host_edit is None or self.last_written is None or now >= pending_host_edit.expires_at:
            return frozenset()
        contents = frozenset().union(
            *(_EVERYTHING - desired.differs_from(before) for before in pending_host_edit.previous_contents)
        )
        return desired.differs_from(self.last_written) & contents & frozenset(pending_host_edit.fields)

    def remaining_hold(self, desired: EventContent, now: datetime) -> timedelta:
        """How long the meeting's answer to a host edit is still awaited; zero when none is."""
        if self.pending_host_edit is None or not (self.deleted or self.fields_awaiting_meeting(desired, now)):
            return timedelta(0)
        return max(timedelta(0), self.pending_host_edit.expires_at - now)

    def _unlike_written(self, content: EventContent) -> frozenset[str]:
        bases = [self.last_written] if self.last_written else []
        return frozenset().union(*(content.differs_from(base) for base in (*bases, *self.unconfirmed_writes)))


class Recheck(StoredModel):
    """A request to compare the event with ``base``, because its owner may have changed or deleted it."""

    recheck_id: str
    is_mass_deletion: bool = False
    """So many are missing at once that their deletion must cancel nothing."""


class ReportedStatus(StoredModel):
    """The status that was last reported of a mirrored meeting."""

    status: ExternalSyncStatus
    operation: SyncOperation | None = None
    failure_code: SyncFailureCode | None = None
    failure_reason: WrittenText | None = None
    sequence: int
    """Orders the reports: milliseconds since 1970, or one more than before."""
    meeting_version: int
    at: Instant


class MirroredMeeting(StoredModel):
    """A meeting of the platform and its events in calendars. ``sequence`` is its newest known version."""

    meeting_uuid: str
    tenant_uuid: str
    host_uuid: PersonId
    sequence: int
    desired: MeetingState
    correlation_id: str = ""
    """The correlation id of the request that led to the desired state."""
    traceparent: str | None = None
    """That request's traceparent."""
    events: dict[str, MirroredEvent] = Field(default_factory=dict)
    """By ``account_key``."""
    rechecks: dict[str, Recheck] = Field(default_factory=dict)
    """The newest recheck of the event in each account."""
    reported_status: ReportedStatus | None = None
    password: Credential | None = Field(default=None, exclude=True)
    """To join the meeting: asked for each attempt, and stored only as a line of the events that were written."""

    def is_upcoming(self, now: datetime) -> bool:
        """Whether the meeting takes place and is not over."""
        return self.desired.status is MeetingStatus.ACTIVE and self.desired.ends_at > now

    @property
    def is_status_reported(self) -> bool:
        """Whether the meeting was last reported as one that is mirrored."""
        return self.reported_status is not None and self.reported_status.status is not ExternalSyncStatus.NOT_APPLICABLE

    def status_to_report(
        self,
        status: ExternalSyncStatus,
        now: datetime,
        *,
        operation: SyncOperation | None = None,
        failure: Failure | None = None,
    ) -> ReportedStatus | None:
        """The status to report now; None when it was reported before."""
        before = self.reported_status
        reported_status = ReportedStatus(
            status=status,
            operation=operation,
            failure_code=failure.code if failure else None,
            failure_reason=failure.reason if failure else None,
            sequence=max(int(now.timestamp() * 1000), before.sequence + 1 if before else 0),
            meeting_version=self.sequence,
            at=now,
        )
        same = before is not None and before == reported_status.model_copy(
            update={"sequence": before.sequence, "at": before.at}
        )
        return None if same else reported_status
