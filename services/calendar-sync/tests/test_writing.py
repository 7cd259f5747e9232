"""Writing copies into both simulated providers: each wish is fulfilled once, whatever goes wrong on the way."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from calendar_sync.outbound.model import MirroredEvent
from calendar_sync.providers.authorized_calls import retry_delay
from calendar_sync.providers.errors import PreconditionFailedError, unavailable_failure
from calendar_sync.providers.ports import EventRef, Marker
from chassis.jobs.queue import LeaseLostError
from contracts.messages.calendar_events import MirroredEventChanged
from contracts.values.enums import ExternalSyncStatus, MeetingStatus, SyncFailureCode, SyncOperation
from structlog.testing import capture_logs

from tests.support.outward import content
from tests.support.provider_account import TIMEOUT, ProviderAccount


async def test_a_meeting_is_made_changed_and_removed(office: ProviderAccount) -> None:
    harness = office.harness()
    told = (await harness.settle()).status_report
    assert told is not None
    assert (told.status, told.operation) == (ExternalSyncStatus.SYNCED, SyncOperation.CREATE)
    (shown,) = office.shown()
    assert (shown.meeting_uuid, shown.title) == (harness.mirror.meeting_uuid, "Review")

    harness.want(title="Moved", start_date_time="2038-06-02T10:00:00", end_date_time="2038-06-02T12:00:00")
    told = (await harness.settle()).status_report
    assert told is not None
    assert (told.status, told.operation) == (ExternalSyncStatus.SYNCED, SyncOperation.UPDATE)
    assert office.shown() == [
        replace(shown, title="Moved", start="2038-06-02T10:00:00+00:00", end="2038-06-02T12:00:00+00:00")
    ]

    harness.want(status=MeetingStatus.CANCELED)
    told = (await harness.settle()).status_report
    assert told is not None
    assert (told.status, told.operation) == (ExternalSyncStatus.SYNCED, SyncOperation.DELETE)
    assert office.shown() == []


async def test_the_copy_has_no_attendees(office: ProviderAccount) -> None:
    await office.harness().settle()
    assert not office.event().get("attendees")


async def test_what_is_written_comes_back_as_our_own(office: ProviderAccount) -> None:
    harness = office.harness()
    harness.want(description="One\n\nTwo  \nThree", location_detail="Room 5")
    await harness.settle()
    remote = await office.calendar.read(office.access, harness.event.event_id or "")
    assert remote.content.fingerprint == harness.event.base_fingerprint
    assert remote.ref.etag == harness.event.etag
    assert harness.event.last_written is not None
    assert remote.content.differs_from(harness.event.last_written) == frozenset()


@pytest.mark.parametrize("all_day", [True, False])
async def test_a_meeting_becomes_all_day_and_timed_again(office: ProviderAccount, all_day: bool) -> None:
    harness = office.harness()
    harness.want(all_day=not all_day, timezone="America/Santiago")
    await harness.settle()
    harness.want(all_day=all_day)
    await harness.settle()
    (shown,) = office.shown()
    expected = ("2038-06-01", "2038-06-02") if all_day else ("2038-06-01T14:00:00+00:00", "2038-06-01T15:00:00+00:00")
    assert (shown.start, shown.end) == expected


async def test_what_is_wanted_already_makes_no_call(office: ProviderAccount) -> None:
    harness = office.harness()
    await harness.settle()
    office.fault("error", status=500, operation="events.*")
    attempt = await harness.attempt()
    assert (attempt.status_report, attempt.retry_in) == (None, None)


@pytest.mark.parametrize("fault", ["commit_then_error", "commit_then_timeout"])
async def test_a_create_that_was_done_without_an_answer_is_not_repeated(office: ProviderAccount, fault: str) -> None:
    harness = office.harness()
    office.fault(fault, status=503, seconds=TIMEOUT + 1, times=1, operation="events.*")
    attempt = await harness.attempt()
    assert attempt.retry_in is not None
    await harness.settle()
    assert office.titles() == ["Review"]


async def test_a_create_whose_worker_died_is_found_again(office: ProviderAccount) -> None:
    harness = office.harness()
    await harness.attempt(forget=True)
    harness.want(title="Newer")
    await harness.settle()
    assert office.titles() == ["Newer"]
    assert harness.event.incarnation == 1


async def test_a_create_whose_worker_died_is_removed_when_the_meeting_was_canceled(office: ProviderAccount) -> None:
    harness = office.harness()
    await harness.attempt(forget=True)
    harness.want(status=MeetingStatus.CANCELED)
    await harness.settle()
    assert office.titles() == []


@pytest.mark.parametrize("fault", ["commit_then_error", "commit_then_timeout"])
async def test_a_change_that_was_done_without_an_answer_is_taken_back(office: ProviderAccount, fault: str) -> None:
    harness = office.harness()
    await harness.settle()
    harness.want(title="Second thoughts")
    office.fault(fault, status=503, seconds=TIMEOUT + 1, times=1, operation="events.*")
    await harness.attempt()
    assert office.titles() == ["Second thoughts"]
    harness.want(title="Review")
    await harness.settle()
    assert office.titles() == ["Review"]


async def test_a_removal_that_was_done_without_an_answer_is_done(office: ProviderAccount) -> None:
    harness = office.harness()
    await harness.settle()
    harness.want(status=MeetingStatus.CANCELED)
    office.fault("commit_then_error", status=503, times=1, operation="events.*")
    await harness.attempt()
    await harness.settle()
    assert (office.titles(), harness.event.deleted) == ([], True)


async def test_what_the_owner_changed_stays_when_something_else_is_written(office: ProviderAccount) -> None:
    harness = office.harness()
    await harness.settle()
    place = "The owner's place"
    office.by_hand("PATCH", {"location": place if office.outside.name == "google" else {"displayName": place}})
    harness.want(title="New")
    await harness.settle()
    (shown,) = office.shown()
    assert (shown.title, shown.location) == ("New", "The owner's place")


async def test_where_both_changed_a_field_the_platform_counts(office: ProviderAccount) -> None:
    harness = office.harness()
    await harness.settle()
    office.by_hand("PATCH", {office.title_field: "The owner's title"})
    harness.want(title="Ours")
    await harness.settle()
    assert office.titles() == ["Ours"]


async def test_a_copy_that_its_owner_deleted_is_made_anew_when_the_meeting_changes(office: ProviderAccount) -> None:
    harness = office.harness()
    await harness.settle()
    first = harness.event.event_id
    office.by_hand("DELETE")
    harness.want(title="Still on")
    await harness.settle()
    assert office.titles() == ["Still on"]
    assert harness.event.incarnation == 2
    assert harness.event.event_id != first


async def test_a_canceled_copy_that_its_owner_deleted_is_gone_already(office: ProviderAccount) -> None:
    harness = office.harness()
    await harness.settle()
    office.by_hand("DELETE")
    harness.want(status=MeetingStatus.CANCELED)
    told = (await harness.settle()).status_report
    assert told is not None
    assert told.status is ExternalSyncStatus.SYNCED


async def test_an_account_that_comes_back_keeps_its_copies(office: ProviderAccount) -> None:
    """The link is new, as if the platform had forgotten; the event bears our marker."""
    harness = office.harness()
    await harness.settle()
    harness.mirror.events.clear()
    harness.want(title="Known again")
    first = await harness.attempt()
    if first.retry_in is not None:
        await harness.settle()
    assert office.titles() == ["Known again"]


async def test_an_event_with_another_deployments_marker_is_left_alone(office: ProviderAccount) -> None:
    harness = office.harness()
    marker = Marker(harness.mirror.meeting_uuid, "another deployment", "account", 1)
    await office.calendar.create(office.access, marker, content(title="Theirs"))
    await harness.settle()
    assert sorted(office.titles()) == ["Review", "Theirs"]


async def test_a_stale_entity_tag_is_refused_by_the_provider_itself(office: ProviderAccount) -> None:
    harness = office.harness()
    await harness.settle()
    held = EventRef(harness.event.event_id or "", harness.event.etag or "")
    await office.calendar.change(office.access, held, content(title="Once"), frozenset({"title"}))
    with pytest.raises(PreconditionFailedError):
        await office.calendar.change(office.access, held, content(title="Twice"), frozenset({"title"}))
    assert office.titles() == ["Once"]


# --- failures ---------------------------------------------------------------------------------------------------


async def test_what_passes_is_pending_then_told_as_failed_and_tried_on(office: ProviderAccount) -> None:
    harness = office.harness(attempts=3)
    office.fault("error", status=503, operation="events.*", times=4)
    statuses = [
        attempt.status_report.status if (attempt := await harness.attempt()).status_report else None for _ in range(4)
    ]
    pending, failed = ExternalSyncStatus.PENDING, ExternalSyncStatus.FAILED
    assert statuses == [pending, None, failed, None]
    assert harness.mirror.reported_status is not None
    assert harness.mirror.reported_status.failure_code is SyncFailureCode.PROVIDER_UNAVAILABLE
    told = (await harness.settle()).status_report
    assert told is not None
    assert (told.status, told.failure_code) == (ExternalSyncStatus.SYNCED, None)
    assert office.titles() == ["Review"]


async def test_retry_after_is_honoured_and_holds_the_whole_account(office: ProviderAccount) -> None:
    harness = office.harness()
    office.fault("error", status=429, retryAfter=40, operation="events.*", times=1)
    attempt = await harness.attempt()
    assert attempt.retry_in is not None
    assert attempt.retry_in >= 40
    assert attempt.pause_account


@pytest.mark.parametrize("number", [1, 8, 30])
async def test_what_a_provider_asks_for_counts_however_often_it_did(office: ProviderAccount, number: int) -> None:
    harness = office.harness()
    harness.failures = number - 1
    office.fault("error", status=503, retryAfter=1, operation="events.*", times=1)
    attempt = await harness.attempt()
    assert attempt.retry_in is not None
    assert 1 <= attempt.retry_in <= 6
    assert attempt.pause_account


def test_pauses_grow_where_no_provider_says_how_long() -> None:
    failure = unavailable_failure("503")
    pauses = [retry_delay(failure, attempt, initial=1, maximum=300) for attempt in (1, 4, 20)]
    assert 0.5 <= pauses[0] <= 1 < pauses[1] <= 8 < pauses[2] <= 300
    asked = unavailable_failure("503", retry_after=7)
    assert all(7 < retry_delay(asked, attempt, initial=1, maximum=300) <= 12 for attempt in range(1, 40))


async def test_a_zone_that_google_refuses_is_written_as_the_same_instants(google_office: ProviderAccount) -> None:
    harness = google_office.harness()
    harness.want(timezone="America/Coyhaique")
    google_office.fault("error", status=400, reason="invalid", operation="events.insert", times=1)
    google_office.fault("error", status=400, reason="invalid", operation="events.patch", times=1)
    told = (await harness.settle()).status_report
    assert told is not None
    assert told.status is ExternalSyncStatus.SYNCED
    event = google_office.event()
    assert (event["start"]["timeZone"], event["end"]["timeZone"]) == ("UTC", "UTC")
    assert datetime.fromisoformat(event["start"]["dateTime"]) == harness.mirror.desired.starts_at
    before = google_office.event()
    harness.want(timezone="America/Coyhaique", meeting_information="More")
    await harness.settle()
    assert google_office.event()["start"] == before["start"]
    google_office.move("2038-06-02T12:00:00", "2038-06-02T13:00:00", "UTC")
    harness.look()
    change = (await harness.attempt()).host_edit
    assert isinstance(change, MirroredEventChanged)
    assert change.timezone == "America/Coyhaique", "the host chose no other"


async def test_what_google_refuses_in_utc_too_cannot_pass(google_office: ProviderAccount) -> None:
    google_office.fault("error", status=400, reason="invalid", operation="events.*")
    harness = google_office.harness()
    harness.want(timezone="America/Coyhaique")
    told = (await harness.attempt()).status_report
    assert told is not None
    assert told.failure_code is SyncFailureCode.INVALID_REQUEST


async def test_what_cannot_pass_is_told_at_once_and_left(office: ProviderAccount) -> None:
    harness = office.harness()
    office.fault("error", status=400, operation="events.*", times=1)
    attempt = await harness.attempt()
    assert attempt.retry_in is None
    assert attempt.status_report is not None
    assert (attempt.status_report.status, attempt.status_report.failure_code) == (
        ExternalSyncStatus.FAILED,
        SyncFailureCode.INVALID_REQUEST,
    )


async def test_a_calendar_that_may_not_be_written_is_the_connections_trouble_too(office: ProviderAccount) -> None:
    office.fault("error", status=403, reason="ErrorAccessDenied", operation="events.*", times=1)
    attempt = await office.harness().attempt()
    assert attempt.status_report is not None
    assert attempt.status_report.failure_code is SyncFailureCode.PERMISSION_DENIED
    assert office.accounts.troubles == [SyncFailureCode.PERMISSION_DENIED]


async def test_a_token_that_stays_refused_is_tried_again_and_the_connection_stays(office: ProviderAccount) -> None:
    office.accounts.token = lambda: "no token at all"
    attempt = await office.harness().attempt()
    assert attempt.retry_in is not None
    assert office.accounts.troubles == [SyncFailureCode.PERMISSION_DENIED]
    assert office.accounts.account is not None


async def test_without_a_connection_nothing_is_written(office: ProviderAccount) -> None:
    harness = office.harness()
    office.accounts.account = None
    told = (await harness.settle()).status_report
    assert told is not None
    assert told.status is ExternalSyncStatus.NOT_APPLICABLE
    assert office.titles() == []


async def test_whoever_lost_the_lease_writes_nothing(office: ProviderAccount) -> None:
    class Lost:
        async def save(self, key: str, copy: MirroredEvent) -> bool:
            return False

    harness = office.harness()
    with pytest.raises(LeaseLostError):
        await harness.reconciler.reconcile(harness.mirror, attempt_number=1, intent_log=Lost())
    assert office.titles() == []


@pytest.mark.parametrize(
    "fault", [{"kind": "error", "status": 500}, {"kind": "error", "status": 400}, {"kind": "commit_then_timeout"}]
)
async def test_no_token_is_in_what_is_logged_kept_or_told(
    office: ProviderAccount, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    harness = office.harness()
    office.fault(**fault, operation="events.*", seconds=TIMEOUT + 1)
    caplog.set_level(0)
    with capture_logs() as logs:
        attempt = await harness.attempt()
    said = f"{logs} {caplog.text} {attempt} {harness.mirror.model_dump_json()}"
    assert attempt.status_report is not None
    assert "write failed" in said
    assert office.accounts.token() not in said
