"""Mails that come in by SMTP: what each program's reply becomes, what proves it, and what becomes of all others."""

import asyncio
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from chassis.http.rate_limit import RateLimiter
from chassis.mongo.outbox import Outbox
from contracts.messages.invitation_events import GuestProposedNewTime, GuestReplied, MailFailed
from contracts.values.enums import DeliveryFailureCode, MailKind, RsvpStatus
from contracts.values.times import utc_now
from invitations.adapters.inbound.authentication import AuthenticationResults
from invitations.adapters.inbound.smtp_server import inbound_server
from invitations.adapters.replies import ReplyRepository
from invitations.application.inbound_mail import InboundMail
from invitations.settings import InboundProtocol
from simulators.mail.programs import SHAPES, Answer, Outgoing, Program, bounce, reply

from tests.support.commands import MEETING, TENANT, cancel, create, update
from tests.support.guests import JANE, jane
from tests.support.inbound_office import ADDRESSES, BASE, BELIEVED, DOMAIN, Office, intake_of, with_headers

pytestmark = pytest.mark.integration

GLOBAL_ID = b"vCal-Uid\x01\0\0\0" + f"{MEETING}@{DOMAIN}".encode() + b"\0"


# --- what programs reply ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", list(Answer))
@pytest.mark.parametrize("program", list(Program))
async def test_each_answer_of_each_program_is_read(office: Office, program: Program, answer: Answer) -> None:
    mail = await office.invite(create(jane()))
    sent = with_headers(
        reply(mail.message, program, answer, user=JANE),
        Authentication_Results=f"{BELIEVED}; dmarc=pass (p=none) header.from=example.com",
    )
    assert await office.hand_over(sent) == 250
    [event] = office.events
    assert isinstance(event, GuestReplied)
    guest = await office.jane()
    assert (event.tenant_uuid, event.meeting_uuid, event.participant_uuid) == (TENANT, MEETING, guest.participant_uuid)
    expected = {Answer.YES: RsvpStatus.ACCEPTED, Answer.NO: RsvpStatus.DECLINED, Answer.MAYBE: RsvpStatus.UNKNOWN}
    assert (event.rsvp_status, event.tentative) == (expected[answer], answer is Answer.MAYBE)
    assert event.ical_sequence == 0


@pytest.mark.parametrize("program", list(Program))
async def test_a_proposed_time_is_read(office: Office, program: Program) -> None:
    mail = await office.invite(create(jane()))
    later = timedelta(hours=2)
    sent = with_headers(
        reply(mail.message, program, Answer.MAYBE, user=JANE, propose=later),
        Authentication_Results=f"{BELIEVED}; dmarc=pass header.from=example.com",
    )
    assert await office.hand_over(sent) == 250
    [event] = office.events
    assert isinstance(event, GuestProposedNewTime)
    meeting = (await office.jane()).meeting
    assert (event.starts_at, event.ends_at) == (meeting.starts_at + later, meeting.ends_at + later)


async def test_the_same_reply_again_is_acknowledged_and_told_once(office: Office) -> None:
    mail = await office.invite(create(jane()))
    sent = reply(mail.message, Program.GMAIL, Answer.YES, user=JANE)
    assert [await office.hand_over(sent) for _ in range(3)] == [250, 250, 250]
    assert len(office.events) == 1


async def test_case_of_the_address_does_not_matter(office: Office) -> None:
    mail = await office.invite(create(jane()))
    sent = reply(mail.message, Program.GMAIL, Answer.YES, user=JANE.upper())
    assert await office.hand_over(Outgoing(sent.mail_from, sent.recipient.upper(), sent.content)) == 250
    assert len(office.events) == 1


async def test_what_is_not_published_yet_is_recorded(office: Office) -> None:
    """The broker is away: the answer waits in the guest's document, and the mail server has its acknowledgement."""
    office.publisher.publish_in_order = failing  # type: ignore[method-assign, assignment]
    mail = await office.invite(create(jane()))
    assert await office.hand_over(reply(mail.message, Program.GMAIL, Answer.YES, user=JANE)) == 250
    [document] = await office.guests.find({"person.email": JANE})
    assert len(document["outbox"]) == 1
    assert document["outboxDueAt"] is not None


async def failing(_records: Any) -> None:
    raise ConnectionError


