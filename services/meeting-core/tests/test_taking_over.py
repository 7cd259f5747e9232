"""What a host does to a meeting in their own calendar is done to the meeting, as if they had done it here."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from contracts.messages.calendar_events import MirroredEventChanged, MirroredEventDeleted
from contracts.messages.meeting_events import MeetingCanceled, MeetingUpdated, SyncRetryRequested
from contracts.values.enums import (
    ExternalSyncStatus,
    LocationType,
    MeetingSource,
    MeetingStatus,
    RsvpStatus,
    SyncOperation,
)
from hypothesis import given
from hypothesis import strategies as st
from meeting_core.application.event_handlers import (
    apply_mirrored_event_change,
    import_external_event,
    remove_external_event,
)

from tests.support.commands import (
    CLIENT,
    COLLEAGUE,
    HOST,
    CommandHarness,
    answer,
    at,
    cancel,
    contact,
    create,
    guest,
    staff,
    update,
)
from tests.support.meetings import ZONES
from tests.support.outside_events import OUTSIDE, copy_changed, copy_removed, gone, seen

LINK = "https://meet.example.com/1"
HOST_ID = HOST.user_id
LATER: dict[str, Any] = {"start_date_time": at("16:00"), "end_date_time": at("16:45")}


@pytest.fixture
def harness() -> CommandHarness:
    """A meeting of a host with a calendar, which a client has accepted."""
    harness = CommandHarness()
    harness.uow.host_connected = True
    harness.done(create(contact(), staff(), guest(), meeting_link=LINK, meeting_information="Bring a pen."))
    harness.done(answer(by=CLIENT))
    return harness


def note(harness: CommandHarness, *changes: MirroredEventChanged | MirroredEventDeleted) -> None:
    for change in changes:
        apply_mirrored_event_change(harness.uow, change, harness.now)


def answers(harness: CommandHarness) -> set[RsvpStatus]:
    return {one.rsvp_status for one in harness.meeting.participants}


def test_a_new_time_is_the_meetings_and_asks_everybody_again(harness: CommandHarness) -> None:
    note(harness, copy_changed(HOST_ID, **LATER))
    assert (harness.meeting.content.start_date_time, harness.meeting.content.timezone) == (
        at("16:00"),
        "America/Santiago",
    )
    event = harness.events[-1]
    assert isinstance(event, MeetingUpdated)
    assert (event.rescheduled, event.silent) == (True, False)
    assert set(event.changed) == {"startDateTime", "endDateTime"}
    assert answers(harness) == {RsvpStatus.UNKNOWN}
    assert harness.meeting.ical_sequence == 1


def test_a_zone_that_is_given_is_taken(harness: CommandHarness) -> None:
    note(harness, copy_changed(HOST_ID, timezone="Europe/Madrid", all_day=True, **LATER))
    assert (harness.meeting.content.timezone, harness.meeting.content.all_day) == ("Europe/Madrid", True)


def test_other_words_are_told_to_nobody(harness: CommandHarness) -> None:
    note(harness, copy_changed(HOST_ID, title="Review of the half-year", description=""))
    assert (harness.meeting.content.title, harness.meeting.content.description) == ("Review of the half-year", None)
    assert harness.meeting.content.meeting_information == "Bring a pen."
    event = harness.events[-1]
    assert isinstance(event, MeetingUpdated)
    assert (event.rescheduled, event.silent) == (False, True)
    assert RsvpStatus.ACCEPTED in answers(harness)
    assert harness.meeting.ical_sequence == 1  # what mails say next outranks what guests have


def test_each_waits_to_be_synced_again(harness: CommandHarness) -> None:
    note(harness, copy_changed(HOST_ID, title="New"))
    assert harness.meeting.sync.status is ExternalSyncStatus.PENDING
    assert (harness.meeting.sync.last_operation, harness.meeting.sync.requested_in_version) == (SyncOperation.UPDATE, 3)
    note(harness, copy_removed(HOST_ID, change_id="2"))
    assert (harness.meeting.sync.last_operation, harness.meeting.sync.requested_in_version) == (SyncOperation.DELETE, 4)


def test_a_removed_copy_cancels_the_meeting_once(harness: CommandHarness) -> None:
    note(harness, copy_removed(HOST_ID), copy_removed(HOST_ID))
    assert harness.meeting.status is MeetingStatus.CANCELED
    event = harness.events[-1]
    assert isinstance(event, MeetingCanceled)
    assert event.meeting.ical_sequence == 1
    assert len(harness.events) == 3


def test_the_same_change_told_again_changes_nothing(harness: CommandHarness) -> None:
    change = copy_changed(HOST_ID, **LATER)
    note(harness, change)
    harness.done(update(start_date_time=at("15:00"), end_date_time=at("15:45")))
    harness.uow.is_dirty = False
    version = harness.meeting.version
    note(harness, change)
    assert (harness.meeting.version, harness.meeting.content.start_date_time, harness.uow.is_dirty) == (
        version,
        at("15:00"),
        False,
    )


@pytest.mark.parametrize(
    ("place", "given", "becomes"),
    [
        (None, "Room 5", "Room 5"),
        (None, LINK, None),  # which the copy showed where there was no place
        ("Room 5", "Room 6", "Room 6"),
        ("Room 5", "", None),
        ("Room 5", LINK, LINK),
        (None, "", None),
    ],
)
def test_the_place(place: str | None, given: str, becomes: str | None) -> None:
    harness = CommandHarness(create(location_type=LocationType.ONLINE, location_detail=place, meeting_link=LINK))
    note(harness, copy_changed(HOST_ID, location=given))
    assert (harness.meeting.content.location_detail, harness.meeting.content.meeting_link) == (becomes, LINK)
    event = harness.events[-1]
    if becomes == place:
        assert isinstance(event, SyncRetryRequested)
    else:
        assert isinstance(event, MeetingUpdated)
        assert event.rescheduled


def test_what_a_calendar_can_say_is_cut_to_what_a_meeting_can(harness: CommandHarness) -> None:
    note(harness, copy_changed(HOST_ID, title="a\nb\u202ec" + "x" * 300, location="y" * 3_000, description="z" * 9_000))
    content = harness.meeting.content
    assert (content.title or "").startswith("a bcxx")
    lengths = [len(text or "") for text in (content.title, content.location_detail, content.description)]
    assert lengths == [255, 2_048, 8_000]


@st.composite
def changes(draw: st.DrawFn) -> MirroredEventChanged:
    """Whatever a host can do to an event, and what they can write into it."""
    texts = st.none() | st.just("") | st.text() | st.just("x\n" * 5_000)
    changed: dict[str, Any] = {name: draw(texts) for name in ("title", "location", "description")}
    if draw(st.booleans()):
        moments = st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 30))  # noqa: DTZ001 wall times
        start, minutes = draw(moments), draw(st.integers(-100, 40_000))
        changed |= {"start_date_time": start, "end_date_time": start + timedelta(minutes=minutes)}
        changed |= {"timezone": draw(st.none() | st.sampled_from(ZONES)), "all_day": draw(st.none() | st.booleans())}
    return copy_changed(HOST_ID, **changed)


@given(change=changes())
def test_whatever_a_host_does_is_one_event_and_leaves_a_meeting_that_can_be(change: MirroredEventChanged) -> None:
    harness = CommandHarness(create(guest()))
    note(harness, change, change)
    content, event = harness.meeting.content, harness.events[-1]
    assert harness.meeting.version == len(harness.events) == 2
    assert content.schedule.checked()
    lengths = [len(text or "") for text in (content.title, content.location_detail, content.description)]
    assert [length <= most for length, most in zip(lengths, (255, 2_048, 8_000), strict=True)] == [True] * 3
    if isinstance(event, MeetingUpdated):
        assert event.silent is not event.rescheduled
    else:
        assert isinstance(event, SyncRetryRequested)
        assert content == CommandHarness(create(guest())).meeting.content


REFUSED: dict[str, MirroredEventChanged | MirroredEventDeleted] = {
    "a change by somebody who is not the host": copy_changed(COLLEAGUE.user_id, title="Mine"),
    "a removal by somebody who is not the host": copy_removed(COLLEAGUE.user_id),
    "an end before the start": copy_changed(HOST_ID, start_date_time=at("16:00"), end_date_time=at("15:00")),
    "more than a year": copy_changed(HOST_ID, end_date_time="2028-01-01T00:00:00"),
    "what the meeting says already": copy_changed(HOST_ID, title="Quarterly portfolio review"),
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_has_the_copy_put_right_once(
    harness: CommandHarness, change: MirroredEventChanged | MirroredEventDeleted
) -> None:
    content = harness.meeting.content
    note(harness, change, change)
    assert (harness.meeting.content, harness.meeting.status) == (content, MeetingStatus.ACTIVE)
    assert isinstance(harness.events[-1], SyncRetryRequested)
    assert len(harness.events) == 3
    assert (harness.meeting.sync.status, harness.meeting.sync.requested_in_version) == (
        ExternalSyncStatus.PENDING,
        harness.meeting.version,
    )
    assert RsvpStatus.ACCEPTED in answers(harness)


@pytest.mark.parametrize("change", [copy_changed(HOST_ID, **LATER), copy_removed(HOST_ID)])
def test_a_canceled_meeting_stays_so_and_its_copy_goes(
    harness: CommandHarness, change: MirroredEventChanged | MirroredEventDeleted
) -> None:
    harness.done(cancel())
    note(harness, change)
    assert harness.meeting.status is MeetingStatus.CANCELED
    assert isinstance(harness.events[-1], SyncRetryRequested)
    assert harness.meeting.sync.last_operation is SyncOperation.DELETE


@pytest.mark.parametrize("make", [copy_changed, copy_removed])
def test_there_is_nothing_to_do_for_a_meeting_that_is_not_ours_to_change(harness: CommandHarness, make: Any) -> None:
    note(harness, make(HOST_ID, tenant_uuid="T-OTHER"))
    assert len(harness.events) == 2
    nothing = CommandHarness()
    note(nothing, make(HOST_ID))
    assert nothing.uow.meeting is None
    imported = CommandHarness()
    import_external_event(imported.uow, seen(HOST_ID), imported.now)
    note(imported, make(HOST_ID, meeting_uuid=OUTSIDE))
    assert (imported.meeting.version, imported.meeting.source) == (1, MeetingSource.GOOGLE)


# --- what is over -----------------------------------------------------------------------------------------------------


@pytest.fixture
def past(harness: CommandHarness) -> CommandHarness:
    """The same meeting, the day after."""
    harness.now = harness.meeting.content.schedule.ends_at + timedelta(days=1)
    return harness


def test_tidying_up_cancels_nothing_that_is_over(past: CommandHarness) -> None:
    note(past, copy_removed(HOST_ID), copy_removed(HOST_ID))
    assert past.meeting.status is MeetingStatus.ACTIVE
    assert isinstance(past.events[-1], SyncRetryRequested)
    assert RsvpStatus.ACCEPTED in answers(past)


def test_a_meeting_that_just_goes_on_is_canceled(harness: CommandHarness) -> None:
    harness.now = harness.meeting.content.schedule.ends_at - timedelta(seconds=1)
    note(harness, copy_removed(HOST_ID))
    assert harness.meeting.status is MeetingStatus.CANCELED


def test_what_is_over_is_corrected_on_record_and_nobody_is_told(past: CommandHarness) -> None:
    note(past, copy_changed(HOST_ID, title="What it was about", location="Room 5", **LATER))
    assert past.meeting.content.start_date_time == at("16:00")
    event = past.events[-1]
    assert isinstance(event, MeetingUpdated)
    assert (event.silent, event.rescheduled) == (True, False)
    assert RsvpStatus.ACCEPTED in answers(past)


def test_what_is_over_and_is_moved_ahead_is_told(past: CommandHarness) -> None:
    ahead = (past.now + timedelta(days=7)).replace(tzinfo=None, microsecond=0)
    note(past, copy_changed(HOST_ID, start_date_time=ahead, end_date_time=ahead + timedelta(hours=1)))
    event = past.events[-1]
    assert isinstance(event, MeetingUpdated)
    assert (event.silent, event.rescheduled) == (False, True)


def test_what_is_ahead_and_is_moved_into_the_past_is_told(harness: CommandHarness) -> None:
    before = (harness.now - timedelta(days=7)).replace(tzinfo=None, microsecond=0)
    note(harness, copy_changed(HOST_ID, start_date_time=before, end_date_time=before + timedelta(hours=1)))
    event = harness.events[-1]
    assert isinstance(event, MeetingUpdated)
    assert (event.silent, event.rescheduled) == (False, True)


def test_a_command_cancels_what_is_over(past: CommandHarness) -> None:
    past.done(cancel())
    assert past.meeting.status is MeetingStatus.CANCELED


def test_an_external_event_that_is_over_leaves_the_calendar_and_is_not_canceled() -> None:
    harness = CommandHarness()
    import_external_event(harness.uow, seen(HOST_ID), harness.now)
    after = harness.meeting.content.schedule.ends_at + timedelta(days=1)
    remove_external_event(harness.uow, gone(HOST_ID, sequence=2), after)
    assert (harness.meeting.status, harness.meeting.visible_to_user_ids) == (MeetingStatus.ACTIVE, [])
    import_external_event(harness.uow, seen(HOST_ID, sequence=3), after)
    assert (harness.meeting.status, harness.meeting.visible_to_user_ids) == (MeetingStatus.ACTIVE, [HOST_ID])
