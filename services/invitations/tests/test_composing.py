"""A mail, read back as its reader's programs read it."""

import re
from datetime import UTC, date, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from contracts.rsvp_tokens import RsvpKeys, verify
from contracts.values.enums import DeliveryFailureCode, Language, LocationType, MailKind, RsvpStatus
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from icalendar import Calendar
from invitations.adapters.mail.composing import MailComposer
from invitations.application.mail_sender import UndeliverableError
from invitations.domain.guest import Guest

from tests.support.commands import HOST, answer, at, cancel, contact, create, update
from tests.support.guests import JANE, MEETING, TENANT, Guestbook, guest, jane, sent_mail
from tests.support.mails import CalendarProgram, ReadMail

NOW = datetime(2026, 6, 2, 9, 30, tzinfo=UTC)


def compose(composer: MailComposer, to: Guest, kind: MailKind | None = None) -> ReadMail:
    return ReadMail.of(composer.compose(to, kind or to.pending_mail() or MailKind.INVITATION, now=NOW).content)


@pytest.fixture
def mail(composer: MailComposer) -> ReadMail:
    return compose(composer, guest())


# --- layout -----------------------------------------------------------------------------------------------------------


def test_the_parts_are_those_that_mail_programs_take_for_an_invitation(mail: ReadMail) -> None:
    assert mail.message.get_content_type() == "multipart/mixed"
    alternative, attachment = mail.message.iter_parts()
    assert alternative.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in alternative.iter_parts()]
    assert kinds == ["text/plain", "text/html", "text/calendar"]
    assert mail.part("text/calendar")["Content-Type"].params == {
        "charset": "utf-8",
        "method": "REQUEST",
        "component": "VEVENT",
    }
    assert attachment.get_filename() == "invite.ics"
    assert attachment.get_payload(decode=True) == mail.calendar


def test_the_headers(mail: ReadMail) -> None:
    assert mail.header("From") == "Name of TS-HOST <meetings@example.com>"
    assert mail.header("Reply-To") == "Name of TS-HOST <ts-host@example.com>"
    assert mail.header("To") == "Jane Roe <jane.roe@example.com>"
    assert mail.header("Subject") == "Invitation: Quarterly portfolio review"
    assert mail.header("Date") == "Tue, 02 Jun 2026 09:30:00 +0000"
    assert mail.header("Auto-Submitted") == "auto-generated"
    assert re.fullmatch(r"<MP[0-9A-F]{32}\.1@meetings\.example\.com>", mail.header("Message-ID"))
    assert "In-Reply-To" not in mail.message


def test_lines_are_short_enough_and_end_as_mail_lines_do(composer: MailComposer) -> None:
    long = guest(title="Reunión " * 30, description="word " * 1500, person={"name": "Ñandú " * 20})
    content = composer.compose(long, MailKind.INVITATION, now=NOW).content
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert max(map(len, content.split(b"\r\n"))) <= 998  # RFC 5322 section 2.1.1
    assert content.isascii()


def test_a_mail_sent_again_has_the_same_identity_and_the_same_calendar(composer: MailComposer) -> None:
    to = guest()
    first = ReadMail.of(composer.compose(to, MailKind.INVITATION, now=NOW).content)
    again = ReadMail.of(composer.compose(to, MailKind.INVITATION, now=NOW + timedelta(minutes=5)).content)
    assert first.header("Message-ID") == again.header("Message-ID")
    assert first.calendar == again.calendar


def test_later_mails_hang_under_the_first(composer: MailComposer) -> None:
    book = Guestbook(create(jane()))
    first = compose(composer, book.of(JANE)).header("Message-ID")
    book.tell()
    book.hear(update(title="New"))
    second = compose(composer, book.of(JANE))
    assert (second.header("In-Reply-To"), second.header("References")) == (first, first)
    book.tell()
    book.hear(cancel())
    third = compose(composer, book.of(JANE))
    assert third.header("In-Reply-To") == second.header("Message-ID")
    assert third.header("References") == f"{first} {second.header('Message-ID')}"


# --- calendar ---------------------------------------------------------------------------------------------------------


