"""What the platform has promised, held against what can be seen from outside once everything is calm.

Nothing here uses the services' own rules: what is due follows from the public events and from what callers were told.
"""

import asyncio
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from contracts.transport.envelope import Envelope, EnvelopeError
from contracts.transport.topics import MEETING_EVENTS, dead_letter_topics
from pymongo import MongoClient

from tests.chaos.history import History, Json, MailReply, Operation, Outcome
from tests.support.mails import CalendarProgram, ReadMail
from tests.support.outside import Outside, Shown, expected

_UNSEEN_BY_GUESTS = {"internalNotes", "participants"}
_CREATED, _UPDATED = "meetings.meeting.created.v1", "meetings.meeting.updated.v1"
_CANCELED, _HIDDEN = "meetings.meeting.canceled.v1", "meetings.meeting.removed-from-calendar.v1"
_RESPONDED, _RESENT = "meetings.participant.responded.v1", "meetings.invitation.resent.v1"
_DELIVERED = "meetings.invitation.delivered.v1"
_BY_CALLERS = {_CREATED, _UPDATED, _CANCELED, _HIDDEN, _RESPONDED, _RESENT}
"""Types of what callers do; other events tell what services did because of it."""


@dataclass(frozen=True)
class Event:
    """One version of a meeting, as consumers were told."""

    id: str
    sequence: int
    type: str
    correlation: str
    body: Json

    @property
    def meeting(self) -> Json:
        found: Json = self.body["meeting"]
        return found


@dataclass
class Log:
    """The public topic from its beginning, and what was parked; reads on from where it was."""

    events: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    """By meeting, in order, each once."""
    disorder: list[str] = field(default_factory=list)
    repeats: int = 0
    """Events that were published more than once, under the same id: consumers drop them."""
    _positions: dict[TopicPartition, int] = field(default_factory=dict)

    async def read_on(self, bootstrap: str) -> None:
        """Read up to what is the end now."""
        partitions = [TopicPartition(MEETING_EVENTS.name, number) for number in range(MEETING_EVENTS.partitions)]
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=20)
        async with consumer:
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            for partition in partitions:
                consumer.seek(partition, self._positions.get(partition, 0))
            while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    for record in records:
                        self.take(record.headers, record.value)
            self._positions = {partition: await consumer.position(partition) for partition in partitions}

    def take(self, headers: Any, value: bytes | None) -> None:
        """The next record."""
        try:
            envelope = Envelope.from_headers(headers)
        except EnvelopeError as error:
            self.disorder.append(f"a public event has no envelope: {error}")
            return
        seen = self.events[envelope.subject]
        event = Event(
            envelope.id,
            envelope.sequence or 0,
            envelope.type,
            envelope.correlation_id or "",
            json.loads(value or b"{}"),
        )
        if event.sequence == len(seen) + 1:
            seen.append(event)
        elif 0 < event.sequence <= len(seen) and seen[event.sequence - 1].id == event.id:
            self.repeats += 1
        else:
            self.disorder.append(
                f"{envelope.subject}: {event.type} {event.id} says version {event.sequence} after {len(seen)} others"
            )


@dataclass
class Mailbox:
    """Every mail that the mail server took, from its own folder; reads on from where it was."""

    folder: Path
    mails: dict[tuple[str, int], list[ReadMail]] = field(default_factory=lambda: defaultdict(list))
    """By participant and version that asked for it, as their Message-ID says, oldest first."""
    to_hosts: set[tuple[str, int, str]] = field(default_factory=set)
    """Mails to hosts: the participant and version that they are about, and the topic, as their Message-ID says."""
    _read: set[str] = field(default_factory=set)
    _shown: dict[str, tuple[int, list[str]]] = field(default_factory=dict)

    def read_on(self) -> None:
        for envelope in sorted(self.folder.glob("*.json"), key=lambda path: int(path.stem)):
            if envelope.name not in self._read:
                self._read.add(envelope.name)
                mail = ReadMail.of(envelope.with_suffix(".eml").read_bytes())
                participant, version, *topic = mail.header("Message-ID").strip("<>").partition("@")[0].split(".")
                if topic:
                    self.to_hosts.add((participant, int(version), topic[0]))
                else:
                    self.mails[participant, int(version)].append(mail)

    def shows(self, participant: str, versions: Sequence[int]) -> list[str]:
        """The titles on the calendar of a participant who obeys the mails that these versions asked for."""
        mails = [mail for version in versions for mail in self.mails.get((participant, version), [])]
        known, shown = self._shown.get(participant, (0, []))
        if known != len(mails):  # reading calendars is slow
            calendar = CalendarProgram()
            for mail in mails:
                calendar.receive(mail.calendar)
            shown = [one["title"] for one in calendar.shown]
            self._shown[participant] = len(mails), shown
        return shown

    @property
    def repeats(self) -> int:
        """Mails that came once more than they had to, as is known to happen when a sender dies."""
        return sum(len(mails) - 1 for mails in self.mails.values())


