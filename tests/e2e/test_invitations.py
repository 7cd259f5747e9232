"""What guests are mailed over a meeting's life, through the running platform and real SMTP."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from contracts.transport.topics import GATEWAY_REPLIES, MEETING_COMMANDS, TOPICS
from contracts.values.ids import uuid7_hex
from icalendar import Calendar
from localrun.platform import Platform

from tests.support.callers import Caller, Json, done, path_of
from tests.support.inbox import Inbox
from tests.support.mails import CalendarProgram, event_of
from tests.support.topics import TopicLog, recording
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

ANA = "C019B9D0FD0E5772F9E8ED189895D40C4"
TIME = {"startDateTime": "2031-06-16T15:00:00", "endDateTime": "2031-06-16T15:45:00"}
LATER = {"startDateTime": "2031-06-16T17:00:00", "endDateTime": "2031-06-16T17:45:00"}


@pytest.fixture
def sink(platform: Platform) -> str:
    assert platform.addresses.mail is not None
    return platform.addresses.mail


@pytest.fixture
async def faults(sink: str) -> AsyncIterator[httpx.AsyncClient]:
    """The sink's control API; what was broken is mended afterwards."""
    async with httpx.AsyncClient(base_url=f"{sink}/_control", trust_env=False) as control:
        yield control
        await control.delete("/faults")


def guests(*names: str) -> list[Json]:
    """Outside guests whom no other test mails."""
    return [{"email": f"{name}-{uuid7_hex().lower()}@{name}.example.com", "name": name.title()} for name in names]


def revision(mail: Json) -> tuple[str, int, str]:
    """Method, SEQUENCE and answer of a mail's calendar part."""
    event = event_of(mail["calendar"].encode())
    return (
        str(Calendar.from_ical(mail["calendar"])["METHOD"]),
        int(event["SEQUENCE"]),
        str(event["ATTENDEE"].params["PARTSTAT"]),
    )


def header(mail: Json, name: str) -> str | None:
    return next((one["value"] for one in mail["headers"] if one["name"] == name), None)


async def participant(host: Caller, meeting: Json, email: str) -> Json:
    seen = await host.sees(meeting)
    return next(one for one in seen["participants"] if one["email"] == email)


async def test_every_guest_gets_exactly_the_mails_of_their_changes(valentina: Caller, sink: str) -> None:
    staying, leaving = guests("staying", "leaving")
    meeting = await valentina.creates(title="Review", externalAttendees=[staying, leaving], **TIME)
    stays, leaves = Inbox(sink, staying["email"]), Inbox(sink, leaving["email"])
    await stays.mails(1)
    await leaves.mails(1)
    await valentina.changes(meeting, **LATER)
    await stays.mails(2)
    await leaves.mails(2)
    await valentina.changes(meeting, title="Review of Q2", internalNotes="Not for guests.")
    await stays.mails(3)
    await leaves.mails(3)
    await valentina.changes(meeting, internalNotes="Still not for guests.")
    await valentina.changes(meeting, externalAttendees=[staying])
    await leaves.mails(4)
    await valentina.cancels(meeting)
    received = await stays.mails(4)

    assert [revision(mail) for mail in received] == [
        ("REQUEST", 0, "NEEDS-ACTION"),
        ("REQUEST", 1, "NEEDS-ACTION"),
        ("REQUEST", 2, "NEEDS-ACTION"),
        ("CANCEL", 4, "NEEDS-ACTION"),
    ]
    assert [mail["subject"] for mail in received] == [
        "Invitation: Review",
        "Updated: Review",
        "Updated: Review of Q2",
        "Canceled: Review of Q2",
    ]
    goodbye = await leaves.mails(4)
    assert [revision(mail)[:2] for mail in goodbye] == [("REQUEST", 0), ("REQUEST", 1), ("REQUEST", 2), ("CANCEL", 3)]
    assert goodbye[3]["subject"] == "Canceled: Review of Q2"

    for mails in (received, goodbye):
        identities = [mail["messageId"] for mail in mails]
        assert len(set(identities)) == 4
        assert [header(mail, "In-Reply-To") for mail in mails] == [None, *identities[:-1]]
        assert not any("Not for guests" in mail[part] for mail in mails for part in ("text", "html", "calendar"))
        calendars = [mail["calendar"].encode() for mail in mails]
        for order in (calendars, [one for one in calendars for _ in range(2)], calendars[::-1]):
            program = CalendarProgram()
            for calendar in order:
                program.receive(calendar)
            assert program.shown == []
        before_the_end = CalendarProgram()
        for calendar in [calendars[2], calendars[0], calendars[1], calendars[2]]:
            before_the_end.receive(calendar)
        [entry] = before_the_end.shown
        assert (entry["title"], entry["start"].isoformat()) == ("Review of Q2", "2031-06-16T21:00:00+00:00")