# --- what proves a reply ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("results", "counts"),
    [
        (f"{BELIEVED}; dmarc=pass header.from=example.com", True),
        (f"{BELIEVED}; spf=pass smtp.mailfrom=jane.roe@example.com; dkim=fail header.d=example.com", True),
        (f"{BELIEVED}; dkim=pass header.d=example.com", True),
        (f"{BELIEVED}; dkim=pass header.d=elsewhere.example", False),
        (f"{BELIEVED}; dmarc=fail header.from=example.com", False),
        (f"{BELIEVED}; dmarc=fail (dmarc=pass header.from=example.com)", False),
        ("mx.forged.example; dmarc=pass header.from=example.com", False),
        (f"mx.forged.example; x=pass ({BELIEVED}; dmarc=pass header.from=example.com)", False),
        ("", False),
    ],
)
async def test_without_a_signed_address_the_believed_server_must_confirm_the_sender(
    office: Office, results: str, counts: bool
) -> None:
    mail = await office.invite(create(jane()))
    sent = reply(mail.message, Program.OUTLOOK, Answer.YES, user=JANE)
    assert sent.recipient == BASE
    assert await office.hand_over(with_headers(sent, Authentication_Results=results)) == 250
    assert len(office.events) == counts


async def test_an_older_field_of_the_believed_server_is_not_believed(office: Office) -> None:
    mail = await office.invite(create(jane()))
    sent = with_headers(
        reply(mail.message, Program.OUTLOOK, Answer.YES, user=JANE),
        Authentication_Results=f"{BELIEVED}; dmarc=pass header.from=example.com",
    )
    await office.hand_over(with_headers(sent, Authentication_Results=f"{BELIEVED}; dmarc=fail header.from=example.com"))
    assert office.events == []


async def test_whom_the_invitation_was_forwarded_to_cannot_answer_for_the_guest(office: Office) -> None:
    mail = await office.invite(create(jane()))
    crasher = reply(mail.message, Program.GMAIL, Answer.YES, user="crasher@example.org")
    assert await office.hand_over(crasher) == 250
    assert office.events == []


async def test_a_guest_may_reply_by_another_name_of_theirs_from_the_invited_address(office: Office) -> None:
    mail = await office.invite(create(jane()))
    sent = reply(mail.message, Program.GMAIL, Answer.YES, user="jroe@example.com")
    assert b"From: jroe@example.com" in sent.content
    from_invited = sent.content.replace(b"From: jroe@example.com", b"From: Jane <jane.roe@example.com>")
    assert await office.hand_over(Outgoing(JANE, sent.recipient, from_invited)) == 250
    assert len(office.events) == 1


@pytest.mark.parametrize(
    "recipient",
    [
        "somebody@example.com",
        f"meetings+r{'a' * 44}@example.com",
        f"meetings+b{'a' * 48}@example.com",
        "meetings+x@example.com",
        "meetings@example.org",
    ],
)
async def test_other_addresses_are_refused_before_a_byte_of_the_mail_is_taken(office: Office, recipient: str) -> None:
    mail = await office.invite(create(jane()))
    sent = reply(mail.message, Program.GMAIL, Answer.YES, user=JANE)
    assert await office.hand_over(Outgoing(JANE, recipient, sent.content)) == 550


async def test_a_bounce_address_takes_no_replies(office: Office) -> None:
    mail = await office.invite(create(jane()))
    sent = reply(mail.message, Program.GMAIL, Answer.YES, user=JANE)
    await office.hand_over(Outgoing(JANE, mail.return_address, sent.content))
    assert office.events == []


async def test_replies_to_another_meeting_or_to_one_that_is_over_change_nothing(office: Office) -> None:
    mail = await office.invite(create(jane()))
    sent = reply(mail.message, Program.GMAIL, Answer.YES, user=JANE)
    await office.hand_over(Outgoing(JANE, sent.recipient, itip(f"{MEETING[:-1]}0@{DOMAIN}")))
    await office.invite(cancel())
    await office.hand_over(sent)
    assert office.events == []