def test_the_event_of_an_invitation(composer: MailComposer) -> None:
    to = guest()
    mail = compose(composer, to)
    calendar = Calendar.from_ical(mail.calendar)
    assert (calendar["METHOD"], calendar["VERSION"]) == ("REQUEST", "2.0")
    event = mail.event
    assert event["UID"] == f"{MEETING}@meetings.example.com"
    assert event["SEQUENCE"] == 0
    assert event["DTSTAMP"].dt == to.requested_at.replace(microsecond=0)
    assert event["DTSTART"].dt == datetime(2026, 6, 15, 19, 0, tzinfo=UTC)
    assert event["DTEND"].dt == datetime(2026, 6, 15, 19, 45, tzinfo=UTC)
    assert event["SUMMARY"] == "Quarterly portfolio review"
    assert event["STATUS"] == "CONFIRMED"
    assert event["ORGANIZER"] == "mailto:meetings@example.com"
    assert event["ORGANIZER"].params["CN"] == "Name of TS-HOST"
    assert event["ATTENDEE"] == "mailto:jane.roe@example.com"
    assert dict(event["ATTENDEE"].params) == {
        "CN": "Jane Roe",
        "CUTYPE": "INDIVIDUAL",
        "ROLE": "REQ-PARTICIPANT",
        "PARTSTAT": "NEEDS-ACTION",
        "RSVP": "TRUE",
    }
    assert b"VTIMEZONE" not in mail.calendar


@pytest.mark.parametrize(("status", "partstat"), [(RsvpStatus.ACCEPTED, "ACCEPTED"), (RsvpStatus.DECLINED, "DECLINED")])
def test_an_update_keeps_the_answer_and_a_new_time_asks_again(
    composer: MailComposer, status: RsvpStatus, partstat: str
) -> None:
    book = Guestbook(create(jane()))
    book.tell()
    book.hear(answer(status, participant_uuid=book.of(JANE).participant_uuid))
    book.hear(update(title="New"))
    update_mail = compose(composer, book.of(JANE))
    assert update_mail.event["ATTENDEE"].params["PARTSTAT"] == partstat
    assert update_mail.event["SEQUENCE"] == 1
    book.hear(update(start_date_time=at("14:00")))
    moved = compose(composer, book.of(JANE))
    assert moved.event["ATTENDEE"].params["PARTSTAT"] == "NEEDS-ACTION"
    assert moved.event["SEQUENCE"] == 2


def test_a_cancellation_outranks_everything_before(composer: MailComposer) -> None:
    book = Guestbook(create(jane()))
    book.tell()
    book.hear(cancel())
    mail = compose(composer, book.of(JANE))
    assert Calendar.from_ical(mail.calendar)["METHOD"] == "CANCEL"
    assert mail.part("text/calendar")["Content-Type"].params["method"] == "CANCEL"
    assert (mail.event["SEQUENCE"], mail.event["STATUS"]) == (1, "CANCELLED")
    assert "rsvp" not in mail.text("text/plain")
    assert "rsvp" not in mail.text("text/html")


def test_to_a_removed_guest_the_meeting_itself_is_not_called_off(composer: MailComposer) -> None:
    book = Guestbook(create(jane()))
    book.tell()
    book.hear(update(externals=[]))
    mail = compose(composer, book.of(JANE))
    assert Calendar.from_ical(mail.calendar)["METHOD"] == "CANCEL"
    assert mail.event["SEQUENCE"] == 1
    assert "STATUS" not in mail.event  # RFC 5546 section 3.2.5


