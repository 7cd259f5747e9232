"""Events that seem to be missing: one answer of 404 proves nothing, and what was moved is found again."""

import pytest
from contracts.messages.calendar_events import MirroredEventDeleted
from contracts.values.enums import ExternalSyncStatus, MeetingStatus
from simulators.google.testing import CALENDAR, Google

from tests.support.outward import OutboundHarness
from tests.support.provider_account import ProviderAccount

READ, CHANGE, REMOVE, CREATE = "read", "change", "remove", "create"
_OPERATIONS = {
    "google": {READ: "events.get", CHANGE: "events.patch", REMOVE: "events.delete", CREATE: "events.insert"},
    "outlook": {READ: "events.get", CHANGE: "events.update", REMOVE: "events.delete", CREATE: "events.create"},
}


async def settled(office: ProviderAccount) -> OutboundHarness:
    harness = office.harness()
    await harness.settle()
    return harness


def not_found(office: ProviderAccount, operation: str | None = None, *, times: int = 1) -> None:
    pattern = _OPERATIONS[office.outside.name][operation] if operation else "events.*"
    office.fault("not_found", times=times, operation=pattern)


async def test_a_passing_404_while_reading_removes_nothing(office: ProviderAccount) -> None:
    harness = await settled(office)
    office.edit(title="Renamed")
    not_found(office, READ)
    harness.look()
    attempt = await harness.attempt()
    assert attempt.host_edit is None
    assert attempt.retry_in is not None
    again = (await harness.attempt()).host_edit
    assert again is not None
    assert again.model_dump()["title"] == "Renamed"


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_a_passing_404_while_writing_makes_no_second_event(office: ProviderAccount, times: int) -> None:
    harness = await settled(office)
    before = office.event()["id"]
    harness.want(title="Changed")
    not_found(office, CHANGE, times=times)
    await harness.settle()
    assert office.titles() == ["Changed"]
    assert office.event()["id"] == before


@pytest.mark.parametrize("times", [1, 4])
async def test_a_mailbox_that_is_missing_for_a_while_loses_nothing(office: ProviderAccount, times: int) -> None:
    harness = await settled(office)
    before = office.event()["id"]
    harness.want(title="Changed")
    harness.look()
    not_found(office, times=times)
    changes = []
    for _ in range(12):
        attempt = await harness.attempt()
        changes.append(attempt.host_edit)
        if attempt.retry_in is None:
            break
    assert not any(changes)
    assert office.titles() == ["Changed"]
    assert office.event()["id"] == before


async def test_a_passing_404_while_creating_makes_one_event(office: ProviderAccount) -> None:
    harness = office.harness()
    not_found(office, CREATE)
    told = (await harness.settle()).status_report
    assert told is not None
    assert told.status is ExternalSyncStatus.SYNCED
    assert office.titles() == ["Review"]


async def test_a_404_while_an_unanswered_create_is_looked_for_makes_one_event(office: ProviderAccount) -> None:
    harness = office.harness()
    office.fault("commit_then_error", status=503, times=1, operation=_OPERATIONS[office.outside.name][CREATE])
    await harness.attempt()
    not_found(office, times=1)
    await harness.settle()
    assert office.titles() == ["Review"]


async def test_a_passing_404_while_removing_leaves_nothing_behind(office: ProviderAccount) -> None:
    harness = await settled(office)
    harness.want(status=MeetingStatus.CANCELED)
    not_found(office, REMOVE)
    await harness.settle()
    assert office.titles() == []


async def test_what_was_removed_is_told_when_the_provider_says_so_twice(office: ProviderAccount) -> None:
    harness = await settled(office)
    office.by_hand("DELETE")
    harness.look()
    assert isinstance((await harness.attempt()).host_edit, MirroredEventDeleted)


async def test_an_event_that_was_removed_is_not_made_anew_by_a_removal(office: ProviderAccount) -> None:
    harness = await settled(office)
    office.by_hand("DELETE")
    harness.want(status=MeetingStatus.CANCELED)
    told = (await harness.settle()).status_report
    assert told is not None
    assert (told.status, office.titles()) == (ExternalSyncStatus.SYNCED, [])


# --- moved to another calendar --------------------------------------------------------------------------------------


def move(office: ProviderAccount) -> None:
    """The owner moves the only event to another of their calendars."""
    simulator, event_id = office.outside.simulator, office.event()["id"]
    if isinstance(simulator, Google):
        service = simulator.calendar(simulator.connect(office.email, CALENDAR))
        other = service.calendars().insert(body={"summary": "Clients"}).execute()["id"]
        service.events().move(calendarId="primary", eventId=event_id, destination=other).execute()
    else:
        other = simulator.control("POST", f"accounts/{office.email}/calendars", {"name": "Clients"})["calendar_id"]
        simulator.control("POST", f"accounts/{office.email}/events/{event_id}/move", {"calendarId": other})


def live(office: ProviderAccount) -> list[str]:
    """The titles of the events in all calendars of the owner."""
    listed = office.outside.simulator.control("GET", f"accounts/{office.email}/events")
    events = [row.get("resource", row) for row in listed]
    return [event[office.title_field] for event in events if event.get("status") != "cancelled"]


async def test_a_moved_copy_is_not_taken_for_removed(office: ProviderAccount) -> None:
    harness = await settled(office)
    move(office)
    harness.look()
    attempt = await harness.attempt()
    assert attempt.host_edit is None
    assert harness.event.deleted is False


async def test_a_moved_copy_is_written_and_removed_where_it_is_now(office: ProviderAccount) -> None:
    harness = await settled(office)
    move(office)
    harness.want(title="Changed")
    await harness.settle()
    assert live(office) == ["Changed"]
    harness.want(status=MeetingStatus.CANCELED)
    await harness.settle()
    assert live(office) == []


async def test_a_moved_copy_is_followed_when_its_meeting_is_canceled(office: ProviderAccount) -> None:
    harness = await settled(office)
    move(office)
    harness.want(status=MeetingStatus.CANCELED)
    await harness.settle()
    assert live(office) == []
