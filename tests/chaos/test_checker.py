"""The checker finds each kind of broken promise, and none where all were kept."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from contracts.transport.envelope import Envelope

from tests.chaos.checker import Copies, Log, Mailbox, broken_promises
from tests.chaos.history import Attempt, History, MailReply, Operation
from tests.support.outside import Outside, Shown, expected

MEETING, GUEST, HOST = "M1", "MP1", "TS1"
Json = dict[str, Any]


def meeting(title: str, **more: Any) -> Json:
    person = {"participantUuid": GUEST, "email": "jane.roe@example.com", "rsvpStatus": "UNKNOWN"}
    return {
        "meetingUuid": MEETING, "hostUuid": HOST, "title": title, "status": "ACTIVE", "externalSyncStatus": "SYNCED",
        "startDateTime": "2027-01-01T10:00:00", "endDateTime": "2027-01-01T10:30:00", "timezone": "UTC",
        "allDay": False, "locationDetail": None, "meetingLink": None, "participants": [person],
    } | more  # fmt: skip


def wrote(kind: str, key: str, title: str, status: int | None, version: int | None, at: float) -> Operation:
    body = meeting(title) if status in (200, 201) else None
    return Operation(kind, key, MEETING, title, True, [Attempt(at, at + 0.5, status)], version, body)


@dataclass
class Calendar:
    """The host's, at the provider."""

    events_there: list[Shown]
    name: str = "google"

    def events(self, email: str) -> list[Shown]:
        return self.events_there


@dataclass
class World:
    """A meeting that was created, mailed, renamed and mailed again, as callers were told it would be."""

    folder: Path
    log: Log = field(default_factory=Log)
    history: History = field(default_factory=History)
    now: Json = field(default_factory=lambda: meeting("B"))
    version: int = 4
    mails: int = 0

    def __post_init__(self) -> None:
        self.calendar = Calendar([expected(self.now)])
        self.history.writes += [wrote("create", "k1", "A", 201, 1, at=1), wrote("update", "k2", "B", 200, 3, at=2)]
        self.history.reads.append(Operation("read", "r", MEETING, None, None, [Attempt(3, 4, 200)], 4, meeting("B")))
        delivered = {"participantUuid": GUEST}
        self.tell("meeting.created", 1, "k1", meeting("A"))
        self.tell("invitation.delivered", 2, "k1", meeting("A"), **delivered)
        self.tell("meeting.updated", 3, "k2", meeting("B"), changed=["title"], added=[], removed=[])
        self.tell("invitation.delivered", 4, "k2", meeting("B"), **delivered)
        self.mail(1, "A")
        self.mail(3, "B")

    def tell(self, kind: str, sequence: int, key: str, state: Json, *, of: str | None = None, **more: Any) -> None:
        envelope = Envelope(
            type=f"meetings.{kind}.v1",
            source="meeting-core",
            subject=MEETING,
            tenant="T",
            id=of or f"{kind}-{sequence}",
            sequence=sequence,
            correlation_id=key,
        )
        self.log.take(envelope.to_headers(), json.dumps({"meeting": state, **more}).encode())

    def mail(self, version: int, title: str, answer: str = "NEEDS-ACTION") -> None:
        self.mails += 1
        calendar = (
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:t\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:M1@example.com\r\n"
            f"SEQUENCE:0\r\nDTSTAMP:2027010{version}T000000Z\r\nDTSTART:20270101T100000Z\r\nDTEND:20270101T103000Z\r\n"
            f"SUMMARY:{title}\r\nATTENDEE;PARTSTAT={answer}:mailto:jane.roe@example.com\r\n"
            "END:VEVENT\r\nEND:VCALENDAR\r\n"
        )
        head = f"Message-ID: <{GUEST}.{version}@example.com>\r\nContent-Type: text/calendar; charset=utf-8\r\n\r\n"
        (self.folder / f"{self.mails}.eml").write_text(head + calendar, newline="")
        (self.folder / f"{self.mails}.json").write_text(json.dumps({"recipients": ["jane.roe@example.com"]}))

    def mail_to_host(self, version: int) -> None:
        self.mails += 1
        (self.folder / f"{self.mails}.eml").write_text(f"Message-ID: <{GUEST}.{version}.answer@example.com>\r\n\r\n")
        (self.folder / f"{self.mails}.json").write_text(json.dumps({"recipients": ["host@example.com"]}))

    def reply_told(self) -> None:
        """The guest's answer by mail is an event."""
        person = self.now["participants"][0] | {"rsvpStatus": "ACCEPTED"}
        self.now, self.version = meeting("B", participants=[person]), 5
        answer = {"participantUuid": GUEST, "rsvpStatus": "ACCEPTED", "actor": {"way": "MAIL_REPLY"}}
        self.tell("participant.responded", 5, "a mail", self.now, **answer)

    async def problems(self) -> list[str]:
        def answer(_: httpx.Request) -> httpx.Response:
            return httpx.Response(200, json=self.now, headers={"etag": f'"{self.version}"'})

        mailbox = Mailbox(self.folder)
        mailbox.read_on()
        copies = [Copies(cast("Outside", self.calendar), "host@example.com", HOST)]
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://gateway") as http:
            return await broken_promises(self.history, self.log, mailbox, copies, {HOST: http})


def _lost(world: World) -> None:
    world.history.writes.append(wrote("update", "k3", "C", 200, 5, at=5))


def _promised_and_lost(world: World) -> None:
    world.history.writes.append(wrote("update", "k3", "C", 202, None, at=5))