@pytest.mark.parametrize(
    ("start", "end", "first", "after_last"),
    [
        ("2026-06-15T09:00:00", "2026-06-15T23:59:59", date(2026, 6, 15), date(2026, 6, 16)),
        ("2026-06-15T00:00:00", "2026-06-16T00:00:00", date(2026, 6, 15), date(2026, 6, 16)),
        ("2026-06-15T00:00:00", "2026-06-17T12:00:00", date(2026, 6, 15), date(2026, 6, 18)),
        # In Santiago the clocks go from 24:00 to 01:00 on this night: the day has no midnight.
        ("2026-09-06T00:00:00", "2026-09-06T23:00:00", date(2026, 9, 6), date(2026, 9, 7)),
    ],
)
def test_all_day_meetings_are_dates_with_an_exclusive_end(
    composer: MailComposer, start: str, end: str, first: date, after_last: date
) -> None:
    to = guest(start_date_time=datetime.fromisoformat(start), end_date_time=datetime.fromisoformat(end), all_day=True)
    event = compose(composer, to).event
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (first, after_last)
    assert b"DTSTART;VALUE=DATE:" in compose(composer, to).calendar


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        ("Europe/Madrid", "2026-03-29T02:30:00", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # in the gap
        ("Europe/Madrid", "2026-10-25T02:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # the first of two
        ("Asia/Kathmandu", "2026-06-15T12:00:00", datetime(2026, 6, 15, 6, 15, tzinfo=UTC)),
        ("UTC", "2026-06-15T12:00:00", datetime(2026, 6, 15, 12, 0, tzinfo=UTC)),
    ],
)
def test_timed_meetings_are_instants(composer: MailComposer, zone: str, wall: str, instant: datetime) -> None:
    start = datetime.fromisoformat(wall)
    to = guest(timezone=zone, start_date_time=start, end_date_time=start + timedelta(hours=2))
    mail = compose(composer, to)
    assert mail.event["DTSTART"].dt == instant
    assert zone in mail.text("text/plain")


def test_a_calendar_program_ends_in_the_true_state_in_whatever_order_mails_come(composer: MailComposer) -> None:
    book = Guestbook(create(jane()))
    mails = [compose(composer, book.of(JANE)).calendar]
    book.tell()
    for change in (update(start_date_time=at("14:00")), update(title="New"), update(location_detail="Room 5")):
        book.hear(change)
        mails.append(compose(composer, book.of(JANE)).calendar)
        book.tell()
    in_order = CalendarProgram()
    for mail in mails:
        in_order.receive(mail)
    [entry] = in_order.shown
    assert (entry["title"], entry["where"]) == ("New", "Room 5")
    assert entry["start"] == datetime(2026, 6, 15, 18, 0, tzinfo=UTC)
    for order in ([*mails, *mails], mails[::-1], [mails[2], mails[3], mails[0], mails[1], mails[0]]):
        program = CalendarProgram()
        for mail in order:
            program.receive(mail)
        assert program.shown == in_order.shown
    book.hear(cancel())
    goodbye = compose(composer, book.of(JANE)).calendar
    for order in ([*mails, goodbye], [goodbye, *mails], [goodbye, goodbye, *mails[::-1]]):
        program = CalendarProgram()
        for mail in order:
            program.receive(mail)
        assert program.shown == []


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "subject", "when", "accept"),
    [
        (
            Language.ENGLISH,
            "Invitation: Quarterly portfolio review",
            "Monday, June 15, 2026, 3:00\u00a0PM – 3:45\u00a0PM (Chile Standard Time, America/Santiago)",
            "Accept",
        ),
        (
            Language.SPANISH,
            "Invitación: Quarterly portfolio review",
            "lunes, 15 de junio de 2026, 15:00 – 15:45 (hora estándar de Chile, America/Santiago)",
            "Aceptar",
        ),
    ],
)
def test_a_guest_reads_their_own_language(
    composer: MailComposer, language: Language, subject: str, when: str, accept: str
) -> None:
    mail = compose(composer, guest(person={"language": language}))
    assert mail.header("Subject") == subject
    for kind in ("text/plain", "text/html"):
        assert when in mail.text(kind)
        assert accept in mail.text(kind)
    assert f'<html lang="{"en" if language is Language.ENGLISH else "es"}">' in mail.text("text/html")


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", MailKind)
def test_every_mail_can_be_written_in_every_language(
    composer: MailComposer, language: Language, kind: MailKind
) -> None:
    for to in (guest(person={"language": language}), guest(title=None, person={"language": language, "name": None})):
        for removed in (False, True):
            mail = compose(composer, to.model_copy(update={"removed": removed, "last_mail": sent_mail(to, kind)}), kind)
            assert mail.header("Subject")
            assert mail.text("text/plain").strip()
            assert "Name of TS-HOST" in mail.text("text/html")


