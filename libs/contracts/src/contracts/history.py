"""The history of a meeting: an entry for each of its versions, chained so that a change of what it said is seen.

An entry's hash is the SHA-256 (FIPS 180-4) of this object as canonical JSON (RFC 8785: keys sorted, no spaces, UTF-8),
in lower-case hex::

    {"tenantUuid", "meetingUuid", "version", "at", "eventId", "eventType", "correlationId",
     "actor": {"id", "type", "way"}, "changes": [{"participantUuid", "digest"}], "previousHash"}

``previousHash`` is the hash of the entry before, ``GENESIS`` for the first. A ``digest`` is the SHA-256 of a list of
changes in the same form, ``{"salt", "fields": [{"field", "old", "new", "withheld"}]}``: what an entry says about a
person can be erased with its salt, and the chain still holds (docs/decisions/0034).
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Self

from pydantic import Field

from contracts.model import StoredModel
from contracts.transport.envelope import Envelope
from contracts.values.changes import ActorRef, FieldChange
from contracts.values.personal import PersonId
from contracts.values.times import Instant, format_instant

GENESIS = "0" * 64
"""What the first entry of a meeting has in place of the hash of the entry before."""


class ChangeGroup(StoredModel, frozen=True):
    """What one version changed of the meeting itself, or of one participant; no ``fields`` and salt once erased."""

    participant_uuid: PersonId | None = None
    fields: list[FieldChange] | None
    salt: str | None
    digest: str

    @classmethod
    def of(cls, participant_uuid: str | None, fields: Sequence[FieldChange]) -> Self:
        salt = secrets.token_hex(16)
        digest = _digest(salt, fields)
        return cls(participant_uuid=participant_uuid, fields=list(fields), salt=salt, digest=digest)

    @property
    def is_intact(self) -> bool:
        """Whether it says what it said when it was written, or nothing any more."""
        if self.fields is None or self.salt is None:
            return self.fields is None and self.salt is None
        return _digest(self.salt, self.fields) == self.digest


class HistoryEntry(StoredModel, frozen=True):
    """Who made one version of a meeting, by which way, and what they changed."""

    tenant_uuid: str
    meeting_uuid: str
    version: int
    at: Instant
    event_id: str
    event_type: str
    correlation_id: str | None
    actor: ActorRef
    changes: list[ChangeGroup] = Field(default_factory=list)
    previous_hash: str
    hash: str

    @classmethod
    def of(cls, event: Envelope, actor: ActorRef, changes: Iterable[FieldChange], *, previous_hash: str) -> Self:
        """The entry of a meeting's event; changes of one participant stand together."""
        entry = cls(
            tenant_uuid=event.tenant,
            meeting_uuid=event.subject,
            version=event.sequence or 0,
            at=event.time,
            event_id=event.id,
            event_type=event.type,
            correlation_id=event.correlation_id,
            actor=actor,
            changes=[
                ChangeGroup.of(participant_uuid, list(fields))
                for participant_uuid, fields in groupby(changes, lambda change: change.participant_uuid)
            ],
            previous_hash=previous_hash,
            hash="",
        )
        return entry.model_copy(update={"hash": entry.computed_hash()})

    def computed_hash(self) -> str:
        """The hash that the entry should have."""
        groups = [{"participantUuid": group.participant_uuid, "digest": group.digest} for group in self.changes]
        return _sha256(
            {
                "tenantUuid": self.tenant_uuid,
                "meetingUuid": self.meeting_uuid,
                "version": self.version,
                "at": format_instant(self.at),
                "eventId": self.event_id,
                "eventType": self.event_type,
                "correlationId": self.correlation_id,
                "actor": {"id": self.actor.id, "type": self.actor.type.value, "way": self.actor.way.value},
                "changes": groups,
                "previousHash": self.previous_hash,
            }
        )

    def problems(self) -> Iterator[str]:
        """How it differs from what was written; it may be intact and still be no successor of the entry before."""
        if self.computed_hash() != self.hash:
            yield "was changed"
        yield from (
            f"what it says of {group.participant_uuid or 'the meeting'} was changed"
            for group in self.changes
            if not group.is_intact
        )


class HistoryCheck:
    """Checks one meeting's entries, given in order, against each other and against the meeting."""

    def __init__(self) -> None:
        self._version, self._hash = 0, GENESIS

    def problems_of(self, entry: HistoryEntry) -> Iterator[str]:
        """What is wrong with the next entry, and with what should be before it."""
        if entry.version != self._version + 1:
            yield missing(self._version + 1, entry.version - 1)
        elif entry.previous_hash != self._hash:
            yield f"version {entry.version} does not follow the entry before it"
        yield from (f"version {entry.version} {problem}" for problem in entry.problems())
        self._version, self._hash = entry.version, entry.hash

    def problems_at_end(self, version: int, last_hash: str) -> Iterator[str]:
        """What is wrong at the end, where the meeting has this version and names this hash as the last."""
        if self._version < version:
            yield missing(self._version + 1, version)
        elif self._hash != last_hash:
            yield f"version {version} is not the entry that the meeting names as its last"


def missing(first: int, last: int) -> str:
    """That these versions have no entry."""
    return f"version {first} is missing" if first == last else f"versions {first} to {last} are missing"


def entry_id(meeting_uuid: str, version: int) -> str:
    """The key of a meeting's entry for this version; those of one meeting sort by version."""
    return f"{meeting_uuid}/{version:010d}"


def _digest(salt: str, fields: Sequence[FieldChange]) -> str:
    said = [
        {"field": change.field, "old": change.old, "new": change.new, "withheld": change.withheld} for change in fields
    ]
    return _sha256({"salt": salt, "fields": said})


def _sha256(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
