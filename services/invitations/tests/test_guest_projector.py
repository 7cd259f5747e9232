"""What guests ought to know, written down on a real MongoDB."""

from datetime import timedelta
from typing import Any

import pytest
from chassis.jobs.queue import JobQueue
from chassis.kafka.records import ReceivedMessage
from chassis.mongo.database import Collection, ConflictError, Document
from contracts.messages.command import Command
from contracts.values.times import utc_now
from invitations.adapters.guests import CONCURRENCY_KEY, WORK, GuestRepository, to_guest
from invitations.application.fair_order import FairOrder
from invitations.application.guest_projector import GuestProjector, GuestUpdate

from tests.support.commands import CommandHarness, cancel, contact, create, update
from tests.support.guests import JANE, jane, sent_mail

pytestmark = pytest.mark.integration

WINDOW = timedelta(hours=1)


class Ear:
    """A meeting, and the service that hears of it."""

    def __init__(self, guests: Collection) -> None:
        self.desk = CommandHarness()
        self.woken = 0
        self._guests = guests
        self._heard = 0
        self._projector = GuestProjector(GuestRepository(guests), FairOrder(), wake=self._wake, update_window=WINDOW)

    def _wake(self) -> None:
        self.woken += 1

    async def hear(self, *commands: Command, again: bool = False) -> None:
        """The events of these commands come in one batch; ``again``: with all those before."""
        for command in commands:
            self.desk.done(command)
        events = list(zip(self.desk.events, self.desk.envelopes, strict=True))[0 if again else self._heard :]
        self._heard = len(self.desk.events)
        await self._projector.handle([ReceivedMessage(envelope, event, record=_NONE) for event, envelope in events])

    async def stored(self, email: str = JANE) -> Document:
        document = await self._guests.find_one({"person.email": email})
        assert document is not None
        return document


_NONE: Any = None


@pytest.fixture
def ear(guests: Collection) -> Ear:
    return Ear(guests)


async def test_an_invitation_is_due_at_once_and_wakes_the_workers(ear: Ear) -> None:
    await ear.hear(create(jane()))
    document = await ear.stored()
    assert document[WORK]["dueAt"] <= utc_now()
    assert document[CONCURRENCY_KEY] == "example.com"
    assert document["meeting"]["participants"] == []
    assert ear.woken == 1


async def test_an_update_waits_for_more_and_a_cancellation_does_not(ear: Ear, guests: Collection) -> None:
    await ear.hear(create(jane()))
    await deliver(guests)
    await ear.hear(update(title="A"))
    first = (await ear.stored())[WORK]["dueAt"]
    assert first > utc_now() + WINDOW / 2
    await ear.hear(update(title="B"))
    document = await ear.stored()
    assert document[WORK]["dueAt"] == first
    assert document["meeting"]["title"] == "B"
    await ear.hear(cancel())
    assert (await ear.stored())[WORK]["dueAt"] <= utc_now()


async def test_what_a_guest_was_told_is_not_touched(ear: Ear, guests: Collection) -> None:
    await ear.hear(create(jane()))
    await deliver(guests)
    told = (await ear.stored())["lastMail"]
    await ear.hear(update(title="A"), update(title="B"))
    assert (await ear.stored())["lastMail"] == told


async def test_a_batch_with_a_whole_life_is_one_write_each(ear: Ear) -> None:
    await ear.hear(create(jane(), contact()), update(title="New"), update(externals=[]), cancel())
    gone = to_guest(await ear.stored())
    assert (gone.removed, gone.meeting.title) == (True, "New")
    assert gone.pending_mail() is None


async def test_repeats_change_nothing(ear: Ear) -> None:
    await ear.hear(create(jane(), contact()), update(title="New"))
    before = await ear.stored()
    await ear.hear(again=True)
    assert await ear.stored() == before


async def test_a_batch_that_was_half_written_is_completed_by_its_repeat(ear: Ear, guests: Collection) -> None:
    await ear.hear(create(jane(), contact()), update(title="New"))
    await guests.delete_one({"person.email": JANE})
    await ear.hear(again=True)
    assert (await ear.stored())["meeting"]["title"] == "New"


async def test_a_faster_writer_is_noticed_whether_it_inserted_or_updated(ear: Ear, guests: Collection) -> None:
    await ear.hear(create(jane()))
    guest = to_guest(await ear.stored())
    book = GuestRepository(guests)
    with pytest.raises(ConflictError):
        await book.save([GuestUpdate(guest, stored_sequence=None)])
    with pytest.raises(ConflictError):
        await book.save([GuestUpdate(guest, stored_sequence=guest.sequence + 1)])


async def test_who_has_no_address_is_known_and_a_mail_is_due_that_will_fail(ear: Ear) -> None:
    await ear.hear(create(contact().model_copy(update={"email": None, "name": "Nobody"})))
    [document] = await ear._guests.find({"person.name": "Nobody"})
    assert WORK in document


async def deliver(guests: Collection) -> None:
    """All that is due is delivered, as far as the documents show."""
    leases = JobQueue(guests, WORK, seconds=30, concurrency_key=CONCURRENCY_KEY)
    for lease in await leases.claim(10, full=[], per_key=lambda _key: 10):
        guest = to_guest(lease.document)
        kind = guest.pending_mail()
        assert kind is not None
        await guests.update_one(
            {"_id": lease.key},
            {"$set": {"lastMail": sent_mail(guest, kind).model_dump()}, "$unset": {f"{WORK}.lease": ""}},
        )
