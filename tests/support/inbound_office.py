"""The inbound side of the invitations service: a real listener, a real database, and what it publishes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes
from typing import Any

import aiosmtplib
from chassis.http.rate_limit import RateLimiter
from chassis.kafka.records import ReceivedMessage
from chassis.mongo.database import Collection, open_database
from chassis.mongo.outbox import Outbox
from contracts.rsvp_tokens import RsvpKeys
from contracts.transport.envelope import Envelope
from contracts.transport.registry import MESSAGE_TYPES
from contracts.values.enums import Language, MailKind
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from invitations.adapters import replies
from invitations.adapters.guests import INDEXES, GuestRepository, to_guest
from invitations.adapters.inbound.authentication import AuthenticationResults
from invitations.adapters.inbound.intake import Intake
from invitations.adapters.inbound.smtp_server import inbound_server
from invitations.adapters.mail.composing import MailComposer
from invitations.adapters.mail.links import RsvpLinks
from invitations.adapters.mail.message import Mailbox
from invitations.adapters.mail.translators import load_translators
from invitations.adapters.replies import ReplyRepository
from invitations.application.fair_order import FairOrder
from invitations.application.guest_projector import GuestProjector
from invitations.application.inbound_mail import InboundMail
from invitations.domain.guest import Guest
from invitations.domain.guest_addresses import GuestAddresses
from invitations.settings import InboundSettings
from pydantic import SecretStr
from simulators.mail.programs import Outgoing

from tests.support.commands import CommandHarness
from tests.support.connections import StandInPublisher
from tests.support.guests import JANE, sent_mail

BASE, DOMAIN = "meetings@example.com", "meetings.example.com"
BELIEVED = "mx.example.com"
KEYS = RsvpKeys.parse("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
ADDRESSES = GuestAddresses(BASE, KEYS)
_NONE: Any = None


@dataclass(frozen=True)
class ReceivedMail:
    """A mail as a guest's program has it."""

    message: Any
    return_address: str


@dataclass
class Office:
    """The service's inbound side: a real listener, a real database, what it publishes."""

    settings: InboundSettings
    guests: Collection
    publisher: StandInPublisher
    composer: MailComposer
    intake: Intake
    port: int = 0
    desk: CommandHarness = field(default_factory=CommandHarness)

    async def invite(self, *commands: Any, deliver: bool = True) -> ReceivedMail:
        """These commands are carried out; Jane's mail about the last of them."""
        before = len(self.desk.events)
        for command in commands:
            self.desk.done(command)
        batch = list(zip(self.desk.events, self.desk.envelopes, strict=True))[before:]
        projector = GuestProjector(
            GuestRepository(self.guests), FairOrder(), wake=lambda: None, update_window=timedelta()
        )
        await projector.handle([ReceivedMessage(envelope, event, record=_NONE) for event, envelope in batch])
        guest = await self.jane()
        kind = guest.pending_mail() or MailKind.INVITATION
        mail = self.composer.compose(guest, kind, now=utc_now())
        if deliver:
            sent = sent_mail(guest, kind).model_copy(update={"organizer": mail.organizer, "at": utc_now()})
            await self.guests.update_one({"_id": guest.participant_uuid}, {"$set": {"lastMail": sent.model_dump()}})
        return ReceivedMail(message_from_bytes(mail.content), mail.return_address)

    async def jane(self) -> Guest:
        document = await self.guests.find_one({"person.email": JANE})
        assert document is not None
        return to_guest(document)

    async def hand_over(self, mail: Outgoing) -> int:
        """The reply code of the listener, as the firm's mail server sees it."""
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=self.port, use_tls=False, start_tls=False, timeout=20)
        async with client:
            try:
                await client.sendmail(mail.mail_from, [mail.recipient], mail.content)
            except aiosmtplib.SMTPRecipientsRefused as refused:
                return refused.recipients[0].code
            except aiosmtplib.SMTPResponseException as refused:
                return refused.code
            return 250

    @property
    def events(self) -> list[Any]:
        """All that was published, decoded."""
        return [
            MESSAGE_TYPES[Envelope.from_headers(record.headers).type].body.model_validate_json(record.value or b"")
            for record in self.publisher.records
        ]


def intake_of(mail: InboundMail) -> Intake:
    return Intake(ADDRESSES, mail, concurrency=8)


@asynccontextmanager
async def open_office(mongodb_uri: str) -> AsyncIterator[Office]:
    """With a database of its own, empty."""
    settings = InboundSettings(
        service_name="invitations",
        http_port=0,
        internal_token=SecretStr("internal"),
        mongodb_uri=mongodb_uri,
        mongodb_database="inbound",
        reply_address=BASE,
        inbound_port=0,
    )
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        guests = database.collection(uuid7_hex())
        await guests.create_indexes([*INDEXES, *replies.INDEXES])
        publisher: Any = StandInPublisher()
        composer = MailComposer(
            sender=Mailbox(name="Meetings", address=BASE),
            uid_domain=DOMAIN,
            links=RsvpLinks("https://meet.example.com", KEYS, grace=timedelta(days=7)),
            translators=load_translators(),
            default_language=Language.ENGLISH,
            addresses=ADDRESSES,
        )
        mail = InboundMail(
            ReplyRepository(guests, Outbox(guests, publisher, relay_delay=60)),
            ADDRESSES,
            AuthenticationResults(BELIEVED),
            uid_domain=DOMAIN,
            replies=RateLimiter(20, window=3600),
        )
        office = Office(settings, guests, publisher, composer, intake_of(mail))
        office.port = await stack.enter_async_context(inbound_server(settings, office.intake))
        yield office


def with_headers(mail: Outgoing, **headers: str) -> Outgoing:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return Outgoing(mail.mail_from, mail.recipient, lines.encode() + mail.content)
