"""How many mails to guests users and tenants may cause. Pure.

A budget is a number of mails an hour, used at once or spread out (generic cell rate algorithm). Canceling a meeting and
removing a guest are free: a user can always cancel an invitation that was sent by mistake.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.command import Actor
from contracts.messages.meeting_events import InvitationResent, MeetingCreated, MeetingEvent, MeetingUpdated
from contracts.values.enums import UserType
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

WINDOW = timedelta(hours=1)


class MailAllowance(BaseModel):
    """Mails an hour; 0 means no limit."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True)

    per_client: int = Field(default=200, ge=0)
    """One user of type CLIENT."""
    per_user: int = Field(default=3_000, ge=0)
    """One staff member."""
    per_tenant: int = Field(default=30_000, ge=0)

    def of(self, actor: Actor) -> int:
        """The allowance of one caller."""
        return self.per_client if actor.user_type is UserType.CLIENT else self.per_user


@dataclass(slots=True)
class MailBudget:
    """What is left of the allowance of one user or tenant."""

    tenant_uuid: str
    user_id: str | None
    """None for the whole tenant's budget."""
    limit: int
    """Mails in one ``WINDOW``."""
    used_up_to: datetime | None = None
    """UTC; the budget is whole again at this instant. None: it is whole."""
    spent: timedelta = timedelta(0)
    """Since it was read, in time that it takes to earn it."""
    refused: int = 0
    """Commands refused since it was read."""

    def wait(self, mails: int, now: datetime) -> timedelta:
        """How long until so many mails can be caused; zero or less: now.

        What is more than the whole allowance costs the whole allowance, so it is possible once in each window.
        """
        return self._used(now) + self._cost(mails) - now - WINDOW

    def spend(self, mails: int, now: datetime) -> None:
        cost = self._cost(mails)
        self.used_up_to = self._used(now) + cost
        self.spent += cost

    def _used(self, now: datetime) -> datetime:
        return max(now, self.used_up_to or now)

    def _cost(self, mails: int) -> timedelta:
        return WINDOW * min(mails, self.limit) / self.limit


Payer = tuple[str, str | None]
"""Tenant and user; the tenant itself without a user."""


@dataclass(frozen=True, slots=True)
class MailBudgets:
    """The budgets that a batch of commands draws on. Who has none here is not limited."""

    budgets: Mapping[Payer, MailBudget] = field(default_factory=dict)

    def charge(self, actor: Actor, mails: int, now: datetime) -> None:
        """Have the actor and their tenant pay for so many mails.

        Raises:
            ApiError: 429 for one of the two, with the seconds to wait; neither has paid.
        """
        if not mails:
            return
        payers = (
            (ErrorCode.USER_MAIL_LIMIT, self.budgets.get((actor.tenant_uuid, actor.user_id))),
            (ErrorCode.TENANT_MAIL_LIMIT, self.budgets.get((actor.tenant_uuid, None))),
        )
        for error, budget in payers:
            if budget is not None and (wait := budget.wait(mails, now)) > timedelta(0):
                budget.refused += 1
                raise ApiError(error, retry_after=math.ceil(wait.total_seconds()))
        for _, budget in payers:
            if budget is not None:
                budget.spend(mails, now)


def mails_caused_by(event: MeetingEvent | None) -> int:
    """How many guests are to be mailed because of this event, those aside whom it tells of an end."""
    match event:
        case MeetingCreated():
            return _reachable(event)
        case MeetingUpdated(silent=False) if event.is_seen_by_guests:
            return _reachable(event)
        case MeetingUpdated():
            return len(event.added)
        case InvitationResent():
            return len(event.participant_uuids)
        case _:
            return 0


def _reachable(event: MeetingEvent) -> int:
    return sum(person.email is not None for person in event.meeting.participants)