def test_what_all_may_know_is_in_and_what_only_staff_may_know_is_not(composer: MailComposer) -> None:
    to = guest(
        description="Review Q2.",
        meeting_information="Ring the bell.",
        location_type=LocationType.IN_PERSON,
        location_detail="Room 5",
        meeting_link="https://meet.example.com/x",
        meeting_provider="GOOGLE_MEET",
        internal_notes="TOP-SECRET-NOTE",
        meeting_password="TOP-SECRET-PASSWORD",
    )
    mail = compose(composer, to)
    calendar = mail.event
    for told_where in (mail.text("text/plain"), mail.text("text/html")):
        for words in ("Review Q2.", "Ring the bell.", "Room 5", "https://meet.example.com/x", "GOOGLE_MEET", HOST.name):
            assert words is not None
            assert words in told_where
    assert "Ring the bell." in calendar["DESCRIPTION"]
    assert calendar["LOCATION"] == "Room 5"
    assert calendar["URL"] == "https://meet.example.com/x"
    content = composer.compose(to, MailKind.INVITATION, now=NOW).content
    assert b"TOP-SECRET" not in content
    assert "TOP-SECRET" not in mail.text("text/html") + mail.text("text/plain") + mail.calendar.decode()


def test_other_guests_are_not_in_the_mail(composer: MailComposer) -> None:
    book = Guestbook(create(jane(), jane(email="secret.guest@example.com", name="Secret Guest")))
    mail = compose(composer, book.of(JANE))
    everything = mail.text("text/plain") + mail.text("text/html") + mail.calendar.decode()
    assert "ecret" not in everything


def test_the_buttons_ask_before_they_act_and_carry_a_good_token(composer: MailComposer, keys: RsvpKeys) -> None:
    to = guest()
    mail = compose(composer, to)
    links = re.findall(r"https://meet\.example\.com/api\S+", mail.text("text/plain"))
    assert len(links) == 2
    for link, status in zip(links, ("ACCEPTED", "DECLINED"), strict=True):
        assert link.replace("&", "&amp;") in mail.text("text/html")
        address = urlsplit(link)
        assert address.path == f"/api/v1/meetings/{MEETING}/participants/{to.participant_uuid}/rsvp"
        query = parse_qs(address.query)
        assert (query["status"], query["confirm"]) == ([status], ["1"])
        good = {"meeting_uuid": MEETING, "participant_uuid": to.participant_uuid}
        week_after = to.meeting.ends_at + timedelta(days=7)
        [token] = query["token"]
        assert verify(token, keys, **good, now=week_after - timedelta(seconds=1)) == TENANT


def test_a_link_is_one_in_whatever_case_its_scheme_is(composer: MailComposer) -> None:
    mail = compose(composer, guest(meeting_link="Https://zoom.us/j/1"))
    assert 'href="https://zoom.us/j/1"' in mail.text("text/html")
    assert mail.event["URL"] == "https://zoom.us/j/1"


@pytest.mark.parametrize("words", ["=?utf-8?Q?a=0D=0ABcc:_b@example.com?=", "=?utf-8?B?YQ0KYg==?= and more"])
def test_what_looks_like_an_encoded_word_is_taken_literally(composer: MailComposer, words: str) -> None:
    to = guest(title=words, person={"name": words})
    to = to.model_copy(update={"meeting": to.meeting.model_copy(update={"organizer_name": words})})
    mail = compose(composer, to)
    assert mail.header("Subject") == f"Invitation: {words}"
    for name in ("To", "From", "Reply-To"):
        [mailbox] = mail.message[name].addresses
        assert mailbox.display_name == words
    assert mail.event["SUMMARY"] == words
    assert mail.event["ATTENDEE"].params["CN"] == words


def test_only_web_addresses_become_links(composer: MailComposer) -> None:
    mail = compose(composer, guest(meeting_link="javascript:alert(1)"))
    assert "javascript:" not in mail.text("text/html")


