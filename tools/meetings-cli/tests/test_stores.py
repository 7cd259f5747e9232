"""What operators see of the databases: names that the services still use, counts of a real MongoDB."""

from datetime import timedelta
from typing import Any

import pytest
from calendar_sync.connections import repository as connections
from calendar_sync.inbound import imported_event_repository as sightings
from calendar_sync.inbound import state_repository as feeds
from calendar_sync.outbound import repository as links
from calendar_sync.settings import Settings as CalendarSettings
from chassis.jobs.queue import schedule
from chassis.mongo.database import Collection
from contracts.api.errors import ApiError
from contracts.transport.topics import CALENDAR_SYNC, INVITATIONS, MEETING_CORE
from contracts.values.enums import CalendarProvider
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from invitations.adapters import guests, host_notices
from invitations.adapters.inbound import mailbox_reader
from invitations.settings import Settings as InvitationsSettings
from meeting_core.adapters import mail_budgets, meetings
from meeting_core.adapters.mail_budgets import MailBudgetRepository
from meeting_core.domain.mail_budget import MailAllowance
from meeting_core.settings import Settings as CoreSettings
from meetings_cli.settings import Settings
from meetings_cli.stores import JOB_KINDS, OUTBOXES, Place, Stores, open_stores

from tests.support.commands import HOST

INDEXES: dict[Place, Any] = {
    (MEETING_CORE, "meetings"): meetings.INDEXES,
    (MEETING_CORE, "mail_budgets"): mail_budgets.INDEXES,
    (INVITATIONS, "guests"): guests.INDEXES,
    (INVITATIONS, "host_notices"): host_notices.INDEXES,
    (INVITATIONS, "mailboxes"): mailbox_reader.INDEXES,
    (CALENDAR_SYNC, "connections"): connections.INDEXES,
    (CALENDAR_SYNC, "mirrored_meetings"): links.INDEXES,
    (CALENDAR_SYNC, "imported_events"): sightings.INDEXES,
    (CALENDAR_SYNC, "inbound_sync_states"): feeds.INDEXES,
}


def test_kinds_of_work_have_the_names_that_the_services_give_them() -> None:
    assert {(kind.name, kind.place) for kind in JOB_KINDS.values()} == {
        (guests.WORK, (INVITATIONS, "guests")),
        (host_notices.HOST_WORK, (INVITATIONS, "host_notices")),
        (mailbox_reader.MAILBOX_WORK, (INVITATIONS, "mailboxes")),
        (links.JOBS[CalendarProvider.GOOGLE], (CALENDAR_SYNC, "mirrored_meetings")),
        (links.JOBS[CalendarProvider.OUTLOOK], (CALENDAR_SYNC, "mirrored_meetings")),
        (feeds.SYNC_JOB, (CALENDAR_SYNC, "inbound_sync_states")),
        (feeds.CHANNEL_JOB, (CALENDAR_SYNC, "inbound_sync_states")),
        (connections.REVOCATION, (CALENDAR_SYNC, "connections")),
    }


def test_every_collection_whose_indexes_find_work_or_events_is_looked_at() -> None:
    def has(place: Place, ending: str) -> bool:
        return any(index.document["name"].endswith(ending) for index in INDEXES[place])

    assert {place for place in INDEXES if has(place, "outbox")} == set(OUTBOXES)
    assert {place for place in INDEXES if has(place, " due in order")} == {kind.place for kind in JOB_KINDS.values()}


@pytest.mark.parametrize(
    ("service", "own"),
    [("meeting_core", CoreSettings), ("invitations", InvitationsSettings), ("calendar_sync", CalendarSettings)],
)
def test_databases_have_the_names_that_the_services_give_them(service: str, own: Any) -> None:
    theirs, ours = own.model_fields["mongodb_database"], Settings.model_fields[f"{service}_database"]
    assert theirs.default == ours.default


