"""Telling who has time: the directory knows who is staff, meeting-core knows who is busy."""

from collections.abc import Sequence
from typing import Protocol

from chassis.http.internal_queries import QueryClient
from contracts.api.availability import AvailabilityView, Busy, UserAvailability
from contracts.api.errors import ApiError, ErrorCode
from contracts.api.queries import CheckAvailability
from contracts.values.enums import AvailabilityStatus, UserType
from contracts.values.meeting import Invitee

from api_gateway.domain.caller import Caller
from api_gateway.schemas.availability import AvailabilityBody


class StaffDirectory(Protocol):
    """Who an id is, asked with the caller's own authority."""

    async def staff(self, caller: Caller, staff_ids: Sequence[str]) -> list[Invitee | None]:
        """For each id a staff member of the caller's tenant; None where there is none."""


class AvailabilityChecks:
    """Answers who of many people has time."""

    def __init__(self, directory: StaffDirectory, core: QueryClient, *, clients_may_ask: bool) -> None:
        self._directory = directory
        self._core = core
        self._clients_may_ask = clients_may_ask

    async def check(self, caller: Caller, body: AvailabilityBody) -> AvailabilityView:
        """One entry for each id asked about, in the order asked.

        Raises:
            ApiError: 403 for a client, unless they may ask; 503 when the directory cannot be asked.
        """
        if caller.user_type is UserType.CLIENT and not self._clients_may_ask:
            raise ApiError(ErrorCode.FORBIDDEN, message="Clients may not look up when staff have time")
        distinct = list(dict.fromkeys(body.user_uuids))
        found = await self._directory.staff(caller, distinct)
        staff = [user_id for user_id, person in zip(distinct, found, strict=True) if person is not None]
        statuses = await self._statuses(caller, staff, body) if staff else {}
        return AvailabilityView(
            availabilities=[
                UserAvailability(user_uuid=user_id, status=statuses.get(user_id, AvailabilityStatus.UNKNOWN))
                for user_id in body.user_uuids
            ]
        )

    async def _statuses(
        self, caller: Caller, staff: list[str], body: AvailabilityBody
    ) -> dict[str, AvailabilityStatus]:
        reply = await self._core.ask(
            CheckAvailability(actor=caller.actor(), user_uuids=staff, starts_at=body.starts_at, ends_at=body.ends_at)
        )
        if reply.error is not None:
            raise reply.error.refusal
        found = Busy.model_validate(reply.data)
        return {
            **dict.fromkeys(staff, AvailabilityStatus.AVAILABLE),
            **dict.fromkeys(found.unknown_user_uuids, AvailabilityStatus.UNKNOWN),
            **dict.fromkeys(found.user_uuids, AvailabilityStatus.BUSY),
        }