async def test_contacts_colleagues_and_guests_are_mailed_and_the_host_is_not(valentina: Caller, sink: str) -> None:
    [guest] = guests("outside")
    title = f"Together {uuid7_hex()}"
    meeting = await valentina.creates(title=title, contactIds=[ANA], externalAttendees=[guest], **TIME)
    addresses = {one["email"] for one in meeting["participants"]}
    assert len(addresses) == len(meeting["participants"]) >= 2
    await Inbox(sink, guest["email"]).mails(1)

    async def mailed() -> set[str] | None:
        async with httpx.AsyncClient(base_url=sink, trust_env=False) as http:
            listed = (await http.get("/api/messages")).json()
        found = {to for mail in listed if title in mail["subject"] for to in mail["recipients"]}
        return found if found >= addresses else None

    assert await until(mailed, what="all are mailed") == addresses
    assert valentina.person.email not in addresses


async def test_an_answer_is_in_the_next_mail_and_causes_none_by_itself(valentina: Caller, sink: str) -> None:
    [guest] = guests("answering")
    meeting = await valentina.creates(externalAttendees=[guest], **TIME)
    inbox = Inbox(sink, guest["email"])
    links = await inbox.rsvp_links()
    path = links["ACCEPTED"].partition("?")[0]
    async with httpx.AsyncClient(trust_env=False) as browser:
        token = httpx.URL(links["ACCEPTED"]).params["token"]
        answered = await browser.put(path, params={"token": token}, json={"status": "ACCEPTED"})
    assert done(answered)["rsvpStatus"] == "ACCEPTED"
    await valentina.changes(meeting, description="Bring a pen.")
    mails = await inbox.mails(2)
    assert [revision(mail) for mail in mails] == [("REQUEST", 0, "NEEDS-ACTION"), ("REQUEST", 1, "ACCEPTED")]


async def test_a_reminder_is_the_same_revision_again(valentina: Caller, sink: str) -> None:
    [guest] = guests("reminded")
    meeting = await valentina.creates(externalAttendees=[guest], **TIME)
    inbox = Inbox(sink, guest["email"])
    await inbox.mails(1)
    [resent] = (await valentina.post(f"{path_of(meeting)}/resend")).json()
    assert resent["email"] == guest["email"]
    first, again = await inbox.mails(2)
    assert (again["subject"], revision(again)) == (first["subject"].replace("Invitation", "Reminder"), revision(first))
    stamps = [event_of(mail["calendar"].encode())["DTSTAMP"].dt for mail in (first, again)]
    assert stamps[1] >= stamps[0]


async def test_updates_in_quick_succession_melt_into_the_newest(valentina: Caller, sink: str) -> None:
    [guest] = guests("patient")
    meeting = await valentina.creates(externalAttendees=[guest], **TIME)
    inbox = Inbox(sink, guest["email"])
    await inbox.mails(1)
    for number in range(5):
        await valentina.changes(meeting, title=f"Title {number}")
    mails = await until(lambda: _ends_with(inbox, 2, "Updated: Title 4"), what="the newest update came")
    await valentina.cancels(meeting)
    [*_, last, goodbye] = await until(lambda: _ends_with(inbox, 3, "Canceled: Title 4"), what="the cancellation came")
    assert last["subject"] == "Updated: Title 4"
    assert goodbye["subject"] == "Canceled: Title 4"
    assert len(mails) < 6


