"""Rounds of reading an external calendar: what is said of it, once, whatever interrupts the reading."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from calendar_sync.inbound.imported_event import ImportedEvent
from calendar_sync.inbound.imported_event_repository import INDEXES, MongoImportedEventRepository
from calendar_sync.inbound.model import InboundSyncState, SyncPhase, SyncToken
from calendar_sync.inbound.ports import ImportedEventMessage, MirroredEventRef, RecheckRequest
from calendar_sync.inbound.sync import ConnectionEnded, Deferred, InboundSync, Synced, SyncPolicy
from calendar_sync.providers.accounts import account_key
from calendar_sync.providers.authorized_calls import AuthorizedCalls
from calendar_sync.providers.errors import NotFoundError, UnauthorizedError, error_for_status
from calendar_sync.providers.event_content import EventTime
from calendar_sync.providers.external_event import Attendee, DeletedEvent, ExternalEvent, Window
from calendar_sync.providers.rate_limit import RateLimiter
from calendar_sync.providers.registry import RATE_LIMITS
from chassis.jobs.queue import LeaseLostError
from chassis.mongo.database import open_database
from chassis.mongo.outbox import Outbox
from contracts.messages.calendar_events import ExternalEventDeleted, ExternalEventUpserted, InvitationAnswered
from contracts.values.enums import CalendarProvider, RsvpStatus, SyncFailureCode
from contracts.values.ids import new_meeting_uuid
from contracts.values.times import utc_now

from tests.support.connections import StandInPublisher
from tests.support.inbound_fakes import FakeEventChanges, FakeMirroredEvents, database_for, seen
from tests.support.outward import FakeAccounts

pytestmark = pytest.mark.integration
KEY = account_key(CalendarProvider.GOOGLE, "host@example.com")


@dataclass
class Reader:
    """A worker that reads one calendar, and the feed that it keeps."""

    calendar: FakeEventChanges
    copies: FakeMirroredEvents
    sightings: MongoImportedEventRepository
    publisher: StandInPublisher
    feed: InboundSyncState
    accounts: FakeAccounts = field(
        default_factory=lambda: FakeAccounts(CalendarProvider.GOOGLE, "host@example.com", lambda: "token")
    )
    pace: SyncPolicy = field(default_factory=SyncPolicy)

    async def attempt(self, number: int = 1) -> Synced | Deferred | ConnectionEnded:
        """An attempt of which nothing is kept but what it wrote itself, as if the worker died then."""
        pulling = InboundSync(
            {CalendarProvider.GOOGLE: self.calendar},
            mirrored_events=self.copies,
            imported_events=self.sightings,
            accounts=self.accounts,
            calls=AuthorizedCalls(self.accounts, RateLimiter(RATE_LIMITS)),
            policy=self.pace,
        )
        return await pulling.run(self.feed, attempt_number=number)

    async def pull(self) -> Synced:
        """A pull that succeeds and is recorded."""
        pulled = await self.attempt()
        assert isinstance(pulled, Synced)
        self.feed.sync_token, self.feed.recorded_deletions = pulled.sync_token, list(pulled.recorded_deletions)
        return pulled

    async def counts(self) -> tuple[int, int, int]:
        counts = (await self.pull()).counts
        return counts.imported, counts.updated, counts.removed

    def said(self) -> list[ImportedEventMessage]:
        """What was said since this was last asked."""
        kinds = {
            b"calendar.external-event.upserted.v1": ExternalEventUpserted,
            b"calendar.external-event.deleted.v1": ExternalEventDeleted,
            b"calendar.invitation.answered.v1": InvitationAnswered,
        }
        said: list[ImportedEventMessage] = [
            kinds[dict(record.headers)["ce_type"]].model_validate_json(record.value)
            for record in self.publisher.records
        ]
        self.publisher.records.clear()
        return said

    def titles(self) -> list[str | None]:
        """The titles of what was seen, ``None`` for what is gone."""
        return [one.event.title if isinstance(one, ExternalEventUpserted) else None for one in self.said()]

    def reconnect(self, email: str = "host@example.com") -> None:
        assert self.accounts.account is not None
        generation = self.feed.generation + 1
        old = self.accounts.account
        self.accounts.account = replace(old, generation=generation, calendar_email=email, subject=email)
        self.feed.generation, self.feed.account = generation, account_key(CalendarProvider.GOOGLE, email)


@pytest.fixture
async def reader(mongodb_uri: str) -> AsyncIterator[Reader]:
    settings = database_for(mongodb_uri)
    async with AsyncExitStack() as started:
        database = await started.enter_async_context(open_database(settings))
        documents, publisher = database.collection("imported_events"), StandInPublisher()
        await documents.create_indexes(INDEXES)
        feed = InboundSyncState(
            connection_id="T1:TS1",
            tenant_uuid="T1",
            user_id="TS1",
            provider=CalendarProvider.GOOGLE,
            account=KEY,
            generation=1,
            synced_as_of=utc_now(),
        )
        sightings = MongoImportedEventRepository(documents, Outbox(documents, publisher, relay_delay=10))
        yield Reader(FakeEventChanges(), FakeMirroredEvents(), sightings, publisher, feed)


# --- a copy that its host made a series -----------------------------------------------------------------------------


def weekly(series: str, number: int = 3, *, shifted: float = 0) -> list[ExternalEvent]:
    """The instances of a series, as a provider shows them."""
    return [
        seen(
            f"{series}_{week}{'b' if shifted else ''}",
            title=f"Week {week}",
            days=1 + 7 * week + shifted,
            series_id=series,
            original_start=f"2038-06-0{week + 1}T10:00:00Z",
            marked_meeting="M1",
        )
        for week in range(number)
    ]


async def test_of_a_copy_that_became_a_series_one_instance_is_the_copy_and_the_others_are_events(
    reader: Reader,
) -> None:
    instances = weekly("copy")
    single = seen("copy", title="Ours")
    single = replace(single, content=single.content.model_copy(update={"when": instances[0].content.when}))
    reader.copies.add("M1", single)
    reader.calendar.put(single)
    await reader.pull()
    del reader.calendar.events["copy"]
    reader.calendar.put(*reversed(instances))
    await reader.pull()
    assert [look.meeting_uuid for look in reader.copies.looks] == ["M1"]
    assert sorted(map(str, reader.titles())) == ["Week 1", "Week 2"]

    reader.copies.known["copy"] = replace(reader.copies.known["copy"], base_fingerprint=None, expected=False)
    reader.copies.add("M1", instances[0])
    reader.copies.looks.clear()
    reader.calendar.put(seen("copy_2", title="Later", days=16, series_id="copy", marked_meeting="M1"))
    await reader.pull()
    assert reader.copies.looks == []


async def test_of_a_series_that_was_moved_the_first_instance_is_the_copy(reader: Reader) -> None:
    first, *others = weekly("copy")
    reader.copies.add("M1", first)
    reader.copies.known["copy"] = MirroredEventRef("M1", "copy", None, expected=False, when=first.content.when)
    reader.calendar.put(first, *others)
    await reader.pull()
    assert sorted(map(str, reader.titles())) == ["Week 1", "Week 2"]
    reader.calendar.remove(*(one.event_id for one in (first, *others)))
    reader.calendar.put(*weekly("copy", shifted=1))
    await reader.pull()
    assert {look.meeting_uuid for look in reader.copies.looks} == {"M1"}
    assert sorted(title for title in reader.titles() if title) == ["Week 1", "Week 2"]


# --- external events --------------------------------------------------------------------------------------------


async def test_what_is_there_is_seen_and_what_goes_is_gone(reader: Reader) -> None:
    reader.calendar.put(seen("a", title="A"), seen("b", title="B"), seen("c", title="C"))
    assert await reader.counts() == (3, 0, 0)
    assert sorted(map(str, reader.titles())) == ["A", "B", "C"]

    reader.calendar.put(seen("b", title="B, moved", days=2))
    reader.calendar.remove("c")
    assert await reader.counts() == (0, 1, 1)
    assert reader.titles() == ["B, moved", None]
    assert await reader.counts() == (0, 0, 0)
    assert reader.said() == []


async def test_the_same_again_is_not_said_again(reader: Reader) -> None:
    event = seen("a")
    reader.calendar.put(event)
    await reader.pull()
    reader.said()
    reader.calendar.put(replace(event, etag="2"), event)
    assert await reader.counts() == (0, 0, 0)
    assert reader.said() == []


async def test_what_comes_back_is_seen_with_a_higher_sequence(reader: Reader) -> None:
    event = seen("a")
    reader.calendar.put(event)
    await reader.pull()
    reader.calendar.remove("a")
    await reader.pull()
    reader.calendar.put(event)
    assert await reader.counts() == (1, 0, 0)
    sequences = [one.sequence for one in reader.said()]
    assert sequences == sorted(set(sequences))
    assert len(sequences) == 3


async def test_the_cursor_is_kept_last(reader: Reader) -> None:
    """Whoever dies between pages reads them again, and says nothing twice."""
    reader.calendar.put(*(seen(name, title=name) for name in "abcde"))
    first = await reader.attempt()  # not recorded
    assert isinstance(first, Synced)
    assert len(reader.said()) == 5
    assert await reader.counts() == (0, 0, 0)
    assert reader.said() == []
    assert [sync_token for sync_token, _ in reader.calendar.asked] == [None] * 6


async def test_a_failure_in_the_middle_keeps_the_cursor(reader: Reader) -> None:
    await reader.pull()
    reader.calendar.put(*(seen(name, title=name) for name in "abcde"))
    before = reader.feed.sync_token

    reader.calendar.failing_page = "2"
    assert isinstance(await reader.attempt(), Deferred)
    assert reader.feed.sync_token == before
    assert len(reader.said()) == 2
    reader.calendar.failing_page = None
    assert await reader.counts() == (3, 0, 0)
    assert len(reader.said()) == 3


async def test_a_lost_cursor_leads_to_a_full_round_that_finds_what_is_missing(reader: Reader) -> None:
    reader.calendar.put(*(seen(name, title=name) for name in "abc"))
    await reader.pull()
    reader.said()
    reader.calendar.remove("b")
    reader.calendar.put(seen("d", title="d"))
    reader.calendar.lose_cursors()
    assert await reader.counts() == (1, 0, 1)
    assert sorted(map(str, reader.titles())) == ["None", "d"]


async def test_what_cannot_be_read_is_not_gone(reader: Reader) -> None:
    reader.calendar.put(seen("a"), seen("b"))
    await reader.pull()
    reader.said()
    reader.copies.add("ours", seen("ours"))
    reader.calendar.events.clear()
    reader.calendar.unparsable_ids = ["a", "ours"]
    reader.calendar.lose_cursors()
    assert await reader.counts() == (0, 0, 1)
    assert reader.copies.looks == []


async def test_an_instance_that_a_changed_series_does_not_show_is_gone(reader: Reader) -> None:
    first, second, third = (seen(one, title=one, days=at, series_id="s") for at, one in enumerate("abc", start=1))
    reader.calendar.put(first, second, third, seen("other"))
    await reader.pull()
    reader.said()
    del reader.calendar.events["b"]  # of which the provider tells nothing but that the series changed
    reader.calendar.put(first, third)
    assert await reader.counts() == (0, 0, 0)
    reader.calendar.series = ["s"]
    reader.calendar.put(first, third)
    assert await reader.counts() == (0, 0, 1)
    assert reader.titles() == [None]


async def test_a_changed_series_that_is_shown_whole_makes_nothing_be_read_again(reader: Reader) -> None:
    first, second = (seen(one, title=one, series_id="s") for one in "ab")
    reader.calendar.put(first, second)
    await reader.pull()
    reader.calendar.series = ["s"]
    reader.calendar.put(replace(first, etag="2"), replace(second, etag="2"))
    reader.calendar.asked.clear()
    await reader.pull()
    assert all(sync_token is not None for sync_token, _ in reader.calendar.asked)


async def test_events_out_of_the_window_are_ignored_until_they_are_known(reader: Reader) -> None:
    await reader.pull()
    reader.calendar.put(seen("far", days=181), seen("long ago", days=-31), seen("known", days=1))
    assert await reader.counts() == (1, 0, 0)
    reader.calendar.put(seen("known", days=200))
    assert await reader.counts() == (0, 1, 0)


async def test_the_past_is_kept_when_it_falls_out_of_the_window(reader: Reader) -> None:
    reader.calendar.put(seen("old", days=-29.5), seen("new", days=3))
    await reader.pull()
    reader.said()
    reader.pace = SyncPolicy(days_back=28)  # as it will be when the window has moved
    assert await reader.counts() == (0, 0, 0)
    assert reader.calendar.asked[-1][0] is None, "a window that moved by a day is read as a whole"
    assert reader.said() == []


async def test_another_account_of_the_same_user_replaces_what_the_earlier_one_showed(reader: Reader) -> None:
    reader.calendar.put(seen("old", days=-29.9, title="old"), seen("a", title="a"))
    await reader.pull()
    reader.said()
    reader.reconnect("other@example.com")
    reader.calendar.events.clear()
    reader.calendar.put(seen("x", title="x"))
    assert await reader.counts() == (1, 0, 2)


async def test_an_event_that_becomes_another_meeting_leaves_the_earlier_one(reader: Reader) -> None:
    reader.calendar.put(seen("a", ical_uid="one@example.com"))
    await reader.pull()
    earlier = reader.said()[0].meeting_uuid
    reader.calendar.put(seen("a", ical_uid="other@example.com"))
    await reader.pull()
    gone, new = reader.said()
    assert isinstance(gone, ExternalEventDeleted)
    assert gone.meeting_uuid == earlier != new.meeting_uuid


async def test_the_instances_of_a_series_are_meetings_of_their_own(reader: Reader) -> None:
    starts = ["2038-01-01T10:00:00Z", "2038-01-08T10:00:00Z"]
    reader.calendar.put(*(seen(one, ical_uid="series@example.com", original_start=one) for one in starts))
    await reader.pull()
    assert len({one.meeting_uuid for one in reader.said()}) == 2


async def test_unwanted_kinds_are_not_seen_and_go_when_they_were(reader: Reader) -> None:
    reader.calendar.put(seen("place", imported=False), seen("a"))
    assert await reader.counts() == (1, 0, 0)
    reader.calendar.put(seen("a", imported=False))
    assert await reader.counts() == (0, 0, 1)


async def test_private_events_say_nothing(reader: Reader) -> None:
    secret = "Surgery"
    event = seen(
        "a",
        title=secret,
        private=True,
        organizer_name=secret,
        organizer_email=f"{secret}@example.com",
        meeting_link=f"https://example.com/{secret}",
        attendees=(Attendee(f"{secret}@example.com"),),
    )
    content = event.content.model_copy(update={"location": secret, "description": secret})
    reader.calendar.put(replace(event, content=content))
    await reader.pull()
    assert secret.encode() not in reader.publisher.records[0].value
    (said,) = reader.said()
    assert isinstance(said, ExternalEventUpserted)
    assert (said.event.title, said.private, said.busy) == ("Busy", True, True)


@pytest.mark.parametrize(
    ("opaque", "answer", "busy"),
    [
        (True, RsvpStatus.ACCEPTED, True),
        (True, RsvpStatus.UNKNOWN, True),
        (True, RsvpStatus.DECLINED, False),
        (False, RsvpStatus.ACCEPTED, False),
    ],
)
async def test_who_is_busy(reader: Reader, opaque: bool, answer: RsvpStatus, busy: bool) -> None:
    owner = Attendee("Host@example.com", answer=answer)
    guest = Attendee("guest@example.com", "Guest", RsvpStatus.ACCEPTED)
    boss = Attendee("boss@example.com", is_organizer=True)
    reader.calendar.put(
        seen("a", opaque=opaque, answer=answer, attendees=(owner, guest, boss), organizer_email="boss@example.com")
    )
    await reader.pull()
    (said,) = reader.said()
    assert isinstance(said, ExternalEventUpserted)
    assert (said.busy, said.answer, said.organizer_email) == (busy, answer, "boss@example.com")
    assert [one.email for one in said.guests] == ["guest@example.com"]
    assert (said.owner.user_id, said.owner.email) == ("TS1", "host@example.com")


async def test_an_event_that_no_meeting_could_be_fails_nobody(reader: Reader) -> None:
    strange = seen("strange")
    when = EventTime(
        starts_at=datetime.fromisoformat("0001-01-01T00:00:00Z"),
        ends_at=utc_now() + timedelta(days=1),
        zone="America/Santiago",
    )
    reader.calendar.put(replace(strange, content=strange.content.model_copy(update={"when": when})), seen("a"))
    assert await reader.counts() == (1, 0, 0)


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_happens_what_was_said_last_is_what_is_there(reader: Reader, seed: int) -> None:
    """Changes, deletions, lost cursors, failing pages, pulls of which the record is lost, in any order."""
    chance, calendar = random.Random(seed), reader.calendar
    told: dict[str, ImportedEventMessage] = {}
    for step in range(80):
        there, name = list(calendar.events), chance.choice("abcdefgh")
        match chance.choice(["put", "put", "put", "remove", "forget", "fail", "die", "pull"]):
            case "put":
                calendar.put(seen(name, title=f"{name}{step}", imported=chance.random() < 0.9))
            case "remove" if there:
                calendar.remove(chance.choice(there))
            case "forget":
                calendar.lose_cursors()
            case "fail":
                calendar.failing_page = "2"
                await reader.attempt()
                calendar.failing_page = None
            case "die":
                await reader.attempt()
            case _:
                await reader.pull()
    await reader.pull()
    for one in reader.said():
        assert one.meeting_uuid not in told or one.sequence > told[one.meeting_uuid].sequence
        told[one.meeting_uuid] = one
    last = [one.event.title for one in told.values() if isinstance(one, ExternalEventUpserted)]
    assert sorted(map(str, last)) == sorted(one.content.title for one in calendar.events.values() if one.imported)


# --- our own ----------------------------------------------------------------------------------------------------


async def test_our_own_writes_that_come_back_are_nothing(reader: Reader) -> None:
    ours, removed = seen("ours"), seen("removed")
    reader.copies.add("M1", ours)
    reader.copies.add("M2", removed, expected=False)
    reader.calendar.put(ours, removed)
    reader.calendar.remove("removed")
    assert await reader.counts() == (0, 0, 0)
    assert (reader.said(), reader.copies.looks) == ([], [])


async def test_a_removed_copy_that_its_host_restored_is_looked_at(reader: Reader) -> None:
    restored = seen("restored")
    reader.copies.known["restored"] = MirroredEventRef("M1", "restored", None, expected=False)
    reader.calendar.put(restored)
    assert await reader.counts() == (0, 0, 0)
    assert [one.meeting_uuid for one in reader.copies.looks] == ["M1"]


async def test_a_copy_that_its_host_changed_or_deleted_is_looked_at(reader: Reader) -> None:
    for name in "ab":
        event = seen(name)
        reader.copies.add(name, event)
        reader.calendar.put(event)
    await reader.pull()
    reader.calendar.put(seen("a", title="Other"))
    reader.calendar.remove("b")
    pulled = await reader.pull()
    assert reader.copies.looks == [RecheckRequest("b", KEY), RecheckRequest("a", KEY)]
    assert (len(pulled.recorded_deletions), reader.said()) == (1, [])


async def test_what_was_found_before_a_cursor_was_lost_in_the_middle_still_counts(reader: Reader) -> None:
    copy = seen("far", days=400)
    await reader.pull()
    reader.copies.add("far", copy)
    reader.calendar.put(copy)
    reader.calendar.remove("far")
    reader.calendar.changes = [DeletedEvent("far")]
    reader.calendar.put(seen("a"), seen("b"), seen("c"))
    reader.calendar.losing_page = "2"
    assert await reader.counts() == (3, 0, 0)
    assert reader.copies.looks == [RecheckRequest("far", KEY)]


async def test_a_copy_that_a_full_round_does_not_show_is_looked_at(reader: Reader) -> None:
    event = seen("a")
    reader.copies.add("a", event)
    await reader.pull()
    assert reader.copies.looks == [RecheckRequest("a", KEY)]


async def test_mass_deletions_are_doubted_also_when_they_come_in_small_rounds(reader: Reader) -> None:
    events = [seen(str(number)) for number in range(14)]
    for event in events:
        reader.copies.add(event.event_id, event)
        reader.calendar.put(event)
    await reader.pull()
    reader.calendar.remove(*(event.event_id for event in events[:10]))
    await reader.pull()
    assert [one.is_mass_deletion for one in reader.copies.looks] == [False] * 10
    reader.calendar.remove(events[10].event_id)
    await reader.pull()
    assert reader.copies.looks[-1] == RecheckRequest("10", KEY, is_mass_deletion=True)


async def test_copies_that_leave_the_window_or_are_just_being_written_are_no_mass_deletion(reader: Reader) -> None:
    far = [seen(f"far {number}", days=400) for number in range(11)]
    fresh = [seen(f"fresh {number}") for number in range(11)]
    await reader.pull()
    for event in far:
        reader.copies.add(event.event_id, event)
    for event in fresh:
        reader.copies.add(event.event_id, event, written_at=utc_now() + timedelta(minutes=1))
    reader.calendar.changes += [DeletedEvent(event.event_id) for event in (*far, *fresh)]
    pulled = await reader.pull()
    assert {one.meeting_uuid for one in reader.copies.looks} == {event.event_id for event in (*far, *fresh)}
    assert [one for one in reader.copies.looks if one.is_mass_deletion] == []
    assert list(pulled.recorded_deletions) == []


async def test_a_copy_that_is_being_made_is_no_external_event(reader: Reader) -> None:
    meeting_uuid = new_meeting_uuid()
    reader.copies.settling = {meeting_uuid}
    reader.calendar.put(seen("new", marked_meeting=meeting_uuid), seen("forged", marked_meeting=new_meeting_uuid()))
    assert await reader.counts() == (1, 0, 0)
    assert reader.copies.looks == [RecheckRequest(meeting_uuid, KEY)]


async def test_a_copy_that_is_known_only_during_the_reading_is_no_external_event(reader: Reader) -> None:
    meeting_uuid = new_meeting_uuid()
    event = seen("new", marked_meeting=meeting_uuid)

    class Finishing(FakeMirroredEvents):
        """Whoever makes the copy is done right after the first question."""

        async def of_events(self, key: str, event_ids: Sequence[str]) -> Mapping[str, MirroredEventRef]:
            answer = await super().of_events(key, event_ids)
            self._finish()
            return answer

        async def unsettled(self, key: str, meeting_uuids: Sequence[str]) -> set[str]:
            answer = await super().unsettled(key, meeting_uuids)
            self._finish()
            return answer

        def _finish(self) -> None:
            self.settling = set()
            self.add(meeting_uuid, event)

    reader.copies = Finishing(settling={meeting_uuid})
    reader.calendar.put(event)
    assert await reader.counts() == (0, 0, 0)


async def test_our_mailed_invitation_in_a_colleagues_calendar_is_no_external_event(reader: Reader) -> None:
    ours, other = new_meeting_uuid(), new_meeting_uuid()
    reader.copies.ours = {ours}
    reader.calendar.put(seen("a", ical_uid=f"{ours}@example.com"), seen("b", ical_uid=f"{other}@example.com"))
    assert await reader.counts() == (1, 0, 0)


def answers(reader: Reader) -> list[tuple[bool, RsvpStatus]]:
    return [(one.answered, one.answer) for one in reader.said() if isinstance(one, InvitationAnswered)]


def invitation(ours: str, answer: RsvpStatus | None, *, days: float = 1) -> ExternalEvent:
    """Our invitation as a colleague's calendar shows it; ``answer`` None: not answered yet."""
    given = {"answered": answer is not None, "answer": answer or RsvpStatus.UNKNOWN}
    return seen("a", ical_uid=f"{ours}@example.com", days=days, **given)