@dataclass
class Copies:
    """The calendar that one host has connected."""

    outside: Outside
    email: str
    host: str

    def problems(self, meetings: Iterable[Json]) -> list[str]:
        """Every active meeting of the host is there exactly once, as it is; nothing else is."""
        own = [meeting for meeting in meetings if meeting["hostUuid"] == self.host]
        wanted = {expected(meeting) for meeting in own if meeting["status"] == "ACTIVE"}
        there: Counter[Shown] = Counter(self.outside.events(self.email))
        name = self.outside.name
        told = [one for one in own if one["status"] == "ACTIVE" and one["externalSyncStatus"] != "SYNCED"]
        return [
            *(f"{name}: missing {one}" for one in sorted(wanted - set(there))),
            *(f"{name}: orphan {one}" for one in sorted(set(there) - wanted)),
            *(f"{name}: {count} times {one}" for one, count in there.items() if count > 1),
            *(f"{name}: {one['meetingUuid']} is told as {one['externalSyncStatus']}" for one in told),
        ]


async def broken_promises(
    history: History, log: Log, mailbox: Mailbox, copies: Sequence[Copies], hosts: dict[str, httpx.AsyncClient]
) -> list[str]:
    """Everything that contradicts what was promised; empty when every promise was kept. ``hosts``: by user id."""
    meetings = await _read_meetings(log, hosts)
    return [
        *history.problems,
        *log.disorder,
        *_effects(history.writes, log),
        *_replies(history.replies, log),
        *_answers(history, log),
        *_present(log, meetings),
        *(problem for uuid, events in log.events.items() for problem in _mails(uuid, events, mailbox)),
        *_undue(log, mailbox),
        *_mails_to_hosts(log, mailbox),
        *(problem for one in copies for problem in one.problems(body for body, _ in meetings.values())),
    ]


# --- writes ----------------------------------------------------------------------------------------------------------


def _effects(writes: Sequence[Operation], log: Log) -> list[str]:
    """Each acknowledged or accepted write took effect exactly once, a refused one never, any other at most once."""
    effects: dict[str, list[Event]] = defaultdict(list)
    for events in log.events.values():
        for event in events:
            if event.type in _BY_CALLERS and not _is_reply(event):
                effects[event.correlation].append(event)
    problems = []
    for write in writes:
        found = effects.pop(write.correlation, [])
        least, most = _expected_effects(write)
        if not least <= len(found) <= most:
            told = [f"{event.type} v{event.sequence}" for event in found]
            problems.append(
                f"{write.kind} {write.correlation} was {write.outcome}, and its effects are {told}: {write}"
            )
        problems += [
            f"{write.kind} {write.correlation}: {event.meeting['title']} instead of {write.title}"
            for event in found
            if write.title is not None and event.meeting["title"] != write.title
        ]
    return [
        *problems,
        *(
            f"nobody asked for {event.type} {event.id} ({key}): {event.body}"
            for key in effects
            for event in effects[key]
        ),
    ]


def _expected_effects(write: Operation) -> tuple[int, int]:
    if write.outcome is Outcome.REFUSED or write.changes is False:
        return 0, 0
    certain = write.outcome in (Outcome.DONE, Outcome.PROMISED) and write.changes is True
    return (1 if certain else 0), 1


# --- answers by mail -------------------------------------------------------------------------------------------------


def _is_reply(event: Event) -> bool:
    return event.type == _RESPONDED and event.body.get("actor", {}).get("way") == "MAIL_REPLY"


def _replies(replies: Sequence[MailReply], log: Log) -> list[str]:
    """No acknowledged answer by mail is lost, and none is told that was not given."""
    attempts: Counter[tuple[str, str]] = Counter()
    for reply in replies:
        attempts[reply.participant, reply.status] += reply.attempts
    told = Counter(
        (event.body["participantUuid"], event.body["rsvpStatus"])
        for events in log.events.values()
        for event in events
        if _is_reply(event)
    )
    return [
        *(f"{count} answers by mail {key} were told, and {attempts[key]} sent" for key, count in told.items()
          if count > attempts[key]),
        *(f"an answer by mail was refused: {reply}" for reply in replies if reply.refusal),
        *(
            f"an answer by mail is lost: {reply}"
            for reply in replies
            if reply.acknowledged and _is_lost(reply, log.events[reply.meeting])
        ),
    ]  # fmt: skip


