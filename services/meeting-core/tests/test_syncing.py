"""How a meeting's copy in its host's calendar stands, as the core and its callers see it."""

from typing import Any

import pytest
from contracts.api.errors import ErrorCode
from contracts.messages.calendar_events import MirrorStatusChanged
from contracts.messages.meeting_commands import RetrySync
from contracts.messages.meeting_events import MeetingCreated, MeetingSyncChanged, SyncRetryRequested
from contracts.values.enums import (
    ExternalSyncStatus,
    SyncFailureCode,
    SyncOperation,
)
from contracts.values.ids import uuid7_hex
from meeting_core.application.event_handlers import apply_mirror_status
from meeting_core.domain.views import Viewer

from tests.support.commands import (
    COLLEAGUE,
    HOST,
    MEETING,
    CommandHarness,
    answer,
    cancel,
    create,
    staff,
    update,
)

PENDING, SYNCED, FAILED, NONE = (
    ExternalSyncStatus.PENDING,
    ExternalSyncStatus.SYNCED,
    ExternalSyncStatus.FAILED,
    ExternalSyncStatus.NOT_APPLICABLE,
)


def news(harness: CommandHarness, status: ExternalSyncStatus, *, sequence: int = 1, **more: Any) -> MirrorStatusChanged:
    fields: dict[str, Any] = {
        "tenant_uuid": HOST.tenant_uuid,
        "meeting_uuid": MEETING,
        "sequence": sequence,
        "meeting_version": harness.meeting.version,
        "status": status,
        "operation": SyncOperation.CREATE,
        "at": harness.now,
    }
    return MirrorStatusChanged(**fields | more)


def failure(code: SyncFailureCode) -> dict[str, Any]:
    return {"failure_code": code, "failure_reason": "It did not work."}


def retry(*, by: Any = HOST) -> RetrySync:
    return RetrySync(command_id=uuid7_hex(), fingerprint="", meeting_uuid=MEETING, actor=by)


@pytest.fixture
def harness() -> CommandHarness:
    """A meeting of a host who has a calendar connected."""
    harness = CommandHarness()
    harness.uow.host_connected = True
    harness.done(create(staff()))
    return harness


def test_without_a_calendar_nothing_applies() -> None:
    harness = CommandHarness(create(), update(title="New"), cancel())
    assert harness.meeting.sync.status is NONE
    assert Viewer(harness.meeting, HOST).full().last_sync_operation is None


def test_a_meeting_of_a_connected_host_is_waiting_to_be_synced_at_once(harness: CommandHarness) -> None:
    seen = Viewer(harness.meeting, HOST).full()
    assert (seen.external_sync_status, seen.last_sync_operation) == (PENDING, SyncOperation.CREATE)
    event = harness.events[0]
    assert isinstance(event, MeetingCreated)
    assert event.meeting.external_sync_status is PENDING


def test_each_change_of_state_is_a_version_and_an_event(harness: CommandHarness) -> None:
    apply_mirror_status(harness.uow, news(harness, SYNCED))
    event = harness.events[-1]
    assert isinstance(event, MeetingSyncChanged)
    assert (event.meeting.external_sync_status, event.operation) == (SYNCED, SyncOperation.CREATE)
    assert harness.meeting.version == 2
    assert harness.meeting.is_unchanged_since(1)  # nobody has changed the meeting


def test_what_was_heard_before_changes_nothing(harness: CommandHarness) -> None:
    apply_mirror_status(harness.uow, news(harness, SYNCED, sequence=5))
    told = len(harness.events)
    apply_mirror_status(harness.uow, news(harness, SYNCED, sequence=5))
    apply_mirror_status(harness.uow, news(harness, PENDING, sequence=4))
    apply_mirror_status(harness.uow, news(harness, SYNCED, sequence=6))
    assert (len(harness.events), harness.meeting.sync.status) == (told, SYNCED)


