"""Recorded deliveries against a bare SMTP client: ``python -m benchmarks.deliveries``.

A thousand guests are invited: written down, leased, composed, sent, marked, and the deliveries told on the bus; by the
parts of the invitations service, in this process, with a real MongoDB and Kafka. In turn with that, the bare client
sends the same mails, prebuilt, over as many connections, to the same sink. Writes ``docs/benchmarks/deliveries.md``.
"""

import argparse
import asyncio
import contextlib
import os
import platform as machine
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvloop
from aiosmtplib import SMTP
from chassis.kafka.publisher import Publisher, open_publisher
from chassis.kafka.records import ReceivedMessage
from chassis.mongo.database import open_database
from chassis.mongo.outbox import Outbox
from chassis.provision import ProvisioningSettings, provision
from contracts.messages.command import Actor
from contracts.messages.meeting_commands import CreateMeeting
from contracts.messages.meeting_events import MeetingCreated
from contracts.transport.envelope import Envelope
from contracts.values.enums import Language, LocationType, ParticipantType, UserType
from contracts.values.ids import new_meeting_uuid, uuid7_hex
from contracts.values.meeting import Invitee, MeetingContent
from contracts.values.times import utc_now
from invitations.adapters.guests import INDEXES, GuestRepository
from invitations.application.delivery import MailDelivery
from invitations.application.fair_order import FairOrder
from invitations.application.guest_projector import GuestProjector
from invitations.application.mail_sender import Mail
from invitations.bootstrap import delivery_workers, mail_composer, mail_sender, smtp_mailer
from invitations.domain.guest import Guest
from invitations.domain.guest_changes import guest_changes
from invitations.settings import MailTls, Settings
from localrun.kafka import running_apache_kafka, running_tansu
from localrun.mongodb import running_mongod
from localrun.ports import free_port
from localrun.processes import Process, answers_ok
from meeting_core.domain.meeting import Meeting
from pydantic import SecretStr

from tests.support.waiting import until

