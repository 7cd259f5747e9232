"""Noting what is wanted in hosts' calendars: from the meetings' events, and from connections that are made or end.

Nothing here calls a provider. A mirrored meeting is written first and its host's connection looked up then: a
connection that is made in between has an event of its own, which finds the mirrored meeting.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from chassis.kafka.consumer import Batch
from contracts.messages.calendar_events import ConnectionChanged
from contracts.messages.meeting_events import (
    MeetingCanceled,
    MeetingCreated,
    MeetingEvent,
    MeetingUpdated,
    SyncRetryRequested,
)
from contracts.transport.envelope import Envelope
from contracts.values.enums import CalendarProvider, ConnectionStatus, ExternalSyncStatus, MeetingSource
from contracts.values.meeting import MeetingState
from contracts.values.times import utc_now

from calendar_sync.outbound.model import MirroredMeeting
from calendar_sync.outbound.ports import ConnectedHosts, Host, MeetingUpdate, MirroredMeetings
from calendar_sync.providers.accounts import Account, Accounts

_SYNC_TRIGGERS = (MeetingCreated, MeetingUpdated, MeetingCanceled, SyncRetryRequested)
"""The events after which the mirrored event is synced; others only bring a newer version of the meeting."""


class DesiredStateProjector:
    """Takes note of batches of events."""

    kinds = (MeetingEvent, ConnectionChanged)

    def __init__(
        self,
        mirrored_meetings: MirroredMeetings,
        hosts: ConnectedHosts,
        accounts: Accounts,
        *,
        wake: Callable[[CalendarProvider], None],
    ) -> None:
        """``wake`` is called when there is work for a provider's workers."""
        self._mirrored_meetings = mirrored_meetings
        self._hosts = hosts
        self._accounts = accounts
        self._wake = wake

    async def handle(self, batch: Batch) -> None:
        """Idempotent: a repeated message only schedules the sync again."""
        await self._project_meetings(batch)
        for received in batch:
            if isinstance(received.body, ConnectionChanged):
                await self._apply_connection(received.body)

    # --- meetings -----------------------------------------------------------------------------------------------

    async def _project_meetings(self, batch: Batch) -> None:
        updates: dict[str, MeetingUpdate] = {}
        for received in batch:
            event = received.body
            if isinstance(event, MeetingEvent) and event.meeting.source is MeetingSource.INTERNAL:
                _merge(updates, event, received.envelope)
        if not updates:
            return
        await self._mirrored_meetings.save(list(updates.values()))
        to_sync = {uuid: update.meeting for uuid, update in updates.items() if update.needs_sync}
        connected = await self._hosts.providers_of({_host(meeting) for meeting in to_sync.values()})
        by_provider: dict[CalendarProvider, list[str]] = {}
        for uuid, meeting in to_sync.items():
            provider = connected.get(_host(meeting))
            if provider is None and meeting.external_sync_status is not ExternalSyncStatus.NOT_APPLICABLE:
                provider = CalendarProvider.GOOGLE  # either's worker can say that there is nothing to do
            if provider is not None:
                by_provider.setdefault(provider, []).append(uuid)
        for provider, uuids in by_provider.items():
            await self._mirrored_meetings.request_sync(uuids, provider)
            self._wake(provider)

    # --- connections --------------------------------------------------------------------------------------------

    async def _apply_connection(self, change: ConnectionChanged) -> None:
        """Act on the connection as it is now: if it has changed since this event, another event follows."""
        account = await self._accounts.connected(change.tenant_uuid, change.user_id)
        if change.status is ConnectionStatus.CONNECTED:
            if account is not None and account.generation == change.generation:
                await self._start_mirroring(account)
        elif account is None:
            await self._stop_mirroring(change)

    async def _start_mirroring(self, account: Account) -> None:
        """Meetings ahead will be written; so will be put right what was written into this account before."""
        key, now = account.key, utc_now()
        async for page in self._pages(account.tenant_uuid, account.user_id):
            concerned = [mirror for mirror in page if mirror.is_upcoming(now) or key in mirror.events]
            reports = [
                (
                    mirror,
                    None if mirror.is_status_reported else mirror.status_to_report(ExternalSyncStatus.PENDING, now),
                )
                for mirror in concerned
            ]
            await self._mirrored_meetings.report_status(reports, request_sync=account.provider)
            self._wake(account.provider)

    async def _stop_mirroring(self, change: ConnectionChanged) -> None:
        now = utc_now()
        async for page in self._pages(change.tenant_uuid, change.user_id):
            reports = [
                (mirror, mirror.status_to_report(ExternalSyncStatus.NOT_APPLICABLE, now))
                for mirror in page
                if mirror.is_status_reported
            ]
            await self._mirrored_meetings.report_status(reports, request_sync=None)

    async def _pages(self, tenant_uuid: str, host_uuid: str) -> AsyncIterator[list[MirroredMeeting]]:
        after = ""
        while page := await self._mirrored_meetings.list_by_host(tenant_uuid, host_uuid, after):
            yield page
            after = page[-1].meeting_uuid


def _merge(updates: dict[str, MeetingUpdate], event: MeetingEvent, envelope: Envelope) -> None:
    uuid, before = event.meeting.meeting_uuid, updates.get(event.meeting.meeting_uuid)
    needs_sync = isinstance(event, _SYNC_TRIGGERS) or (before is not None and before.needs_sync)
    update = MeetingUpdate(
        event.meeting, envelope.sequence or 0, envelope.correlation_id or "", envelope.traceparent, needs_sync
    )
    newest = update if before is None or update.sequence > before.sequence else before
    updates[uuid] = replace(newest, needs_sync=needs_sync)


def _host(meeting: MeetingState) -> Host:
    return meeting.tenant_uuid, meeting.host_uuid
