"""What hosts are mailed, in which language, once, and whatever happens in between."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from chassis.http.rate_limit import RateLimiter
from chassis.jobs.queue import JobQueue
from chassis.kafka.records import ReceivedMessage
from chassis.mongo.database import Collection, Document, open_database
from chassis.settings import DatabaseSettings
from contracts.messages.command import Command
from contracts.messages.invitation_events import GuestProposedNewTime, MailFailed
from contracts.values.enums import DeliveryFailureCode, Language, MailKind, RsvpStatus
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from icalendar import Calendar
from invitations.adapters.host_notices import (
    HOST_CONCURRENCY_KEY,
    HOST_WORK,
    INDEXES,
    HostMailWorker,
    HostNoticeRepository,
)
from invitations.adapters.mail.host_composer import HostMailComposer
from invitations.adapters.mail.message import Mailbox
from invitations.adapters.mail.translators import load_translators
from invitations.application.host_notices import HostMailDelivery, HostNoticeProjector
from invitations.application.mail_sender import DeferredError, Mail, MailSender, RetryPolicy
from invitations.domain.host_notice import HostMails
from meeting_core.application.event_handlers import apply_delivery, apply_mail_reply
from pydantic import SecretStr

from tests.support.commands import HOST, MEETING, TENANT, CommandHarness, answer, at, cancel, create, update
from tests.support.guests import JANE, jane
from tests.support.mails import ReadMail

pytestmark = pytest.mark.integration

_NONE: Any = None
TITLE = "Quarterly portfolio review"


class StandInMailer:
    """Keeps what it is given, or raises what it was given."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.sent: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append(mail)


class Office:
    """A meeting with Jane as its guest, and the host's mails about her."""

    def __init__(
        self, notices: Collection, scope: HostMails, language: Language | None = None, *, own_meetings: bool = False
    ) -> None:
        self.desk = CommandHarness(create(jane(), by=HOST.model_copy(update={"language": language}), title=TITLE))
        self.mailer = StandInMailer()
        self._scope = scope
        self._notices = notices
        self._heard = 0
        self._projector = HostNoticeProjector(
            HostNoticeRepository(notices),
            scope,
            own_meetings=own_meetings,
            wake=lambda: None,
            update_window=timedelta(0),
        )

    @property
    def jane(self) -> str:
        return self.desk.meeting.participants[0].participant_uuid

    async def hear(self, *commands: Command, again: bool = False) -> None:
        """Do this to the meeting, and hear the events; ``again``: with all those before."""
        for command in commands:
            self.desk.done(command)
        events = list(zip(self.desk.events, self.desk.envelopes, strict=True))[0 if again else self._heard :]
        self._heard = len(self.desk.events)
        await self._projector.handle([ReceivedMessage(envelope, event, record=_NONE) for event, envelope in events])

    async def jane_answers(self, status: RsvpStatus) -> None:
        await self.hear(answer(participant_uuid=self.jane, status=status))

    async def jane_proposes(self, start: str, end: str, comment: str = "") -> None:
        times = {"starts_at": f"2026-06-15T{start}:00Z", "ends_at": f"2026-06-15T{end}:00Z"}
        proposal = GuestProposedNewTime.model_validate(
            times
            | {"tenant_uuid": TENANT, "meeting_uuid": MEETING, "participant_uuid": self.jane, "reply_id": uuid7_hex()}
            | {"ical_sequence": 0, "replied_at": utc_now(), "comment": comment or None}
        )
        apply_mail_reply(self.desk.uow, proposal, self.desk.now)
        await self.hear()

    async def mail_returns(self, reason: str) -> None:
        failed = MailFailed(
            meeting_uuid=MEETING,
            participant_uuid=self.jane,
            kind=MailKind.INVITATION,
            sequence=1,
            at=utc_now(),
            failure_code=DeliveryFailureCode.ADDRESS_REJECTED,
            failure_reason=reason,
        )
        apply_delivery(self.desk.uow, failed)
        await self.hear()

    async def deliver(self) -> list[ReadMail]:
        """Run the jobs that are due; the mails that left by that."""
        before = len(self.mailer.sent)
        queue = JobQueue(self._notices, HOST_WORK, seconds=30, concurrency_key=HOST_CONCURRENCY_KEY)
        policy = RetryPolicy(initial_delay=0, max_delay=0, give_up_after=timedelta(days=9000))
        sender = MailSender(self.mailer, policy, RateLimiter(0))
        composer = HostMailComposer(
            sender=Mailbox(name="Meetings", address="meetings@example.com"),
            return_address="meet@replies.example.com",
            id_domain="meetings.example.com",
            translators=load_translators(),
            default_language=Language.ENGLISH,
        )
        worker = HostMailWorker(HostMailDelivery(composer, sender, self._scope).deliver)
        for job in await queue.claim(10, full=[], per_key=lambda _key: 10):
            [document] = await queue.record([(job, await worker.deliver(job))])
            assert document is not None
        return [ReadMail.of(mail.content) for mail in self.mailer.sent[before:]]

    async def stored(self) -> list[Document]:
        return await self._notices.find({})