async def test_what_a_mail_server_refuses_for_good_is_shown_to_the_host_and_told(
    valentina: Caller, ana: Caller, sink: str, faults: httpx.AsyncClient, told: TopicLog
) -> None:
    gone, here = guests("gone", "here")
    fault = {"kind": "recipient_refused", "account": gone["email"], "status": 550, "reason": "5.1.1 No such user"}
    (await faults.post("/faults", json=fault)).raise_for_status()
    meeting = await valentina.creates(contactIds=[ANA], externalAttendees=[gone, here], **TIME)
    await Inbox(sink, here["email"]).mails(1)

    async def failed() -> Json | None:
        one = await participant(valentina, meeting, gone["email"])
        return one if one["deliveryFailureCode"] else None

    one = await until(failed, what="the failure is shown")
    assert (one["deliveryFailureCode"], one["deliveryFailureReason"]) == ("ADDRESS_REJECTED", "550 5.1.1 No such user")
    others = [one for one in (await ana.sees(meeting))["participants"] if one["name"] == gone["name"]]
    assert [one["deliveryFailureCode"] for one in others] == [None]
    event = await told.first(
        lambda record: _is(record, "meetings.invitation.failed.v1", meeting), what="the failure is told"
    )
    said = json.loads(event.value or b"")
    assert (said["participantUuid"], said["failureCode"]) == (one["participantUuid"], "ADDRESS_REJECTED")

    await faults.delete("/faults")
    await valentina.post(f"{path_of(meeting)}/participants/{one['participantUuid']}/resend")
    await Inbox(sink, gone["email"]).mails(1)

    async def mended() -> bool:
        return (await participant(valentina, meeting, gone["email"]))["deliveryFailureCode"] is None

    await until(mended, what="the failure is over")


async def test_what_is_refused_for_now_arrives_later_and_delays_nobody(
    valentina: Caller, sink: str, faults: httpx.AsyncClient
) -> None:
    slow, quick = guests("slow", "quick")
    fault = {"kind": "mail_refused", "account": slow["email"], "status": 451, "times": 1}
    (await faults.post("/faults", json=fault)).raise_for_status()
    await valentina.creates(externalAttendees=[slow, quick], **TIME)
    [first] = await Inbox(sink, quick["email"]).mails(1)

    async def arrived() -> list[Json]:
        async with httpx.AsyncClient(base_url=sink, trust_env=False) as http:
            return (await http.get("/api/messages", params={"to": slow["email"]})).json()

    [last] = await until(lambda: _some(arrived), what="the deferred mail arrives", within=30)
    assert last["id"] > first["id"]


async def test_a_mail_whose_acknowledgement_got_lost_comes_again_as_the_same_mail(
    valentina: Caller, sink: str, faults: httpx.AsyncClient
) -> None:
    [guest] = guests("twice")
    fault = {"kind": "drop_after_commit", "account": guest["email"], "times": 1}
    (await faults.post("/faults", json=fault)).raise_for_status()
    await valentina.creates(externalAttendees=[guest], **TIME)
    one, two = await Inbox(sink, guest["email"]).mails(2)
    assert one["messageId"] == two["messageId"]
    assert one["calendar"] == two["calendar"]


async def _some(ask: Any) -> list[Json] | None:
    return await ask() or None


async def _ends_with(inbox: Inbox, count: int, subject: str) -> list[Json] | None:
    mails = await inbox.mails(count)
    return mails if mails[-1]["subject"] == subject else None


def _is(record: Any, kind: str, meeting: Json) -> bool:
    headers = dict(record.headers)
    return bool(headers["ce_type"] == kind.encode() and headers["ce_subject"] == meeting["meetingUuid"].encode())