async def test_a_colleagues_answer_in_their_own_calendar_is_told_once(reader: Reader) -> None:
    ours = new_meeting_uuid()
    reader.copies.ours = {ours}
    reader.calendar.put(invitation(ours, None))
    assert await reader.counts() == (0, 0, 0)
    assert answers(reader) == [(False, RsvpStatus.UNKNOWN)]
    told = []
    for answer in (RsvpStatus.ACCEPTED, RsvpStatus.ACCEPTED, RsvpStatus.DECLINED, RsvpStatus.UNKNOWN):
        reader.calendar.put(invitation(ours, answer))
        assert await reader.counts() == (0, 0, 0)
        told += answers(reader)
    assert told == [(True, RsvpStatus.ACCEPTED), (True, RsvpStatus.DECLINED), (True, RsvpStatus.UNKNOWN)]


async def test_an_invitation_that_is_taken_off_a_calendar_is_declined(reader: Reader) -> None:
    """Outlook removes what its owner declines; in Google, guests who delete an event decline it."""
    ours = new_meeting_uuid()
    reader.copies.ours = {ours}
    reader.calendar.put(invitation(ours, RsvpStatus.ACCEPTED))
    await reader.pull()
    answers(reader)
    reader.calendar.remove("a")
    assert await reader.counts() == (0, 0, 0)
    assert answers(reader) == [(True, RsvpStatus.DECLINED)]
    reader.calendar.put(invitation(ours, RsvpStatus.ACCEPTED))
    await reader.pull()
    assert answers(reader) == [(True, RsvpStatus.ACCEPTED)]