def test_a_host_who_cannot_be_mailed_is_not_replied_to(composer: MailComposer) -> None:
    to = guest()
    unreachable = to.model_copy(update={"meeting": to.meeting.model_copy(update={"organizer_email": "nobody"})})
    assert "Reply-To" not in compose(composer, unreachable).message


# --- what strangers write ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a b@example.com",
        "a@b@example.com",
        "a@example.com\r\nBcc: victim@example.com",
        "<a@example.com>",
        "a@example.com, b@example.com",
        '"a b"@example.com',
        "a@-example.com",
        "a@example..com",
        "josé@example.com",
        "a" * 250 + "@example.com",
    ],
)
def test_what_is_no_address_is_not_mailed(composer: MailComposer, address: str) -> None:
    with pytest.raises(UndeliverableError) as refusal:
        composer.compose(guest(person={"email": address}), MailKind.INVITATION, now=NOW)
    assert refusal.value.code is DeliveryFailureCode.ADDRESS_REJECTED


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("jane@bücher.example", "jane@xn--bcher-kva.example"),
        ("x@faß.de", "x@xn--fa-hia.de"),  # under IDNA 2003 it would be fass.de, somebody else's
        ("x@xn--fa-hia.de", "x@xn--fa-hia.de"),
    ],
)
def test_an_international_domain_goes_over_the_wire_in_ascii(composer: MailComposer, address: str, wire: str) -> None:
    mail = composer.compose(guest(person={"email": address}), MailKind.INVITATION, now=NOW)
    assert mail.recipient == wire
    read = ReadMail.of(mail.content)
    assert read.header("To") == f"Jane Roe <{wire}>"
    assert read.event["ATTENDEE"] == f"mailto:{wire}"


_HOSTILE = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n\x00\u202e\u2066\"<>&;:,\\=?@{}%'"), max_size=80
)
_EXPECTED_HEADERS = {
    "From", "Reply-To", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
}  # fmt: skip
_EXPECTED_TAGS = {
    "html", "head", "meta", "title", "style", "body", "table", "tr", "td", "th", "p", "h1", "a", "span", "br",
}  # fmt: skip


@settings(
    deadline=None, max_examples=60, phases=(Phase.explicit, Phase.reuse, Phase.generate)
)  # shrinking takes minutes
@example(title="", name="", host="'\\", text="", place="")
@given(title=_HOSTILE, name=_HOSTILE, host=_HOSTILE, text=_HOSTILE, place=_HOSTILE)
def test_nothing_that_strangers_write_escapes_its_place(
    composer: MailComposer, title: str, name: str, host: str, text: str, place: str
) -> None:
    to = guest(title=title, person={"name": name}, description=text, meeting_information=text, location_detail=place)
    to = to.model_copy(update={"meeting": to.meeting.model_copy(update={"organizer_name": host})})
    mail = compose(composer, to)
    assert set(mail.message.keys()) <= _EXPECTED_HEADERS
    assert len(mail.message.keys()) == len(set(mail.message.keys()))
    assert [address.addr_spec for address in mail.message["To"].addresses] == [JANE]
    assert [address.addr_spec for address in mail.message["From"].addresses] == ["meetings@example.com"]
    html = mail.text("text/html")
    assert {tag.lower() for tag in re.findall(r"<\s*/?\s*([a-zA-Z][^\s/>]*)", html)} <= _EXPECTED_TAGS
    assert not re.search(r"<[^>]*\son\w+\s*=", html)
    calendar = Calendar.from_ical(mail.calendar)
    assert [part.name for part in calendar.walk()] == ["VCALENDAR", "VEVENT"]
    assert calendar["METHOD"] == "REQUEST"
    event = mail.event
    assert (event["ATTENDEE"], event["ORGANIZER"]) == (f"mailto:{JANE}", "mailto:meetings@example.com")
    assert event["UID"] == f"{MEETING}@meetings.example.com"