_REPORT = Path(__file__).parents[1] / "docs" / "benchmarks" / "deliveries.md"
_GUESTS_OF_A_MEETING = 5
_RATIO, _COMPOSING_MS = 2.5, 5.0
_KEY = "YSBrZXkgb2YgdGhlIGJlbmNobWFya3MsIDI1NiBiaXRz"


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds for all mails."""

    ours: float
    bare: float


@dataclass(frozen=True, slots=True)
class Composing:
    """Milliseconds for one mail, of real time: half of them took at most, and 99 of 100."""

    p50: float
    p99: float


async def _measure(settings: Settings, *, mails: int, rounds: int) -> tuple[list[Round], Composing]:
    composer = mail_composer(settings)
    async with open_publisher(settings) as publisher:
        await _ours(settings, publisher, mails // 2)  # warm: code, connections, topics' metadata
        await _bare(settings, [_compose(composer, guest) for guest in _guests(_events(mails // 2))])
        results = []
        for number in range(rounds):
            prebuilt = [_compose(composer, guest) for guest in _guests(_events(mails))]
            ours = await _ours(settings, publisher, mails)
            bare = await _bare(settings, prebuilt)
            results.append(Round(ours, bare))
            print(f"round {number + 1}: {mails} deliveries in {ours:.2f} s, bare {bare:.2f} s, {ours / bare:.2f}×")
    return results, _composing(composer, mails)


class NoPasswords:
    """Meetings that need none."""

    async def password_of(self, _guest: Guest) -> str | None:
        return None


async def _ours(settings: Settings, publisher: Publisher, mails: int) -> float:
    """From the events until every delivery is marked and told."""
    async with open_database(settings) as database, smtp_mailer(settings).opened() as mailer:
        guests = database.collection(f"guests-{uuid7_hex()}")
        await guests.create_indexes(INDEXES)
        outbox = Outbox(guests, publisher, relay_delay=60)
        delivery = MailDelivery(mail_composer(settings), mail_sender(settings, mailer), NoPasswords())
        workers = delivery_workers(settings, guests, outbox, delivery)
        projector = GuestProjector(GuestRepository(guests), FairOrder(), wake=workers.wake, update_window=timedelta(0))
        batch = _events(mails)
        async with workers.running():
            started = time.perf_counter()
            await projector.handle(batch)
            owing = {"$or": [{"lastMail": None}, {"outboxDueAt": {"$exists": True}}]}

            async def all_told() -> bool:
                return await guests.find_one(owing, projection=["_id"]) is None

            await until(all_told, what="all deliveries are marked and told", within=120)
            return time.perf_counter() - started


async def _bare(settings: Settings, mails: list[Mail]) -> float:
    """The client library alone: as many connections, each sending one mail after the other."""
    waiting = iter(mails)

    async def send_some() -> None:
        client = SMTP(hostname=settings.smtp_host, port=settings.smtp_port, use_tls=False, start_tls=False)
        async with client:
            for mail in waiting:
                await client.sendmail("meetings@example.com", mail.recipient, mail.content)

    started = time.perf_counter()
    await asyncio.gather(*(send_some() for _ in range(settings.smtp_connections)))
    return time.perf_counter() - started


def _composing(composer: Any, mails: int) -> Composing:
    times = []
    for guest in _guests(_events(mails)):
        started = time.perf_counter()
        _compose(composer, guest)
        times.append((time.perf_counter() - started) * 1000)
    return Composing(statistics.median(times), statistics.quantiles(times, n=100)[98])


def _compose(composer: Any, guest: Guest) -> Mail:
    kind = guest.pending_mail()
    mail: Mail = composer.compose(guest, kind, now=utc_now())
    return mail


def _guests(batch: list[ReceivedMessage[Any]]) -> Iterator[Guest]:
    for received in batch:
        yield from map(Guest.from_change, guest_changes(received.body, received.envelope))


def _events(mails: int) -> list[ReceivedMessage[Any]]:
    """What the creation of so many guests' meetings says; guests are spread over ten mail domains."""
    return [_created(number) for number in range(mails // _GUESTS_OF_A_MEETING)]


def _created(number: int) -> ReceivedMessage[MeetingCreated]:
    host = Actor(
        tenant_uuid="T019A16FF372A70B5A9307B00CE85E4DA",
        user_id="TS019C06688AA57248B9EA5325DBDFC48E",
        user_type=UserType.TENANT_STAFF,
        email="valentina.rojas@example.com",
        name="Valentina Rojas",
    )
    start = datetime(2027, 6, 15, 15)  # noqa: DTZ001 a wall time
    command = CreateMeeting(
        command_id=uuid7_hex(),
        fingerprint="",
        meeting_uuid=new_meeting_uuid(),
        actor=host,
        content=MeetingContent(
            title=f"Quarterly portfolio review {number}",
            start_date_time=start,
            end_date_time=start + timedelta(minutes=45),
            timezone="America/Santiago",
            location_type=LocationType.ONLINE,
            location_detail="https://meet.example.com/abc-defg-hij",
            meeting_link="https://meet.example.com/abc-defg-hij",
            description="Review Q2 performance and rebalancing plan. " * 5,
        ),
        invitees=[_invitee(number, guest) for guest in range(_GUESTS_OF_A_MEETING)],
    )
    meeting = Meeting.create(command, datetime.now(UTC))
    [event] = meeting.collect_events()
    envelope = Envelope(
        type="meetings.meeting.created.v1",
        source="meeting-core",
        subject=meeting.meeting_uuid,
        tenant=meeting.tenant_uuid,
        sequence=meeting.version,
    )
    return ReceivedMessage(envelope, event, record=None)  # type: ignore[arg-type] # listening looks at what was decoded


def _invitee(number: int, guest: int) -> Invitee:
    return Invitee(
        participant_type=ParticipantType.EXTERNAL,
        email=f"guest-{number}-{guest}@d{(number + guest) % 10}.example.com",
        name=f"Ana María González {guest}",
        language=Language.SPANISH if guest % 2 else Language.ENGLISH,
    )


@contextlib.asynccontextmanager
async def _infrastructure(kafka: str) -> AsyncIterator[Settings]:
    with contextlib.ExitStack() as started:
        folder = Path(started.enter_context(tempfile.TemporaryDirectory(prefix="deliveries-")))
        mongodb = started.enter_context(running_mongod(folder / "mongodb", log=folder / "mongodb.log"))
        bootstrap = started.enter_context(
            running_apache_kafka(folder / "kafka") if kafka == "apache" else running_tansu(log=folder / "tansu.log")
        )
        await provision(ProvisioningSettings(kafka_bootstrap_servers=bootstrap))
        smtp_port = _sink(started, folder)
        yield Settings(
            internal_token=SecretStr("internal"),
            mongodb_uri=mongodb,
            kafka_bootstrap_servers=bootstrap,
            smtp_host="127.0.0.1",
            smtp_port=smtp_port,
            smtp_tls=MailTls.NONE,
            mail_from="Meetings <meetings@example.com>",
            public_base_url="https://meetings.example.com",
            rsvp_token_keys=SecretStr(_KEY),
        )


def _sink(started: contextlib.ExitStack, folder: Path) -> int:
    """The mail sink as a process of its own; its SMTP port."""
    http_port, smtp_port = free_port(), free_port()
    sink = Process(
        "mail",
        [sys.executable, "-m", "simulators.mail.__main__"],
        log=folder / "mail.log",
        env={
            **os.environ,
            "HTTP_PORT": str(http_port),
            "SMTP_PORT": str(smtp_port),
            "MAIL_DIR": str(folder / "mail"),
        },
        ready=lambda: answers_ok(f"http://127.0.0.1:{http_port}/readyz"),
    )
    sink.start()
    started.callback(sink.stop)
    sink.wait_ready()
    return smtp_port


def _report(results: list[Round], composing: Composing, settings: Settings, *, mails: int, kafka: str) -> str:
    ours, bare = (statistics.median(getattr(one, side) for one in results) for side in ("ours", "bare"))
    ratio = statistics.median(one.ours / one.bare for one in results)
    ratios = ", ".join(f"{one.ours / one.bare:.2f}" for one in results)
    here = f"{os.cpu_count()} cores ({machine.machine()}), Python {machine.python_version()}, Kafka: {kafka}"
    return f"""# Recorded deliveries, against a bare SMTP client

`python -m benchmarks.deliveries` invites {mails} guests with the parts of the invitations service: each is written
down, leased, composed, sent, marked, and told on the bus. In turn with that, the bare client library sends the same
mails, prebuilt, over as many connections ({settings.smtp_connections}) to the same sink. What counts is the ratio.

Last run {datetime.now(UTC):%Y-%m-%d}: {here},
{len(results)} rounds, medians. Sink, Kafka, MongoDB and the service share the cores.

| what | measured | target |
| --- | --- | --- |
| {mails} recorded deliveries | {ours:.2f} s, {mails / ours:.0f} per s | |
| {mails} prebuilt mails by the bare client | {bare:.2f} s, {mails / bare:.0f} per s | |
| ratio | {ratio:.2f}× ({ratios}) | ≤ {_RATIO}× |
| composing one mail | p50 {composing.p50:.2f} ms, p99 {composing.p99:.2f} ms | ≤ {_COMPOSING_MS:.0f} ms |
"""


async def main(mails: int, rounds: int, kafka: str) -> None:
    async with _infrastructure(kafka) as settings:
        results, composing = await _measure(settings, mails=mails, rounds=rounds)
        report = _report(results, composing, settings, mails=mails, kafka=kafka)
    _REPORT.parent.mkdir(parents=True, exist_ok=True)
    _REPORT.write_text(report)
    print(report)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kafka", choices=("apache", "tansu"), default="apache")
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # the loop that services run on
        runner.run(main(given.mails, given.rounds, given.kafka))