@pytest.mark.parametrize("how", ["moved", "over", "out of the window", "a full round shows less", "disconnected"])
async def test_an_invitation_that_is_gone_for_another_reason_is_not_declined(reader: Reader, how: str) -> None:
    ours = new_meeting_uuid()
    reader.copies.ours = {ours}
    reader.calendar.put(invitation(ours, RsvpStatus.ACCEPTED, days={"over": -1, "out of the window": 181}.get(how, 1)))
    if how == "out of the window":
        reader.calendar.put(invitation(ours, RsvpStatus.ACCEPTED, days=179.5))
    await reader.pull()
    answers(reader)
    reader.calendar.remove("a")
    match how:
        case "moved":
            reader.calendar.moved.add("a")
        case "a full round shows less":
            reader.calendar.lose_cursors()
        case "disconnected":
            reader.feed.phase = SyncPhase.ENDED
            await reader.attempt()
            reader.feed.phase = SyncPhase.OPEN
    await reader.pull()
    assert answers(reader) == []


# --- what stands in the way -------------------------------------------------------------------------------------


async def test_what_passes_is_tried_again_and_told_when_it_does_not(reader: Reader) -> None:
    reader.calendar.failing = [
        error_for_status(429, "", retry_after=17),
        error_for_status(503, ""),
        error_for_status(503, ""),
    ]
    put_off = await reader.attempt()
    assert isinstance(put_off, Deferred)
    assert put_off.failure_code is SyncFailureCode.RATE_LIMITED
    assert 17 <= put_off.seconds <= 18
    assert isinstance(await reader.attempt(7), Deferred)
    assert reader.accounts.troubles == []
    assert isinstance(await reader.attempt(8), Deferred)
    assert reader.accounts.troubles == [SyncFailureCode.PROVIDER_UNAVAILABLE]