def _refused_and_done(world: World) -> None:
    world.history.writes[1] = wrote("update", "k2", "B", 409, None, at=2)


def _done_twice(world: World) -> None:
    world.tell("meeting.updated", 5, "k2", meeting("B"), changed=["title"], added=[], removed=[])


def _asked_by_nobody(world: World) -> None:
    world.history.writes.pop()


def _stale_read(world: World) -> None:
    world.history.reads[0].version = 2


def _wrong_read(world: World) -> None:
    world.history.reads[0].body = meeting("A")


def _gap(world: World) -> None:
    world.tell("meeting.canceled", 6, "k4", meeting("B"))


def _one_version_twice(world: World) -> None:
    world.tell("meeting.canceled", 4, "k4", meeting("B"))


def _silent_change(world: World) -> None:
    world.version = 5


def _other_state(world: World) -> None:
    world.now = meeting("C")


def _no_mail(world: World) -> None:
    (world.folder / "2.json").unlink()


def _mail_nobody_asked_for(world: World) -> None:
    world.mail(2, "A")


def _mail_to_host_about_nothing(world: World) -> None:
    world.mail_to_host(4)


def _no_mail_to_host(world: World) -> None:
    world.tell("participant.responded", 5, "k2", meeting("B"), participantUuid=GUEST, rsvpStatus="DECLINED")


def _another_mail_under_one_id(world: World) -> None:
    world.mail(3, "C")


def _no_delivery_told(world: World) -> None:
    world.log.events[MEETING].pop()
    world.version = 3


def _more_deliveries_told(world: World) -> None:
    world.tell("invitation.delivered", 5, "k2", meeting("B"), participantUuid=GUEST)


def _reply_lost(world: World) -> None:
    world.history.replies.append(MailReply(MEETING, GUEST, "ACCEPTED", version=3, attempts=2, acknowledged=True))


def _reply_refused(world: World) -> None:
    world.history.replies.append(MailReply(MEETING, GUEST, "ACCEPTED", version=3, attempts=1, refusal="550 no"))


def _reply_that_was_not_sent(world: World) -> None:
    world.reply_told()


def _no_copy(world: World) -> None:
    world.calendar.events_there.clear()


def _two_copies(world: World) -> None:
    world.calendar.events_there *= 2


async def test_nothing_is_found_where_all_is_well(tmp_path: Path) -> None:
    assert await World(tmp_path).problems() == []


async def test_repeats_under_the_same_identity_are_allowed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.tell("meeting.updated", 3, "k2", meeting("B"), changed=["title"], added=[], removed=[])
    world.mail(3, "B", answer="ACCEPTED")  # the guest has answered in between
    world.history.writes.append(wrote("update", "k3", "C", 503, None, at=5))
    world.history.writes.append(wrote("update", "k4", "D", None, None, at=6))
    assert await world.problems() == []
    assert world.log.repeats == 1


async def test_an_answer_by_mail_is_kept_or_excused_by_a_new_time(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.history.replies.append(MailReply(MEETING, GUEST, "ACCEPTED", version=3, attempts=2, acknowledged=True))
    world.reply_told()
    assert await world.problems() == []
    world.history.writes.append(wrote("update", "k3", "B", 200, 6, at=5))
    world.now, world.version = meeting("B"), 6
    world.history.writes[-1].body = world.now
    world.tell("meeting.updated", 6, "k3", world.now, changed=["startDateTime"], rescheduled=True, added=[], removed=[])
    assert [problem for problem in await world.problems() if "by mail" in problem] == []


@pytest.mark.parametrize(
    ("breaks", "found"),
    [
        (_reply_lost, "an answer by mail is lost: "),
        (_reply_refused, "an answer by mail was refused: "),
        (_reply_that_was_not_sent, "1 answers by mail ('MP1', 'ACCEPTED') were told, and 0 sent"),
        (_lost, "k3 was done, and its effects are []"),
        (_promised_and_lost, "k3 was promised, and its effects are []"),
        (_refused_and_done, "k2 was refused, and its effects are ['meetings.meeting.updated.v1 v3']"),
        (_done_twice, "k2 was done, and its effects are ['meetings.meeting.updated.v1 v3', "),
        (_asked_by_nobody, "nobody asked for meetings.meeting.updated.v1"),
        (_stale_read, "shows version 2 after 3"),
        (_wrong_read, "M1 v4: callers see"),
        (_gap, "says version 6 after 4 others"),
        (_one_version_twice, "says version 4 after 4 others"),
        (_silent_change, "M1 is at version 5, and 4 were told"),
        (_other_state, "M1 v4: callers see"),
        (_no_mail, "was mailed [1] of [1, 3], not the last"),
        (_mail_nobody_asked_for, "a mail to ('MP1', 2) is due to nothing"),
        (_mail_to_host_about_nothing, "a mail to a host about ('MP1', 4, 'answer') is due to nothing"),
        (_no_mail_to_host, "no host was mailed about ('MP1', 5, 'answer')"),
        (_another_mail_under_one_id, "got two different mails under one Message-ID"),
        (_no_delivery_told, "got [1, 3], and deliveries are told in [2]"),
        (_more_deliveries_told, "got [1, 3], and deliveries are told in [2, 4, 5]"),
        (_no_copy, "google: missing"),
        (_two_copies, "google: 2 times"),
    ],
)
async def test_a_broken_promise_is_found(tmp_path: Path, breaks: Callable[[World], None], found: str) -> None:
    world = World(tmp_path)
    breaks(world)
    assert [problem for problem in await world.problems() if found in problem]
