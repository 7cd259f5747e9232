"""A calendar event, the same for every provider: what a meeting's copy is to say, and what a provider says it says.

Texts are normalised the same way on both sides, so that two events are the same when they read the same.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from contracts.values.enums import MeetingStatus
from contracts.values.meeting import MeetingState, ParticipantState
from contracts.values.times import Instant
from pydantic import BaseModel, ConfigDict, field_validator
from pydantic.alias_generators import to_camel

_STORED = ConfigDict(
    alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True, frozen=True
)
_LONGEST_TITLE = 255
_LONGEST_DESCRIPTION = 8_000
"""Google cuts descriptions at 8,192 characters, which would never come back as they were written."""
_MOST_GUESTS = 50
_LONGEST_TEXT = 20_000
"""Of what is kept of an owner's own words, which may be a book."""
UNTITLED = "Meeting"
_GUESTS = "Guests:"
_TELLING = 40
"""So many characters before a cut tell that a text still ends there."""


class When(BaseModel):
    """When an event is: UTC instants cut to seconds, and the IANA zone it is shown in, None where it is not known.

    An all-day event has dates: they stand here as midnights in UTC, the end exclusive.
    """

    model_config = _STORED

    starts_at: Instant
    ends_at: Instant
    all_day: bool = False
    zone: str | None = None

    @field_validator("starts_at", "ends_at")
    @classmethod
    def _whole_seconds(cls, value: datetime) -> datetime:
        return value.replace(microsecond=0)

    def same_as(self, other: "When") -> bool:
        """Whether both mean the same time; the zone counts where both know one."""
        zones = {self.zone, other.zone} - {None}
        return self.instants == other.instants and (self.all_day or len(zones) <= 1)

    @property
    def instants(self) -> tuple[datetime, datetime, bool]:
        return self.starts_at, self.ends_at, self.all_day


class EventContent(BaseModel):
    """What an event says. It never lists guests as attendees: the platform alone invites them."""

    model_config = _STORED

    title: str
    when: When
    location: str = ""
    description: str = ""

    @field_validator("title", "location", "description")
    @classmethod
    def _read_the_same(cls, text: str) -> str:
        return normalised(text[:_LONGEST_TEXT])

    def differs_from(self, other: "EventContent") -> frozenset[str]:
        """The names of the fields in which this event is another."""
        texts = {name for name in ("title", "location", "description") if getattr(self, name) != getattr(other, name)}
        return frozenset(texts | (set() if self.when.same_as(other.when) else {"when"}))

    def with_those_of(self, other: "EventContent", fields: Collection[str]) -> "EventContent":
        """This event, but in these fields as the other."""
        return self.model_copy(update={name: getattr(other, name) for name in fields})

    @property
    def fingerprint(self) -> str:
        """The same for all events that read the same: how a change is known to be our own that comes back."""
        starts_at, ends_at, all_day = self.when.instants
        said = [self.title, starts_at.isoformat(), ends_at.isoformat(), all_day, self.location, self.description]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def normalised(text: str) -> str:
    """The text without what providers change: line ends, and blanks at the end of lines and around the whole."""
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip()


def copy_of(meeting: MeetingState) -> EventContent | None:
    """What the host's calendar ought to show; None for a meeting that is no more."""
    if meeting.status is not MeetingStatus.ACTIVE:
        return None
    return EventContent(
        title=(meeting.title or UNTITLED)[:_LONGEST_TITLE],
        when=_when(meeting),
        location=meeting.location_detail or meeting.meeting_link or "",
        description=_description(meeting),
    )


def _when(meeting: MeetingState) -> When:
    if not meeting.all_day:
        return When(starts_at=meeting.starts_at, ends_at=meeting.ends_at, zone=meeting.timezone)
    # The instants are midnights in the meeting's zone; its wall clock says which days these are.
    schedule = meeting.schedule
    first, end = schedule.start.date(), schedule.end.date()
    last = end if schedule.end.time() == datetime.min.time() else end.fromordinal(end.toordinal() + 1)
    return When(
        starts_at=datetime(first.year, first.month, first.day, tzinfo=UTC),
        ends_at=datetime(last.year, last.month, last.day, tzinfo=UTC),
        all_day=True,
        zone=meeting.timezone,
    )


def _description(meeting: MeetingState) -> str:
    shown, hidden = _own(meeting)
    return "\n\n".join(part for part in (shown + "…" if hidden else shown, _ours(meeting)) if part)


def _own(meeting: MeetingState) -> tuple[str, str]:
    """What the meeting's people say about it: what of it there is room for, and the rest."""
    said = (normalised(text or "") for text in (meeting.description, meeting.meeting_information))
    own = "\n\n".join(text for text in said if text)
    room = _LONGEST_DESCRIPTION - len(_ours(meeting)) - 2
    return (own, "") if len(own) <= room else (own[: room - 1], own[room - 1 :])


def _ours(meeting: MeetingState) -> str:
    return "\n\n".join(part for part in (_join_line(meeting), _guests(meeting.participants)) if part)


def _join_line(meeting: MeetingState) -> str | None:
    return f"Join: {meeting.meeting_link}" if meeting.meeting_link else None


def _guests(participants: Iterable[ParticipantState]) -> str | None:
    named = _names(participants)
    return "\n".join([_GUESTS, *named]) if named else None


def _names(participants: Iterable[ParticipantState]) -> list[str]:
    named = [one.name or one.email or "" for one in participants]
    more = [f"and {len(named) - _MOST_GUESTS} more"] if len(named) > _MOST_GUESTS else []
    return [*(name[:80] for name in named[:_MOST_GUESTS]), *more]


# --- and back: what the owner of the calendar says ----------------------------------------------------------------


def own_words(text: str, meeting: MeetingState) -> str:
    """The description that ``text`` gives the meeting: without what we add, wherever its owner has put that.

    What they changed in our lines is theirs. Of a text that was cut for the calendar, the rest is put back.
    """
    text = normalised(text)
    if text == normalised(_description(meeting)):
        return normalised(meeting.description or "")
    words = _without_lines(text, _GUESTS, _names(meeting.participants))
    words = _without(words, _join_line(meeting))
    shown, hidden = _own(meeting)
    if hidden and words.endswith(shown[-_TELLING:] + "…"):
        words = normalised(words[:-1] + hidden)
    return normalised(_without(words, meeting.meeting_information))


def _without(text: str, block: str | None) -> str:
    """The text without the last place where these lines stand together; the lines around them close up."""
    lines, block_lines = text.split("\n"), normalised(block or "").split("\n")
    if block_lines == [""]:
        return text
    for at in range(len(lines) - len(block_lines), -1, -1):
        if lines[at : at + len(block_lines)] == block_lines:
            return _closed_up(lines[:at], lines[at + len(block_lines) :])
    return text


def _without_lines(text: str, heading: str, entries: Collection[str]) -> str:
    """The text without the last such heading and without those of our entries that still follow it."""
    lines = text.split("\n")
    if not entries or heading not in lines:
        return text
    at = len(lines) - 1 - lines[::-1].index(heading)
    ours = Counter(map(normalised, entries))
    kept = []
    for line in lines[at + 1 :]:
        if ours[line] > 0:
            ours[line] -= 1
        else:
            kept.append(line)
    return _closed_up(lines[:at], kept) if len(kept) < len(lines) - at - 1 else text


def _closed_up(before: list[str], after: list[str]) -> str:
    return "\n\n".join(part for part in ("\n".join(before).strip(), "\n".join(after).strip()) if part)
