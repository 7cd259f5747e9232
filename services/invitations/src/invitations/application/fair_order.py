"""The order of mails: tenants take turns, and within a tenant its hosts."""

from datetime import datetime, timedelta

from chassis.jobs.fair_queue import FairQueue
from contracts.values.meeting import MeetingState

_TENANT_SPACING, _HOST_SPACING = timedelta(seconds=1), timedelta(seconds=10)
"""Far above what one mail takes. Ten hosts with a backlog each move their tenant as fast as one host alone would."""


class FairOrder:
    """Gives each mail a start time; workers send the earliest first."""

    def __init__(self) -> None:
        self._tenants, self._hosts = FairQueue(_TENANT_SPACING), FairQueue(_HOST_SPACING)

    def start_of(self, meeting: MeetingState, due_at: datetime) -> datetime:
        """The start time of one mail about this meeting.

        By the backlog of its tenant; earlier if the host has a small part of it, so that a colleague with one guest
        does not wait for a meeting of 500.
        """
        by_tenant = self._tenants.add(meeting.tenant_uuid, due_at)
        by_host = self._hosts.add((meeting.tenant_uuid, meeting.host_uuid), due_at)
        return min(by_tenant, by_host)