def test_news_of_an_earlier_version_does_not_settle_a_later_change(harness: CommandHarness) -> None:
    early = news(harness, SYNCED)
    harness.done(update(title="New"))
    apply_mirror_status(harness.uow, early)
    assert (harness.meeting.sync.status, harness.meeting.sync.last_operation) == (PENDING, SyncOperation.UPDATE)
    apply_mirror_status(harness.uow, news(harness, SYNCED, sequence=2))
    assert harness.meeting.sync.status is SYNCED


def test_another_tenants_news_is_not_heard(harness: CommandHarness) -> None:
    apply_mirror_status(harness.uow, news(harness, SYNCED, tenant_uuid="T2"))
    assert harness.meeting.sync.status is PENDING


def test_a_canceled_meeting_waits_to_be_removed_if_it_was_ever_to_be_there(harness: CommandHarness) -> None:
    harness.done(cancel())
    assert (harness.meeting.sync.status, harness.meeting.sync.last_operation) == (PENDING, SyncOperation.DELETE)
    other = CommandHarness(create())
    other.uow.host_connected = True
    other.done(cancel())
    assert other.meeting.sync.status is NONE


def test_a_failure_is_shown_to_who_manages_the_meeting_only(harness: CommandHarness) -> None:
    apply_mirror_status(harness.uow, news(harness, FAILED, **failure(SyncFailureCode.PERMISSION_DENIED)))
    seen = Viewer(harness.meeting, HOST).full()
    assert (seen.sync_failure_code, seen.sync_failure_reason) == (SyncFailureCode.PERMISSION_DENIED, "It did not work.")
    assert (seen.sync_failed_at, seen.can_retry_sync) == (harness.now, True)
    assert seen.external_sync_failure_visible_to_viewer
    other = Viewer(harness.meeting, COLLEAGUE).full()
    assert (other.sync_failed_at, other.sync_failure_code, other.sync_failure_reason) == (None, None, None)
    assert (other.can_retry_sync, other.external_sync_failure_visible_to_viewer) == (False, False)


def test_a_failed_sync_is_retried_once(harness: CommandHarness) -> None:
    apply_mirror_status(harness.uow, news(harness, FAILED, **failure(SyncFailureCode.RATE_LIMITED)))
    asked = retry()
    seen: Any = harness.done(asked).data
    assert (seen.external_sync_status, seen.sync_failure_code) == (PENDING, None)
    assert isinstance(harness.events[-1], SyncRetryRequested)
    told = len(harness.events)
    assert harness.done(asked).version == harness.meeting.version
    assert len(harness.events) == told
    assert harness.refused(retry()) is ErrorCode.SYNC_NOT_RETRYABLE


@pytest.mark.parametrize("status", [PENDING, SYNCED, NONE])
def test_what_has_not_failed_is_not_retried(harness: CommandHarness, status: ExternalSyncStatus) -> None:
    apply_mirror_status(harness.uow, news(harness, status))
    assert harness.refused(retry()) is ErrorCode.SYNC_NOT_RETRYABLE


def test_what_failed_for_good_is_not_retried(harness: CommandHarness) -> None:
    apply_mirror_status(harness.uow, news(harness, FAILED, **failure(SyncFailureCode.INVALID_REQUEST)))
    assert not Viewer(harness.meeting, HOST).full().can_retry_sync
    assert harness.refused(retry()) is ErrorCode.SYNC_NOT_RETRYABLE


def test_only_who_manages_a_meeting_retries_its_sync(harness: CommandHarness) -> None:
    apply_mirror_status(harness.uow, news(harness, FAILED, **failure(SyncFailureCode.RATE_LIMITED)))
    assert harness.refused(retry(by=COLLEAGUE)) is ErrorCode.FORBIDDEN
    harness.done(cancel())
    assert harness.refused(retry()) is ErrorCode.MEETING_CANCELED


def test_an_answer_changes_nothing_of_it(harness: CommandHarness) -> None:
    apply_mirror_status(harness.uow, news(harness, SYNCED))
    harness.done(answer(by=COLLEAGUE))
    assert harness.meeting.sync.status is SYNCED


# --- who has a calendar connected ---------------------------------------------------------------------------------