def test_lines_of_a_description_stay_lines_without_css(composer: MailComposer) -> None:
    """Outlook for Windows ignores ``white-space``."""
    mail = compose(composer, guest(description="Agenda:\n\n  1. <Q2>\n2. Fees", meeting_information="Gate 1\nFloor 2"))
    html = mail.text("text/html")
    assert "Agenda:<br><br>&nbsp;&nbsp;1. &lt;Q2&gt;<br>2. Fees" in html
    assert "Gate 1<br>Floor 2" in html
    assert "white-space:pre" not in html


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("kind", list(MailKind))
def test_no_mail_names_another_guest(composer: MailComposer, kind: MailKind, language: Language) -> None:
    others = ("Boris Secret", "boris.secret@example.org", "Carla Hidden", "carla.hidden@example.org")
    book = Guestbook(
        create(
            jane(language=language),
            jane(email=others[1], name=others[0], language=language),
            contact("C-HIDDEN", email=others[3], name=others[2]),
        )
    )
    book.tell()
    book.hear(update(title="New"))
    if kind is MailKind.CANCELLATION:
        book.hear(cancel())
    mail = compose(composer, book.of(JANE), kind)
    text = "\n".join([str(mail.message), mail.text("text/plain"), mail.text("text/html"), mail.calendar.decode()])
    assert "Jane Roe" in text
    assert not [one for one in others if one in text]


@pytest.mark.parametrize(("language", "before"), [(Language.ENGLISH, "Before"), (Language.SPANISH, "Antes")])
def test_an_update_says_what_changed_old_and_new(composer: MailComposer, language: Language, before: str) -> None:
    book = Guestbook(create(jane(language=language), title="Review", location_detail="Room <1>"))
    book.tell()
    book.hear(update(title="New review", start_date_time=at("14:00"), location_detail="Room 2"))
    mail = compose(composer, book.of(JANE))
    plain, html = mail.text("text/plain"), mail.text("text/html")
    for text in (plain, html):
        assert f"{before}: Review" in text
        assert "New review" in text
    assert f"{before}: Room <1>" in plain
    assert f"{before}: Room &lt;1&gt;" in html
    times = [line for line in plain.splitlines() if "2026" in line]
    assert len(times) == 2
    assert times[0] != times[1]


def test_only_an_update_says_what_was_before(composer: MailComposer) -> None:
    book = Guestbook(create(jane()))
    book.tell()
    book.hear(update(description="New"))
    assert "Before:" not in compose(composer, book.of(JANE)).text("text/plain")


@pytest.mark.parametrize("part", ["text/plain", "text/html"])
def test_an_update_says_where_it_was_when_there_is_no_place_any_more(composer: MailComposer, part: str) -> None:
    book = Guestbook(create(jane(), location_type=LocationType.IN_PERSON, location_detail="Room 1"))
    book.tell()
    guest = book.of(JANE)
    gone = guest.meeting.model_copy(update={"location_detail": None})
    guest = guest.model_copy(update={"meeting": gone, "requested_in_version": 2, "changed_in_version": 2})
    text = compose(composer, guest).text(part)
    assert text.index("When") < text.index("Where") < text.index("Before: Room 1")


@pytest.mark.parametrize("part", ["text/plain", "text/html"])
@pytest.mark.parametrize(
    ("language", "free"), [(Language.ENGLISH, "You are free again: "), (Language.SPANISH, "Vuelve a estar libre: ")]
)
def test_a_cancellation_names_the_time_that_is_free_again(
    composer: MailComposer, language: Language, free: str, part: str
) -> None:
    """It is the one that the guest knows, also when a newer one was never mailed."""
    book = Guestbook(create(jane(language=language), title="Known"))
    book.tell()
    when = (
        free + compose(composer, book.of(JANE), MailKind.CANCELLATION).text(part).partition(free)[2].partition(".")[0]
    )
    book.hear(update(title="Never mailed", start_date_time=at("14:00")))
    book.hear(cancel())
    text = compose(composer, book.of(JANE)).text(part)
    assert "2026" in when
    assert when in text
    assert "Known" in text
    assert "Never mailed" not in text
    assert "14:00" not in text
    assert "2:00" not in text