@pytest.mark.parametrize("program", ["gmail", "outlook", "apple", "thunderbird"])
async def test_a_reply_of_the_guests_mail_program_is_their_answer(valentina: Caller, sink: str, program: str) -> None:
    [guest] = guests("replying")
    meeting = await valentina.creates(title="Review", externalAttendees=[guest], **TIME)
    [mail] = await Inbox(sink, guest["email"]).mails(1)
    async with httpx.AsyncClient(base_url=sink, trust_env=False) as http:
        for action, expected in (
            ("yes", ("ACCEPTED", None)),
            ("maybe", ("UNKNOWN", None)),
            ("no", ("DECLINED", None)),
            ("bounce", ("DECLINED", "ADDRESS_REJECTED")),
        ):
            sent = await http.post(f"/api/messages/{mail['id']}/reply", json={"program": program, "action": action})
            assert sent.json()["code"] == 250, sent.text

            async def seen(expected: tuple[str, str | None] = expected) -> bool:
                one = await participant(valentina, meeting, guest["email"])
                return (one["rsvpStatus"], one["deliveryFailureCode"]) == expected

            await until(seen, what=f"{expected} after {action}")


async def test_the_passcode_is_in_mails_and_behind_the_link_and_on_no_topic_or_log(
    platform: Platform, valentina: Caller, sink: str
) -> None:
    first, second = (f"passcode {uuid7_hex()}" for _ in range(2))
    [guest] = guests("passcode")
    topics = [topic.name for topic in TOPICS if topic not in (MEETING_COMMANDS, GATEWAY_REPLIES)]
    async with recording(platform.addresses.kafka, *topics) as log:
        link = "https://meet.example.com/x"
        meeting = await valentina.creates(meetingPassword=first, meetingLink=link, externalAttendees=[guest], **TIME)
        inbox = Inbox(sink, guest["email"])
        [invitation] = await inbox.mails(1)
        assert first in invitation["text"]
        assert first in invitation["html"]
        assert f"Passcode: {first}" in str(event_of(invitation["calendar"].encode())["DESCRIPTION"])
        await valentina.changes(meeting, meetingPassword=second)
        update = (await inbox.mails(2))[1]
        assert second in update["text"]
        assert first not in update["text"]
        answer_links = re.findall(r"https?://[^\s\"<>]+status=ACCEPTED", update["text"])
        async with httpx.AsyncClient(trust_env=False) as browser:
            proved = await browser.get(answer_links[0])
            bare = await browser.get(answer_links[0].partition("?")[0], params={"status": "ACCEPTED"})
        assert second in proved.text
        assert link in proved.text
        assert f"Answer for {guest['name']}" in proved.text
        assert second not in bare.text
        await valentina.cancels(meeting)
        canceled = (await inbox.mails(3))[2]
        assert "passcode " not in canceled["text"]
        await log.first(lambda record: _is(record, "meetings.meeting.canceled.v1", meeting), what="the cancellation")
        said = b"".join(record.value or b"" for record in log.records)
        assert not any(passcode.encode() in said for passcode in (first, second))
    for service in ("api-gateway", "meeting-core", "invitations", "calendar-sync"):
        text = (platform.state_dir / "logs" / f"{service}.log").read_text(errors="replace")
        assert not any(passcode in text for passcode in (first, second))


async def test_the_host_is_mailed_who_declines_and_proposes_in_their_language(valentina: Caller, sink: str) -> None:
    [guest] = guests("declining")
    title = f"Review {uuid7_hex()}"
    meeting = await valentina.creates(title=title, externalAttendees=[guest], **TIME)
    [mail] = await Inbox(sink, guest["email"]).mails(1)

    async def to_host(count: int) -> list[Json]:
        async def enough() -> list[Json] | None:
            listed = (await http.get("/api/messages", params={"to": meeting["hostEmail"]})).json()
            found = [one for one in listed if title in one["subject"]]
            return found if len(found) >= count else None

        return await until(enough, what=f"{count} mails to the host")

    async with httpx.AsyncClient(base_url=sink, trust_env=False) as http:
        for count, action, subject in ((1, "propose", "propone otra hora"), (2, "no", "rechaza"), (2, "no", "rechaza")):
            await http.post(f"/api/messages/{mail['id']}/reply", json={"program": "outlook", "action": action})
            mails = await to_host(count)
            assert len(mails) == count
            assert max(mails, key=lambda one: one["id"])["subject"] == f"Declining {subject}: {title}"