@pytest.mark.parametrize(
    ("uid", "extra", "counts"),
    [
        (f"{MEETING}@{DOMAIN}", "", True),
        (f"{MEETING}@{DOMAIN}".lower(), "", True),
        ("040000008200E00074C5B7101A82E008" + (bytes(24) + GLOBAL_ID).hex().upper(), "", True),
        (f"{MEETING}@elsewhere.example", "", False),
        (f"{MEETING}@{DOMAIN}", "RECURRENCE-ID:20260615T190000Z\r\n", False),
        (f"{MEETING}@{DOMAIN}", "ATTENDEE;PARTSTAT=DECLINED:mailto:other@example.com\r\n", True),
    ],
    ids=["as sent", "lower case", "wrapped by Exchange", "another domain", "an occurrence", "several attendees"],
)
async def test_shapes_seen_in_the_wild(office: Office, uid: str, extra: str, counts: bool) -> None:
    mail = await office.invite(create(jane()))
    address = reply(mail.message, Program.GMAIL, Answer.YES, user=JANE).recipient
    assert await office.hand_over(Outgoing(JANE, address, itip(uid, extra))) == 250
    assert [event.rsvp_status for event in office.events] == [RsvpStatus.ACCEPTED] * counts


def itip(uid: str, extra: str = "") -> bytes:
    """A bare reply: no SEQUENCE, no DTSTAMP, PARTSTAT in lower case."""
    lines = f"BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n{extra}"
    lines += f"ATTENDEE;PARTSTAT=accepted:MAILTO:{JANE}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    return f"From: {JANE}\r\nContent-Type: text/calendar; method=REPLY\r\n\r\n{lines}".encode()


async def test_the_organizer_stays_the_same_in_every_mail(office: Office) -> None:
    organizers = [
        _organizer((await office.invite(*commands)).message)
        for commands in ([create(jane())], [update(title="New")], [cancel()])
    ]
    assert len(set(organizers)) == 1
    assert ADDRESSES.read(organizers[0]) is not None
    assert len(organizers[0].partition("@")[0]) <= 64


def _organizer(message: Any) -> str:
    part = next(one for one in message.walk() if one.get_content_type() == "text/calendar")
    text = part.get_payload(decode=True).decode().replace("\r\n ", "")
    return text.partition("ORGANIZER")[2].partition("mailto:")[2].partition("\r\n")[0]


# --- returned mails ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        ("5.1.1", "550 5.1.1 <jane.roe@example.com> User unknown", DeliveryFailureCode.ADDRESS_REJECTED),
        ("5.7.26", "550 5.7.26 unauthenticated", DeliveryFailureCode.MAIL_REJECTED),
        ("5.2.2", "552 5.2.2 mailbox full", DeliveryFailureCode.UNREACHABLE),
        ("", "550 no", DeliveryFailureCode.UNREACHABLE),
    ],
)
async def test_a_returned_mail_is_a_failure_with_code_and_reason(
    office: Office, status: str, reason: str, code: DeliveryFailureCode
) -> None:
    mail = await office.invite(create(jane()))
    sent = bounce(mail.message, mail.return_address, status=status, reason=reason)
    assert [await office.hand_over(sent) for _ in range(2)] == [250, 250]
    [event] = office.events
    assert isinstance(event, MailFailed)
    assert (event.failure_code, event.sequence, event.kind) == (code, 1, MailKind.INVITATION)
    assert event.failure_reason.startswith(reason[:3])
    assert JANE not in event.failure_reason
    guest = await office.jane()
    assert guest.failure is not None


async def test_a_delay_is_no_failure(office: Office) -> None:
    mail = await office.invite(create(jane()))
    sent = bounce(mail.message, mail.return_address)
    delayed = sent.content.replace(b"Action: failed", b"Action: delayed")
    assert await office.hand_over(Outgoing("", sent.recipient, delayed)) == 250
    assert office.events == []


async def test_the_return_of_an_earlier_mail_or_years_later_harms_nothing(office: Office) -> None:
    first = await office.invite(create(jane()))
    await office.invite(update(title="New"))
    assert await office.hand_over(bounce(first.message, first.return_address)) == 250
    last = await office.invite(update(title="Newer"))
    long_ago = utc_now() - timedelta(days=700)
    guest = await office.jane()
    await office.guests.update_one({"_id": guest.participant_uuid}, {"$set": {"lastMail.at": long_ago}})
    assert await office.hand_over(bounce(last.message, last.return_address)) == 250
    assert office.events == []


# --- everything else --------------------------------------------------------------------------------------------------


def plain(text: str, **headers: str) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = JANE, "Re: Invitation"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes()


async def test_a_person_is_told_where_to_write_and_a_program_is_not_answered(office: Office) -> None:
    mail = await office.invite(create(jane()))
    address = reply(mail.message, Program.GMAIL, Answer.YES, user=JANE).recipient
    assert await office.hand_over(Outgoing(JANE, address, plain("See you there!"))) == 550
    vacation = plain("I am away.", Auto_Submitted="auto-replied")
    assert await office.hand_over(Outgoing("", address, vacation)) == 250
    assert office.events == []