async def test_what_does_not_pass_is_told_at_once_and_tried_rarely(reader: Reader) -> None:
    reader.calendar.failing = [error_for_status(403, "forbidden")]
    rarely = await reader.attempt()
    assert isinstance(rarely, Deferred)
    assert rarely.seconds == 300
    assert reader.accounts.troubles == [SyncFailureCode.PERMISSION_DENIED]


async def test_a_calendar_that_is_not_found_is_tried_soon_and_told_when_that_lasts(reader: Reader) -> None:
    reader.calendar.failing = [NotFoundError(), NotFoundError()]
    soon = await reader.attempt()
    assert isinstance(soon, Deferred)
    assert soon.seconds < 10
    assert reader.accounts.troubles == []
    await reader.attempt(number=8)
    assert reader.accounts.troubles == [SyncFailureCode.CALENDAR_NOT_FOUND]


async def test_a_fresh_token_that_is_refused_leaves_the_connection(reader: Reader) -> None:
    reader.calendar.failing += [UnauthorizedError()] * 2
    put_off = await reader.attempt(number=8)
    assert isinstance(put_off, Deferred)
    assert put_off.failure_code is SyncFailureCode.PERMISSION_DENIED
    assert put_off.seconds < 120, "it may pass"
    assert reader.accounts.troubles == [SyncFailureCode.PERMISSION_DENIED]
    assert reader.accounts.account is not None