def _is_lost(reply: MailReply, events: Sequence[Event]) -> bool:
    """Whether the guest is still to answer in the end, and it was not for a new time that they are asked again."""
    if not events or events[-1].meeting["status"] == "CANCELED":
        return False
    answers = {one["participantUuid"]: one["rsvpStatus"] for one in events[-1].meeting["participants"]}
    is_asked_again = any(
        event.sequence > reply.version and event.type == _UPDATED and event.body["rescheduled"] for event in events
    )
    return answers.get(reply.participant) == "UNKNOWN" and not is_asked_again


# --- reads -----------------------------------------------------------------------------------------------------------


def _answers(history: History, log: Log) -> list[str]:
    """No answer is older than what was answered before it was asked for, and each shows the version that it names."""
    answers: dict[str, list[Operation]] = defaultdict(list)
    for operation in history.operations():
        if operation.outcome is Outcome.DONE and operation.version is not None and operation.meeting is not None:
            answers[operation.meeting].append(operation)
    problems = []
    for uuid, of_one in answers.items():
        events = log.events.get(uuid, [])
        for answer in of_one:
            assert answer.version is not None
            known = [before.version or 0 for before in of_one if before.answered_at <= answer.asked_at]
            if answer.version < max(known, default=0):
                problems.append(f"{answer.kind} of {uuid} shows version {answer.version} after {max(known)}: {answer}")
            if answer.version > len(events):
                problems.append(f"{answer.kind} of {uuid} shows version {answer.version} of {len(events)}: {answer}")
            elif isinstance(answer.body, dict) and "meetingUuid" in answer.body:
                problems += _differences(answer.body, events[answer.version - 1])
    return problems


def _differences(body: Json, event: Event) -> list[str]:
    """A meeting as a caller saw it, against the event of the same version."""
    told, seen = _essence(event.meeting), _essence(body)
    return [] if told == seen else [f"{body['meetingUuid']} v{event.sequence}: callers see {seen}, events say {told}"]


def _essence(meeting: Json) -> Json:
    fields = ("title", "startDateTime", "endDateTime", "status", "externalSyncStatus")
    people = {one["participantUuid"]: one["rsvpStatus"] for one in meeting["participants"]}
    return {name: meeting[name] for name in fields} | {"people": people}


async def _read_meetings(log: Log, hosts: dict[str, httpx.AsyncClient]) -> dict[str, tuple[Json, int]]:
    """Each meeting as its host sees it now, with its version."""
    gate, found = asyncio.Semaphore(4), dict[str, tuple[Json, int]]()

    async def read(uuid: str, host: str) -> None:
        async with gate:
            answer = await hosts[host].get(f"/api/v1/meetings/{uuid}")
        if answer.status_code == 200:
            found[uuid] = answer.json(), int(answer.headers["etag"].strip('"'))

    await asyncio.gather(*(read(uuid, events[-1].meeting["hostUuid"]) for uuid, events in log.events.items() if events))
    return found


def _present(log: Log, meetings: dict[str, tuple[Json, int]]) -> list[str]:
    """What was told is there, in its last version."""
    problems = []
    for uuid, events in log.events.items():
        if uuid not in meetings:
            problems.append(f"{uuid} was told of and is not there")
            continue
        body, version = meetings[uuid]
        if version != len(events):
            problems.append(f"{uuid} is at version {version}, and {len(events)} were told")
        else:
            problems += _differences(body, events[-1])
    return problems


# --- mails -----------------------------------------------------------------------------------------------------------


_FOLD, _ANSWER = re.compile(rb"\r?\n[ \t]"), re.compile(rb";PARTSTAT=[A-Z-]+")
"""Folded lines (RFC 5545 section 3.1), and what may differ: guests may have answered since the first of two mails."""


def _said(mail: ReadMail) -> bytes:
    return _ANSWER.sub(b"", _FOLD.sub(b"", mail.calendar))


def _mails(uuid: str, events: Sequence[Event], mailbox: Mailbox) -> list[str]:
    """Everybody was mailed the last news, each news once; mails show the truth; the last is told as delivered."""
    asked = _asked(events)
    delivered = _delivered(events)
    last = events[-1].meeting if events else {}
    there = {one["participantUuid"] for one in last.get("participants", [])}
    problems = []
    for participant, versions in asked.items():
        got = {version: mails for version in versions if (mails := mailbox.mails.get((participant, version)))}
        over = last["status"] == "CANCELED" or participant not in there
        if not got:
            if not over:
                problems.append(f"{uuid}: {participant} was never mailed; asked for in {versions}")
            continue
        if versions[-1] not in got:
            problems.append(f"{uuid}: {participant} was mailed {list(got)} of {versions}, not the last")
        if any(_said(mail) != _said(mails[0]) for mails in got.values() for mail in mails):
            problems.append(f"{uuid}: {participant} got two different mails under one Message-ID")
        shown = mailbox.shows(participant, versions)
        if shown != ([] if over else [last["title"]]):
            problems.append(f"{uuid}: mails show {participant} {shown}, the truth is {last['title']} {last['status']}")
        told = delivered[participant]
        if len(told) > len(got) or (participant in there and max(told, default=0) < max(got)):
            problems.append(f"{uuid}: {participant} got {list(got)}, and deliveries are told in {told}")
    return problems


