"""How a meeting's mirrored event in the host's calendar is doing. Pure."""

from typing import Self

from contracts.messages.calendar_events import MirrorStatusChanged
from contracts.model import StoredModel
from contracts.values.enums import ExternalSyncStatus, SyncFailureCode, SyncOperation
from contracts.values.personal import WrittenText
from contracts.values.times import Instant

_LASTING_FAILURES = frozenset({SyncFailureCode.INVALID_REQUEST})


class SyncState(StoredModel):
    """The status that calendar-sync reported last, and what it has yet to report on."""

    status: ExternalSyncStatus = ExternalSyncStatus.NOT_APPLICABLE
    last_operation: SyncOperation | None = None
    failed_at: Instant | None = None
    failure_code: SyncFailureCode | None = None
    failure_reason: WrittenText | None = None
    requested_in_version: int = 0
    """The meeting's version that last requested a sync: a report on an earlier one is out of date."""
    last_sequence: int = 0
    """The highest sequence of a report so far."""

    @property
    def is_retryable(self) -> bool:
        """Whether the latest sync failed for a cause that can pass."""
        return self.status is ExternalSyncStatus.FAILED and self.failure_code not in _LASTING_FAILURES

    def requested(self, operation: SyncOperation | None, *, version: int) -> Self:
        """The state once this version of the meeting waits to be synced."""
        return type(self)(
            status=ExternalSyncStatus.PENDING,
            last_operation=operation,
            requested_in_version=version,
            last_sequence=self.last_sequence,
        )

    def is_outdated(self, report: MirrorStatusChanged) -> bool:
        """Whether the report is known already, or about an earlier version than the one that was requested last."""
        return report.sequence <= self.last_sequence or report.meeting_version < self.requested_in_version

    def reported(self, report: MirrorStatusChanged) -> Self:
        """The state after a report that is not outdated."""
        failed = report.status is ExternalSyncStatus.FAILED
        return type(self)(
            status=report.status,
            last_operation=report.operation or self.last_operation,
            failed_at=report.at if failed else None,
            failure_code=report.failure_code,
            failure_reason=report.failure_reason,
            requested_in_version=self.requested_in_version,
            last_sequence=report.sequence,
        )

    def is_equal_ignoring_sequence(self, other: Self) -> bool:
        """Whether the two differ in nothing that anybody sees."""
        return self == other.model_copy(update={"last_sequence": self.last_sequence})