async def test_what_was_read_is_known_until_it_cannot_be_read(reader: Reader) -> None:
    pulled = await reader.pull()
    assert reader.accounts.known == Window(pulled.sync_token.begins, pulled.sync_token.ends)
    reader.calendar.failing = [error_for_status(503, ""), error_for_status(403, "forbidden")]
    await reader.attempt(number=2)
    assert reader.accounts.known is not None, "it may pass"
    await reader.attempt(number=1)
    assert reader.accounts.known is None


async def test_a_calendar_that_rests_is_not_read(reader: Reader) -> None:
    reader.feed.not_before = utc_now() + timedelta(seconds=30)
    put_off = await reader.attempt()
    assert isinstance(put_off, Deferred)
    assert 29 < put_off.seconds <= 30
    assert reader.calendar.asked == []


async def test_a_lost_grant_ends_reading_and_what_was_seen_stays(reader: Reader) -> None:
    reader.calendar.put(seen("a"))
    await reader.pull()
    reader.said()
    reader.accounts.account = None
    assert isinstance(await reader.attempt(), ConnectionEnded)
    assert reader.said() == []


async def test_what_was_seen_goes_when_the_user_disconnects(reader: Reader) -> None:
    reader.calendar.put(*(seen(name) for name in "abc"))
    await reader.pull()
    reader.said()
    reader.feed.phase, reader.accounts.account = SyncPhase.ENDED, None
    assert isinstance(await reader.attempt(), ConnectionEnded)
    assert reader.titles() == [None] * 3


async def test_a_worker_that_was_overtaken_writes_nothing(reader: Reader) -> None:
    reader.calendar.put(seen("a"))
    await reader.pull()
    reader.said()
    known = await reader.sightings.find("T1:TS1", event_ids=["a"], meeting_uuids=[])
    await reader.sightings.save([(known[0], [])])
    with pytest.raises(LeaseLostError):
        await reader.sightings.save([(known[0], [])])
    fresh = ImportedEvent.model_validate(known[0].model_dump() | {"version": 0})
    with pytest.raises(LeaseLostError):
        await reader.sightings.save([(fresh, [])])


def test_a_cursor_serves_its_own_connection_and_window_only() -> None:
    window = SyncPolicy().window(utc_now())
    sync_token = SyncToken(token="1", begins=window.begins, ends=window.ends, generation=1)
    assert sync_token.is_valid_for(1, window)
    assert not sync_token.is_valid_for(2, window)
    assert not sync_token.is_valid_for(1, SyncPolicy().window(utc_now() + timedelta(days=1, minutes=1)))