@pytest.fixture
async def notices(mongodb_uri: str) -> AsyncIterator[Collection]:
    settings = DatabaseSettings(
        service_name="invitations",
        http_port=0,
        internal_token=SecretStr("internal"),
        mongodb_uri=mongodb_uri,
        mongodb_database="notices",
    )
    async with open_database(settings) as database:
        collection = database.collection(uuid7_hex())
        await collection.create_indexes(INDEXES)
        yield collection


@pytest.fixture
def office(notices: Collection) -> Office:
    return Office(notices, HostMails.DECLINES)


async def test_a_decline_is_mailed_to_the_host_once_whatever_is_repeated(office: Office) -> None:
    await office.hear()
    await office.jane_answers(RsvpStatus.DECLINED)
    [mail] = await office.deliver()
    assert mail.header("Subject") == f"Jane Roe declines: {TITLE}"
    assert mail.header("To").endswith(f"<{HOST.email}>")
    assert JANE in mail.header("Reply-To")
    assert mail.header("Auto-Submitted") == "auto-generated"
    assert office.mailer.sent[0].return_address == "meet@replies.example.com"
    assert mail.message.get_content_type() == "multipart/alternative"
    for content_type in ("text/plain", "text/html"):
        assert "Jane Roe has declined" in mail.text(content_type)
    await office.hear(again=True)
    assert await office.deliver() == []


async def test_other_answers_are_mailed_only_as_a_correction(office: Office) -> None:
    await office.jane_answers(RsvpStatus.ACCEPTED)
    assert await office.deliver() == []
    await office.jane_answers(RsvpStatus.DECLINED)
    await office.deliver()
    await office.jane_answers(RsvpStatus.ACCEPTED)
    [correction] = await office.deliver()
    assert correction.header("Subject") == f"Jane Roe accepts: {TITLE}"
    await office.jane_answers(RsvpStatus.DECLINED)
    assert len(await office.deliver()) == 1


async def test_answers_that_come_faster_than_mails_leave_are_one_mail(office: Office) -> None:
    for status in (RsvpStatus.DECLINED, RsvpStatus.ACCEPTED, RsvpStatus.DECLINED):
        await office.jane_answers(status)
    [mail] = await office.deliver()
    assert "declines" in mail.header("Subject")


async def test_a_decline_that_is_withdrawn_before_its_mail_leaves_is_not_mailed(office: Office) -> None:
    await office.jane_answers(RsvpStatus.DECLINED)
    await office.jane_answers(RsvpStatus.ACCEPTED)
    assert await office.deliver() == []


async def test_a_decline_of_the_new_time_is_mailed_like_that_of_the_old_one(office: Office) -> None:
    await office.jane_answers(RsvpStatus.DECLINED)
    await office.deliver()
    await office.hear(update(start_date_time=at("14:00"), end_date_time=at("14:45")))
    await office.jane_answers(RsvpStatus.DECLINED)
    assert len(await office.deliver()) == 1


async def test_a_proposed_time_is_mailed_with_the_time_that_it_is_to_replace(office: Office) -> None:
    await office.jane_proposes("21:00", "21:45", comment="After lunch,\nplease. <b>")
    [mail] = await office.deliver()
    assert mail.header("Subject") == f"Jane Roe proposes a new time: {TITLE}"
    text = mail.text("text/plain").replace("\u00a0", " ")
    planned = office.desk.meeting.content.start_date_time.strftime("%-I:%M %p")
    assert f"When: Monday, June 15, 2026, {planned}" in text
    assert "Proposed time: Monday, June 15, 2026, 5:00 PM – 5:45 PM (Chile" in text
    assert "They write: After lunch," in text
    assert "After lunch,<br>please. &lt;b&gt;" in mail.text("text/html")


async def test_a_mail_that_returns_is_mailed_to_the_host_and_replies_do_not_go_to_the_dead_address(
    office: Office,
) -> None:
    await office.mail_returns("550 5.1.1 no such user")
    [mail] = await office.deliver()
    assert mail.header("Subject") == f"Jane Roe could not be reached: {TITLE}"
    assert "550 5.1.1 no such user" in mail.text("text/plain")
    assert mail.message["Reply-To"] is None


async def test_hosts_are_mailed_in_their_language(notices: Collection) -> None:
    office = Office(notices, HostMails.DECLINES, Language.SPANISH)
    await office.jane_answers(RsvpStatus.DECLINED)
    [mail] = await office.deliver()
    assert mail.header("Subject") == f"Jane Roe rechaza: {TITLE}"
    assert "Cuándo: lunes, 15 de junio de 2026" in mail.text("text/plain")
    assert 'lang="es"' in mail.text("text/html")


async def test_all_answers_are_mailed_where_that_is_set(notices: Collection) -> None:
    office = Office(notices, HostMails.ALL)
    await office.jane_answers(RsvpStatus.ACCEPTED)
    assert "accepts" in (await office.deliver())[0].header("Subject")