@pytest.fixture
def apart(settings: Settings) -> Settings:
    """The same with databases that no other test uses."""
    own = {f"{service}_database": f"{service}_{uuid7_hex()}" for service in ("meeting_core", "invitations")}
    return settings.model_copy(update=own | {"calendar_sync_database": f"calendar_sync_{uuid7_hex()}"})


async def collection(stores: Stores, place: Place) -> Collection:
    """A collection as its service makes it."""
    made = stores._collection(place)
    await made.create_indexes(INDEXES[place])
    return made


@pytest.mark.integration
async def test_everything_is_counted_by_the_indexes_that_the_services_make(apart: Settings) -> None:
    async with open_stores(apart) as stores:
        made = {place: await collection(stores, place) for place in INDEXES}
        for number, place in enumerate(OUTBOXES):
            document = {"_id": "a", "outbox": ["e"], "outboxDueAt": utc_now() - timedelta(seconds=60 * number)}
            await made[place].insert_one(document)
        for kind in JOB_KINDS.values():
            at = utc_now() - timedelta(seconds=100)
            await made[kind.place].update_one({"_id": "a"}, schedule(kind.name, at), upsert=True)
        found = await stores.outboxes()
        assert [(one.service, one.collection, one.pending) for one in found] == [(*place, 1) for place in OUTBOXES]
        assert [round(one.overdue / 60) for one in found] == [0, 1, 2, 3, 4]
        for job in await stores.jobs():
            assert (job.stats.due, job.stats.discarded) == (1, 0), job.kind
            assert 100 <= job.stats.overdue < 160, job.kind


@pytest.mark.integration
async def test_calendars_are_counted_by_how_they_stand(apart: Settings) -> None:
    async with open_stores(apart) as stores:
        assert (await stores.calendars()).connections == {"CONNECTED": 0, "DISCONNECTED": 0, "NONE": 0}
        users = await collection(stores, (CALENDAR_SYNC, "connections"))
        for name, status in (("a", "CONNECTED"), ("b", "CONNECTED"), ("c", "DISCONNECTED")):
            await users.insert_one({"_id": name, "status": status})
        calendars, now = (
            await collection(stores, (CALENDAR_SYNC, "inbound_sync_states")),
            utc_now().replace(microsecond=0),
        )
        soon, past = now + timedelta(hours=1), now - timedelta(hours=1)
        for name, state, expires_at, synced_as_of in (
            ("a", "OPEN", soon, now),
            ("b", "OPEN", past, past),
            ("c", "ENDED", soon, past - timedelta(days=9)),
        ):
            channels = [{"state": "OPEN", "expiresAt": expires_at}]
            await calendars.insert_one({"_id": name, "phase": state, "syncedAsOf": synced_as_of, "channels": channels})
        found = await stores.calendars()
        assert found.connections == {"CONNECTED": 2, "DISCONNECTED": 1, "NONE": 0}
        assert (found.feeds, found.watched, found.oldest_pull) == (2, 1, past)


@pytest.mark.integration
async def test_who_has_caused_many_mails_is_seen_and_what_is_held_back(apart: Settings) -> None:
    async with open_stores(apart) as stores:
        stored = await collection(stores, (MEETING_CORE, "mail_budgets"))
        repository = MailBudgetRepository(stored, MailAllowance(per_user=100, per_tenant=1000))
        budgets = await repository.load([HOST])
        budgets.charge(HOST, 60, utc_now())
        with pytest.raises(ApiError):
            budgets.charge(HOST, 60, utc_now())
        await repository.save(budgets)
        invited = await collection(stores, (INVITATIONS, "guests"))
        for name, held_back in (("a", True), ("b", True), ("c", False)):
            await invited.insert_one({"_id": name, guests.HELD_BACK: held_back})
        found = await stores.mail_limits()
        assert [(one.user_id, one.limit, round(one.used, 2), one.refused) for one in found.budgets] == [
            (HOST.user_id, 100, 0.6, 1),
            (None, 1000, 0.06, 0),
        ]
        assert found.held_back == 2
