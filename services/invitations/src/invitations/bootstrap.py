"""The wiring of invitations, in the order in which its parts start; they stop in the reverse order."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from email.utils import parseaddr

from chassis.http.app import service_app
from chassis.http.internal_queries import open_query_client
from chassis.http.meeting_passwords import MeetingPasswords
from chassis.http.rate_limit import RateLimiter
from chassis.jobs.queue import JobQueue
from chassis.jobs.worker_pool import WorkerPool
from chassis.kafka.consumer import Batch, Consumer
from chassis.kafka.publisher import open_publisher
from chassis.mongo.database import Collection, open_database
from chassis.mongo.outbox import Outbox
from chassis.telemetry.health import Health
from contracts.rsvp_tokens import RsvpKeys
from contracts.transport.topics import INVITATIONS, MEETING_EVENTS
from fastapi import FastAPI

from invitations.adapters import host_notices, replies
from invitations.adapters.guests import CONCURRENCY_KEY, INDEXES, ORDER, WORK, DeliveryWorker, GuestRepository
from invitations.adapters.host_notices import HOST_CONCURRENCY_KEY, HOST_WORK, HostMailWorker, HostNoticeRepository
from invitations.adapters.inbound import mailbox_reader
from invitations.adapters.inbound.authentication import AuthenticationResults
from invitations.adapters.inbound.intake import Intake
from invitations.adapters.inbound.mailbox_reader import mailbox_workers
from invitations.adapters.inbound.smtp_server import inbound_server
from invitations.adapters.mail.composing import MailComposer, deliverable
from invitations.adapters.mail.host_composer import HostMailComposer
from invitations.adapters.mail.links import RsvpLinks
from invitations.adapters.mail.message import Mailbox
from invitations.adapters.mail.translators import load_translators
from invitations.adapters.passwords import GuestPasswords
from invitations.adapters.replies import ReplyRepository
from invitations.adapters.smtp import SmtpMailer
from invitations.application.delivery import MailDelivery
from invitations.application.fair_order import FairOrder
from invitations.application.guest_projector import GuestProjector
from invitations.application.host_notices import HostMailDelivery, HostNoticeProjector
from invitations.application.inbound_mail import InboundMail
from invitations.application.mail_sender import MailSender, RetryPolicy, UndeliverableError
from invitations.domain.guest_addresses import GuestAddresses
from invitations.settings import Settings


def create_app(settings: Settings, health: Health) -> FastAPI:
    """The whole service; it consumes and mails while its lifespan runs.

    Raises:
        ValueError: MAIL_FROM or RSVP_TOKEN_KEYS is unusable.
    """
    composer, addresses = mail_composer(settings), guest_addresses(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as started:
            database = await started.enter_async_context(open_database(settings))
            guests = database.collection("guests")
            await guests.create_indexes([*INDEXES, *replies.INDEXES])
            notices = database.collection("host_notices")
            await notices.create_indexes(host_notices.INDEXES)
            mailboxes = database.collection("mailboxes")
            await mailboxes.create_indexes(mailbox_reader.INDEXES)

            publisher = await started.enter_async_context(open_publisher(settings))
            outbox = Outbox(guests, publisher, relay_delay=settings.outbox_relay_delay)
            await started.enter_async_context(outbox.relay())

            mailer = await started.enter_async_context(smtp_mailer(settings).opened())
            core = await started.enter_async_context(
                open_query_client(settings, settings.meeting_core_url, read_timeout=settings.query_timeout)
            )
            sender = mail_sender(settings, mailer)
            delivery = MailDelivery(composer, sender, GuestPasswords(MeetingPasswords(core)))
            workers = delivery_workers(settings, guests, outbox, delivery)
            await started.enter_async_context(workers.running())
            host_workers = host_mail_workers(settings, notices, sender)
            await started.enter_async_context(host_workers.running())

            update_window = timedelta(seconds=settings.update_window)
            projector = GuestProjector(
                GuestRepository(guests), FairOrder(), wake=workers.wake, update_window=update_window
            )
            host_projector = host_notice_projector(settings, notices, wake=host_workers.wake)

            async def project(batch: Batch) -> None:
                await projector.handle(batch)
                await host_projector.handle(batch)

            consumer = Consumer(settings, publisher, group=INVITATIONS, topics=[MEETING_EVENTS], handler=project)
            await started.enter_async_context(consumer.running())
            if addresses is not None:
                intake = mail_intake(settings, addresses, ReplyRepository(guests, outbox))
                await started.enter_async_context(taking_mails_in(settings, mailboxes, intake))
            health.add_liveness_check("consumer", consumer.problem)
            health.add_liveness_check("publisher", publisher.problem)
            health.add_readiness_check("mongodb", database.problem)
            yield

    return service_app(health, lifespan)


@asynccontextmanager
async def taking_mails_in(settings: Settings, mailboxes: Collection, intake: Intake) -> AsyncIterator[None]:
    """Take mails in, from the firm's mail server and from a mailbox, until left."""
    async with AsyncExitStack() as started:
        await started.enter_async_context(inbound_server(settings, intake))
        if settings.imap_host is not None:
            readers = await mailbox_workers(settings, mailboxes, intake)
            await started.enter_async_context(readers.running())
        yield