async def test_our_own_mail_that_comes_back_in_a_loop_is_nothing(office: Office) -> None:
    mail = await office.invite(create(jane()))
    address = reply(mail.message, Program.GMAIL, Answer.YES, user=JANE).recipient
    assert await office.hand_over(Outgoing(BASE, address, mail.message.as_bytes())) == 250
    assert office.events == []


def nested(depth: int) -> bytes:
    head = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(depth))
    return head.encode() + b"\r\n"


HOSTILE = {
    "nested": nested(1000),
    "boundaries": b"Content-Type: multipart/mixed; boundary=x" + b";\r\n boundary=x" * 10_000 + b"\r\n\r\n",
    "no end": b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: text/calendar\r\n\r\nBEGIN:",
    "garbage": bytes(range(1, 10)) * 1000,
    "empty": b"\r\n",
    "bad base64": b"Content-Type: text/calendar; method=REPLY\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!\r\n",
    "bad charset": b"Content-Type: text/calendar; charset=nothing\r\n\r\nBEGIN:VCALENDAR\r\nMETHOD:REPLY\r\n",
    "deep calendar": b"Content-Type: text/calendar\r\n\r\n" + b"BEGIN:VEVENT\r\n" * 5000,
    "many attendees": b"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:x\r\n"
    + b"ATTENDEE:mailto:a@b.co\r\n" * 4000
    + b"END:VEVENT\r\nEND:VCALENDAR\r\n",
    "bad sequence": b"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:x\r\n"
    b"SEQUENCE:99999999999999999999\r\nDTSTAMP:never\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_mails_have_a_clear_outcome_and_do_not_disturb_the_next(office: Office, name: str) -> None:
    mail = await office.invite(create(jane()))
    good = reply(mail.message, Program.GMAIL, Answer.YES, user=JANE)
    async with asyncio.timeout(5):
        assert await office.hand_over(Outgoing(JANE, good.recipient, HOSTILE[name])) in (250, 500, 550)
    assert office.events == []
    assert await office.hand_over(good) == 250
    assert len(office.events) == 1


async def test_a_mail_that_is_too_large_is_refused(office: Office) -> None:
    mail = await office.invite(create(jane()))
    address = reply(mail.message, Program.GMAIL, Answer.YES, user=JANE).recipient
    large = plain("x" * 70 + "\r\n") + b"more\r\n" * 100_000
    assert await office.hand_over(Outgoing(JANE, address, large)) == 552


async def test_a_flood_of_one_guest_is_put_off(office: Office) -> None:
    mail = await office.invite(create(jane()))
    answers = [Answer.YES, Answer.NO] * 15
    sent = [
        reply(mail.message, Program.GMAIL, one, user=JANE, now=utc_now() + timedelta(seconds=number))
        for number, one in enumerate(answers)
    ]
    codes = [await office.hand_over(one) for one in sent]
    assert codes == [250] * 20 + [451] * 10
    assert len(office.events) == 20


async def test_lmtp(office: Office) -> None:
    settings = office.settings.model_copy(update={"inbound_protocol": InboundProtocol.LMTP})
    mail = await office.invite(create(jane()))
    sent = reply(mail.message, Program.GMAIL, Answer.YES, user=JANE)
    inbound = InboundMail(
        ReplyRepository(office.guests, Outbox(office.guests, office.publisher, relay_delay=60)),  # type: ignore[arg-type]
        ADDRESSES,
        AuthenticationResults(None),
        uid_domain=DOMAIN,
        replies=RateLimiter(0),
    )
    async with inbound_server(settings, intake_of(inbound)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = [await reader.readline()]
        for line in (b"LHLO mx.example.com", b"MAIL FROM:<>", b"RCPT TO:<" + sent.recipient.encode() + b">", b"DATA"):
            writer.write(line + b"\r\n")
            lines.append(await reader.readline())
            while lines[-1][3:4] == b"-":
                lines[-1] = await reader.readline()
        writer.write(sent.content.replace(b"\n", b"\r\n") + b"\r\n.\r\n")
        lines.append(await reader.readline())
        writer.close()
    assert [line[:3] for line in lines] == [b"220", b"250", b"250", b"250", b"354", b"250"]
    assert len(office.events) == 1


def test_every_program_has_a_shape() -> None:
    assert set(SHAPES) == set(Program)