async def test_nothing_is_kept_where_no_mails_are_set(notices: Collection) -> None:
    office = Office(notices, HostMails.NONE)
    await office.jane_answers(RsvpStatus.DECLINED)
    await office.mail_returns("550")
    assert (await office.deliver(), await office.stored()) == ([], [])


async def test_other_events_are_nothing_to_mail(office: Office) -> None:
    await office.hear(update(title="New"), cancel())
    assert (await office.deliver(), await office.stored()) == ([], [])


async def test_a_mail_that_is_deferred_leaves_later(office: Office) -> None:
    office.mailer.error = DeferredError("451 Later")
    await office.jane_answers(RsvpStatus.DECLINED)
    assert await office.deliver() == []
    office.mailer.error = None
    assert len(await office.deliver()) == 1


async def test_an_answer_that_comes_while_its_mail_leaves_is_mailed_too(office: Office) -> None:
    await office.jane_answers(RsvpStatus.DECLINED)
    sent: list[Mail] = office.mailer.sent

    class Slow(StandInMailer):
        async def send(self, mail: Mail) -> None:
            await office.jane_answers(RsvpStatus.ACCEPTED)
            sent.append(mail)

    office.mailer, keep = Slow(), office.mailer
    office.mailer.sent = sent
    assert "declines" in (await office.deliver())[0].header("Subject")
    office.mailer = keep
    [correction] = await office.deliver()
    assert "accepts" in correction.header("Subject")


# --- the host's own meetings ------------------------------------------------------------------------------------------


@pytest.fixture
def own(notices: Collection) -> Office:
    """Hosts are mailed their own meetings, and nothing of their guests."""
    return Office(notices, HostMails.NONE, own_meetings=True)


def published(mail: ReadMail) -> Any:
    """The event in the mail, which programs take for a published one."""
    calendar = Calendar.from_ical(mail.calendar)
    assert calendar["METHOD"] == "PUBLISH"
    assert "method=PUBLISH" in str(mail.message)
    [event] = calendar.walk("VEVENT")
    assert "ATTENDEE" not in event
    assert str(event["ORGANIZER"]) == f"mailto:{HOST.email}"
    assert str(event["UID"]) == f"{MEETING}@meetings.example.com"
    return event


async def test_a_host_gets_their_own_meeting_with_every_change_and_its_end(own: Office) -> None:
    await own.hear()
    [created] = await own.deliver()
    assert created.header("Subject") == f"Your meeting: {TITLE}"
    first = published(created)
    assert (first["SEQUENCE"], first["STATUS"], first["SUMMARY"]) == (0, "CONFIRMED", TITLE)
    await own.hear(update(title="New", start_date_time=at("14:00"), end_date_time=at("15:00")))
    [changed] = await own.deliver()
    assert changed.header("Subject") == "Updated: New"
    for part in ("text/plain", "text/html"):
        assert f"Before: {TITLE}" in changed.text(part)
    second = published(changed)
    assert (second["SEQUENCE"], second["SUMMARY"]) == (1, "New")
    await own.hear(cancel())
    [canceled] = await own.deliver()
    assert canceled.header("Subject") == "Canceled: New"
    assert "You are free again: " in canceled.text("text/plain")
    last = published(canceled)
    assert (last["SEQUENCE"], last["STATUS"]) == (2, "CANCELLED")


async def test_a_calendar_program_follows_what_hosts_are_mailed(own: Office) -> None:
    await own.hear()
    mails = await own.deliver()
    await own.hear(update(title="New"))
    mails += await own.deliver()
    await own.hear(again=True)
    assert await own.deliver() == []
    assert [str(published(mail)["SUMMARY"]) for mail in mails] == [TITLE, "New"]


async def test_own_meetings_are_mailed_in_the_language_of_the_host(notices: Collection) -> None:
    office = Office(notices, HostMails.NONE, Language.SPANISH, own_meetings=True)
    await office.hear()
    [mail] = await office.deliver()
    assert mail.header("Subject") == f"Su reunión: {TITLE}"
    assert "Abra el archivo adjunto" in mail.text("text/html")


async def test_a_host_whose_calendar_is_connected_is_mailed_no_meeting(own: Office) -> None:
    own.desk = CommandHarness()
    own.desk.uow.host_connected = True
    await own.hear(create(jane(), by=HOST), update(title="New"), cancel())
    assert await own.stored() == []


@pytest.mark.parametrize("own_meetings", [True, False])
async def test_own_meetings_are_mailed_only_where_that_is_set(notices: Collection, own_meetings: bool) -> None:
    office = Office(notices, HostMails.ALL, own_meetings=own_meetings)
    await office.hear()
    assert len(await office.deliver()) == own_meetings


async def test_a_meeting_that_is_canceled_before_its_mail_leaves_is_not_mailed(own: Office) -> None:
    await own.hear(cancel())
    assert await own.deliver() == []


async def test_what_calendars_do_not_show_is_not_mailed(own: Office) -> None:
    await own.hear()
    await own.deliver()
    await own.hear(update(internal_notes="A secret"))
    await own.jane_answers(RsvpStatus.DECLINED)
    assert await own.deliver() == []
