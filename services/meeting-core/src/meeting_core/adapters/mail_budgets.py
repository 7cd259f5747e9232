"""The collection of mail budgets: one small document per user and tenant who caused mails lately.

Kept in the database, so that limits hold across replicas and restarts, and operators see who reaches them. Budgets are
read before a batch and written after it; what replicas spend at the same moment adds up, and only the check of that
moment may miss it. Every read and write is by ``_id``, which is also the shard key.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from chassis.mongo.database import Collection
from contracts.messages.command import Actor
from contracts.values.times import utc_now
from prometheus_client import Counter
from pymongo import ASCENDING, IndexModel, UpdateOne

from meeting_core.domain.mail_budget import MailAllowance, MailBudget, MailBudgets, Payer

REFUSED = Counter("mail_budget_refusals", "Commands refused because a mail budget was used up", ["budget"])
_KEPT = timedelta(days=1)
"""After the budget is whole again, so that refusals stay visible."""
INDEXES = [IndexModel([("usedUpTo", ASCENDING)], name="whole again", expireAfterSeconds=int(_KEPT.total_seconds()))]


class MailBudgetRepository:
    """Reads and writes budgets."""

    def __init__(
        self, collection: Collection, allowance: MailAllowance, by_tenant: dict[str, MailAllowance] | None = None
    ) -> None:
        """``by_tenant``: the tenants whose allowance is another one."""
        self._collection = collection
        self._allowance = allowance
        self._by_tenant = by_tenant or {}

    async def load(self, actors: Iterable[Actor]) -> MailBudgets:
        """The budgets that commands of these actors draw on."""
        budgets = {payer: budget for actor in actors for payer, budget in self._budgets_of(actor)}
        if budgets:
            for document in await self._collection.find({"_id": {"$in": list(map(_key, budgets))}}):
                budgets[document["tenantUuid"], document["userId"]].used_up_to = document["usedUpTo"]
        return MailBudgets(budgets)

    async def save(self, budgets: MailBudgets) -> None:
        """Add what was spent."""
        writes = [_write(payer, budget) for payer, budget in budgets.budgets.items() if budget.spent or budget.refused]
        for budget in budgets.budgets.values():
            REFUSED.labels("tenant" if budget.user_id is None else "user").inc(budget.refused)
        if writes:
            await self._collection.bulk_write(writes)

    def _budgets_of(self, actor: Actor) -> Iterator[tuple[Payer, MailBudget]]:
        allowance = self._by_tenant.get(actor.tenant_uuid, self._allowance)
        for user_id, limit in ((actor.user_id, allowance.of(actor)), (None, allowance.per_tenant)):
            if limit:
                yield (actor.tenant_uuid, user_id), MailBudget(actor.tenant_uuid, user_id, limit)


def _write(payer: Payer, budget: MailBudget) -> UpdateOne:
    now = utc_now()
    spent = budget.spent / timedelta(milliseconds=1)
    fields: dict[str, Any] = {
        "tenantUuid": budget.tenant_uuid,
        "userId": budget.user_id,
        "limit": budget.limit,
        "usedUpTo": {"$add": [{"$max": ["$usedUpTo", now]}, spent]},
        "refused": {"$add": [{"$ifNull": ["$refused", 0]}, budget.refused]},
    }
    if budget.refused:
        fields["refusedAt"] = now
    return UpdateOne({"_id": _key(payer)}, [{"$set": fields}], upsert=True)


def _key(payer: Payer) -> str:
    """Ids of the platform have no colon."""
    tenant, user = payer
    return tenant if user is None else f"{tenant}:{user}"