def untold(log: Log, mailbox: Mailbox) -> int:
    """Mails that were never told as delivered: their sender died before it knew, and then there was newer news."""
    return sum(
        max(0, sum((participant, version) in mailbox.mails for version in versions) - len(told[participant]))
        for events in log.events.values()
        for told in [_delivered(events)]
        for participant, versions in _asked(events).items()
        if participant in {one["participantUuid"] for one in events[-1].meeting["participants"]}
    )


def _delivered(events: Sequence[Event]) -> dict[str, list[int]]:
    """The versions that tell of a delivery, by participant."""
    told: dict[str, list[int]] = defaultdict(list)
    for event in events:
        if event.type == _DELIVERED:
            told[event.body["participantUuid"]].append(event.sequence)
    return told


def _asked(events: Sequence[Event]) -> dict[str, list[int]]:
    """The versions that asked for a mail to each participant who has an address."""
    asked: dict[str, list[int]] = defaultdict(list)
    for event in events:
        for one in [*event.meeting["participants"], *event.body.get("removed", [])]:
            if one["email"] is not None and _asks(event, one["participantUuid"]):
                asked[one["participantUuid"]].append(event.sequence)
    return asked


def _asks(event: Event, participant: str) -> bool:
    match event.type:
        case "meetings.meeting.created.v1" | "meetings.meeting.canceled.v1":
            return True
        case "meetings.meeting.updated.v1":
            removed = {one["participantUuid"] for one in event.body["removed"]}
            return (
                participant in removed
                or participant in event.body["added"]
                or not _UNSEEN_BY_GUESTS.issuperset(event.body["changed"])
            )
        case "meetings.invitation.resent.v1":
            return participant in event.body["participantUuids"]
        case _:
            return False


def _undue(log: Log, mailbox: Mailbox) -> list[str]:
    """Mails that nobody asked for."""
    due = {
        (participant, version)
        for events in log.events.values()
        for participant, versions in _asked(events).items()
        for version in versions
    }
    return [f"a mail to {one} is due to nothing" for one in mailbox.mails.keys() - due]


_NOTICES = {
    "meetings.participant.responded.v1": "answer",
    "meetings.participant.proposed-new-time.v1": "proposal",
    "meetings.invitation.failed.v1": "failure",
}


def _mails_to_hosts(log: Log, mailbox: Mailbox) -> list[str]:
    """Hosts are mailed of what happened alone, and of every answer that is a decline in the end."""
    notices = {
        (event.body["participantUuid"], event.sequence, _NOTICES[event.type]): event.body.get("rsvpStatus")
        for events in log.events.values()
        for event in events
        if event.type in _NOTICES
    }
    answers = {uuid: version for uuid, version, topic in sorted(notices, key=lambda one: one[1]) if topic == "answer"}
    declines = {key for uuid, version in answers.items() if notices[key := (uuid, version, "answer")] == "DECLINED"}
    return [
        *(f"a mail to a host about {one} is due to nothing" for one in mailbox.to_hosts - notices.keys()),
        *(f"no host was mailed about {one}" for one in declines - mailbox.to_hosts),
    ]


# --- leftovers -------------------------------------------------------------------------------------------------------


async def parked(bootstrap: str) -> list[str]:
    """Dead letters: an outage must leave none."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    async with consumer:
        topics = {TopicPartition(topic.name, 0): topic.name for topic in dead_letter_topics()}
        ends = await consumer.end_offsets(list(topics))
    return [f"{count} dead letters in {topics[at]}" for at, count in ends.items() if count]


def unsaid(mongodb: str, databases: Sequence[str]) -> list[str]:
    """Documents that still have something to say."""
    problems = []
    with MongoClient[Json](mongodb) as client:
        for database in databases:
            for name in client[database].list_collection_names():
                waiting = client[database][name].count_documents({"outbox.0": {"$exists": True}})
                problems += [f"{waiting} outboxes are full in {database}.{name}"] if waiting else []
    return problems