def delivery_workers(settings: Settings, guests: Collection, outbox: Outbox, delivery: MailDelivery) -> WorkerPool:
    """The workers that send the pending mails of this collection."""
    worker = DeliveryWorker(delivery.deliver, outbox)
    return WorkerPool(
        JobQueue(guests, WORK, seconds=settings.delivery_lease, concurrency_key=CONCURRENCY_KEY, order=ORDER),
        worker.deliver,
        after_commit=worker.publish,
        concurrency=settings.smtp_connections,
        per_key=settings.smtp_per_domain,
        poll=settings.delivery_poll,
        drain=settings.drain_timeout / 2,
    )


def host_mail_workers(settings: Settings, notices: Collection, sender: MailSender) -> WorkerPool:
    """The workers that mail hosts about their guests."""
    delivery = HostMailDelivery(host_mail_composer(settings), sender, settings.host_mails)
    return WorkerPool(
        JobQueue(notices, HOST_WORK, seconds=settings.delivery_lease, concurrency_key=HOST_CONCURRENCY_KEY),
        HostMailWorker(delivery.deliver).deliver,
        concurrency=max(1, settings.smtp_connections // 2),
        per_key=settings.smtp_per_domain,
        poll=settings.delivery_poll,
        drain=settings.drain_timeout / 2,
    )


def host_notice_projector(settings: Settings, notices: Collection, *, wake: Callable[[], None]) -> HostNoticeProjector:
    """What notes down what hosts are to be mailed."""
    return HostNoticeProjector(
        HostNoticeRepository(notices),
        settings.host_mails,
        own_meetings=settings.host_meetings,
        wake=wake,
        update_window=timedelta(seconds=settings.update_window),
    )


def smtp_mailer(settings: Settings) -> SmtpMailer:
    """What hands mails to the mail server of these settings."""
    return SmtpMailer(settings, sender=_sender(settings).address)


def mail_composer(settings: Settings) -> MailComposer:
    """What writes the mails of these settings.

    Raises:
        ValueError: MAIL_FROM or RSVP_TOKEN_KEYS is unusable.
    """
    return MailComposer(
        sender=_sender(settings),
        uid_domain=_uid_domain(settings),
        addresses=guest_addresses(settings),
        links=RsvpLinks(
            settings.public_base_url,
            _keys(settings),
            grace=timedelta(seconds=settings.rsvp_link_grace),
        ),
        translators=load_translators(),
        default_language=settings.default_language,
    )


def host_mail_composer(settings: Settings) -> HostMailComposer:
    """What writes mails to hosts; what returns of them goes to our own address and ends there.

    Raises:
        ValueError: MAIL_FROM or RSVP_TOKEN_KEYS is unusable.
    """
    addresses = guest_addresses(settings)
    return HostMailComposer(
        sender=_sender(settings),
        return_address=_sender(settings).address if addresses is None else addresses.base,
        id_domain=_uid_domain(settings),
        translators=load_translators(),
        default_language=settings.default_language,
    )


def guest_addresses(settings: Settings) -> GuestAddresses | None:
    """The addresses to which guests reply; None: no mails come in.

    Raises:
        ValueError: REPLY_ADDRESS or RSVP_TOKEN_KEYS is unusable, or a mailbox is to be read without REPLY_ADDRESS.
    """
    if settings.reply_address is None and settings.imap_host is not None:
        raise ValueError("IMAP_HOST needs REPLY_ADDRESS, to which the mails of that mailbox are addressed")
    return None if settings.reply_address is None else GuestAddresses(settings.reply_address, _keys(settings))


def mail_intake(settings: Settings, addresses: GuestAddresses, guests: ReplyRepository) -> Intake:
    """What takes mails in."""
    mail = InboundMail(
        guests,
        addresses,
        AuthenticationResults(settings.trusted_authserv_id),
        uid_domain=_uid_domain(settings),
        replies=RateLimiter(settings.replies_per_guest, window=3600),
    )
    return Intake(addresses, mail, concurrency=settings.mongodb_concurrency)


def _keys(settings: Settings) -> RsvpKeys:
    return RsvpKeys.parse(settings.rsvp_token_keys.get_secret_value())


def _uid_domain(settings: Settings) -> str:
    return settings.ical_uid_domain or _sender(settings).address.rpartition("@")[2]


def _sender(settings: Settings) -> Mailbox:
    name, address = parseaddr(settings.mail_from)
    try:
        return Mailbox(name=name, address=deliverable(address))
    except UndeliverableError as error:
        raise ValueError("MAIL_FROM must be `Name <address>`, with an address that mail can be sent from") from error


def mail_sender(settings: Settings, mailer: SmtpMailer) -> MailSender:
    """What makes one attempt at a mail."""
    retry_policy = RetryPolicy(
        initial_delay=settings.delivery_retry_initial,
        max_delay=settings.delivery_retry_max,
        give_up_after=timedelta(seconds=settings.delivery_give_up_after),
    )
    return MailSender(mailer, retry_policy, RateLimiter(settings.mails_per_mailbox, window=3600))
