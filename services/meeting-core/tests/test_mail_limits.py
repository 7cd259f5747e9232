"""Nobody uses meetings to flood mailboxes in the firm's name: limits on guests of a meeting, and on mails by time."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from chassis.mongo.database import Collection, open_database
from contracts.api.errors import ErrorCode
from contracts.messages.command import Actor
from contracts.messages.meeting_commands import RequestInvitationResend
from contracts.messages.replies import Outcome, Reply, ReplyError
from contracts.values.ids import uuid7_hex
from contracts.values.meeting import Invitee
from meeting_core.adapters.mail_budgets import INDEXES, MailBudgetRepository
from meeting_core.application.commands import execute_command
from meeting_core.domain.mail_budget import MailAllowance, MailBudget, MailBudgets
from meeting_core.settings import Settings
from pydantic import SecretStr

from tests.support.commands import (
    CLIENT,
    COLLEAGUE,
    HOST,
    MEETING,
    STRANGER,
    TENANT,
    CommandHarness,
    cancel,
    contact,
    create,
    guest,
    update,
)

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def guests(count: int, address: str = "guest{}@example.com") -> list[Invitee]:
    return [guest(address.format(number)) for number in range(count)]


def details(harness: CommandHarness, command: object) -> list[str] | None:
    reply = harness.decided(command)  # type: ignore[arg-type]
    assert reply.outcome is Outcome.REJECTED
    assert reply.error is not None
    assert reply.error.code == ErrorCode.VALIDATION_FAILED.code
    return reply.error.details


# --- guests of one meeting --------------------------------------------------------------------------------------------


def test_a_client_invites_few_externals_and_staff_many() -> None:
    refused = ["externalAttendees: at most 5 for a CLIENT"]
    assert details(CommandHarness(), create(*guests(6), by=CLIENT)) == refused
    CommandHarness(create(*guests(5), by=CLIENT))
    CommandHarness(create(*guests(500)))


def test_a_client_cannot_add_them_one_after_the_other() -> None:
    harness = CommandHarness(create(*guests(5), by=CLIENT))
    assert details(harness, update(externals=guests(6), by=CLIENT)) == ["externalAttendees: at most 5 for a CLIENT"]
    assert len(harness.meeting.participants) == 5
    assert len(harness.events) == 1


@pytest.mark.parametrize("address", ["jane+{}@example.com", "JANE+{}@Example.com", "j.a.n.e+{}@gmail.com"])
def test_one_mailbox_is_invited_by_few_addresses(address: str) -> None:
    refused = ["externalAttendees: at most 3 addresses of one mailbox"]
    assert details(CommandHarness(), create(*guests(4, address))) == refused
    harness = CommandHarness(create(*guests(3, address)))
    assert details(harness, update(externals=guests(4, address))) == refused


def test_dots_and_the_other_name_of_google_mail_do_not_help() -> None:
    same = [guest(one) for one in ("jane@gmail.com", "j.ane@gmail.com", "ja.ne@googlemail.com", "jan.e@gmail.com")]
    assert details(CommandHarness(), create(*same)) == ["externalAttendees: at most 3 addresses of one mailbox"]


def test_platform_people_who_share_a_mailbox_are_never_a_reason() -> None:
    family = [contact(f"C-{number}", email="family@example.com") for number in range(5)]
    harness = CommandHarness(create(*family))
    harness.done(update(title="New"))
    assert details(harness, update(externals=[guest("family+1@example.com")])) == [
        "externalAttendees: at most 3 addresses of one mailbox"
    ]


# --- mails by time ----------------------------------------------------------------------------------------------------


class Callers:
    """Users and tenants with budgets."""

    def __init__(self, *, user: int = 10, tenant: int = 1_000) -> None:
        self.now = NOW
        self.budgets = MailBudgets(
            {
                (TENANT, HOST.user_id): MailBudget(TENANT, HOST.user_id, user),
                (TENANT, COLLEAGUE.user_id): MailBudget(TENANT, COLLEAGUE.user_id, user),
                (TENANT, None): MailBudget(TENANT, None, tenant),
            }
        )

    def decided(self, harness: CommandHarness, command: object) -> Reply:
        return execute_command(harness.uow, command, self.now, self.budgets)  # type: ignore[arg-type]

    def error(self, harness: CommandHarness, command: object) -> ReplyError:
        reply = self.decided(harness, command)
        assert reply.error is not None
        return reply.error

    def done(self, harness: CommandHarness, command: object) -> None:
        assert self.decided(harness, command).outcome is Outcome.OK


def test_who_has_caused_too_many_mails_is_refused_with_when_to_try_again() -> None:
    callers, harness = Callers(user=10), CommandHarness()
    callers.done(harness, create(*guests(6)))
    refused = callers.error(harness, update(title="New"))
    assert refused.code == ErrorCode.USER_MAIL_LIMIT.code
    assert refused.retry_after == 720  # two mails are missing, six minutes each
    assert refused.refusal.retry_after == 720
    assert harness.meeting.content.title == "Quarterly portfolio review"
    assert len(harness.events) == 1
    callers.now += timedelta(seconds=720)
    callers.done(harness, update(title="New"))


def test_a_limit_is_not_the_answer_for_ever_to_the_same_command() -> None:
    callers, harness = Callers(user=10), CommandHarness()
    callers.done(harness, create(*guests(6)))
    again = update(title="New", command_id="ONE")
    assert callers.error(harness, again).code == ErrorCode.USER_MAIL_LIMIT.code
    callers.now += timedelta(hours=1)
    callers.done(harness, again)


def test_a_repeat_costs_nothing() -> None:
    callers, harness, command = Callers(user=10), CommandHarness(), create(*guests(6))
    for _ in range(5):
        callers.done(harness, command)


def test_calling_off_and_what_guests_do_not_see_cost_nothing() -> None:
    callers, harness = Callers(user=10), CommandHarness()
    callers.done(harness, create(*guests(10)))
    callers.done(harness, update(internal_notes="New"))
    callers.done(harness, update(externals=guests(9)))
    callers.done(harness, cancel())


def test_resending_costs() -> None:
    callers, harness = Callers(user=15), CommandHarness()
    callers.done(harness, create(*guests(10)))
    resend = RequestInvitationResend(command_id=uuid7_hex(), fingerprint="", meeting_uuid=MEETING, actor=HOST)
    assert callers.error(harness, resend).code == ErrorCode.USER_MAIL_LIMIT.code


def test_more_than_the_whole_budget_is_possible_once() -> None:
    callers, harness = Callers(user=10), CommandHarness()
    callers.done(harness, create(*guests(20)))
    assert callers.error(harness, update(title="New")).retry_after == 3600


def test_a_tenant_is_limited_whichever_of_its_users_it_is_and_no_other_tenant() -> None:
    callers = Callers(user=10, tenant=10)
    callers.done(CommandHarness(), create(*guests(8)))
    assert callers.error(CommandHarness(), create(*guests(8), by=COLLEAGUE)).code == ErrorCode.TENANT_MAIL_LIMIT.code
    callers.done(CommandHarness(), create(*guests(8), by=STRANGER))


def test_a_client_has_a_budget_of_their_own() -> None:
    allowance = MailAllowance()
    assert allowance.of(CLIENT) < allowance.of(HOST) < allowance.per_tenant


# --- kept in the database ---------------------------------------------------------------------------------------------


@pytest.fixture
async def collection(mongodb_uri: str) -> AsyncIterator[Collection]:
    settings = Settings(internal_token=SecretStr("internal"), mongodb_uri=mongodb_uri, mongodb_database="mail_budgets")
    async with open_database(settings) as database:
        collection = database.collection(uuid7_hex())
        await collection.create_indexes(INDEXES)
        yield collection


def spent(budgets: MailBudgets, actor: Actor, mails: int) -> bool:
    reply = execute_command(CommandHarness().uow, create(*guests(mails), by=actor), datetime.now(UTC), budgets)
    return reply.outcome is Outcome.OK


@pytest.mark.integration
async def test_replicas_share_budgets_and_what_they_spend_at_the_same_time_adds_up(collection: Collection) -> None:
    allowance = MailAllowance(per_user=10, per_tenant=0)
    one, other = (MailBudgetRepository(collection, allowance) for _ in range(2))
    first, second = await one.load([HOST]), await other.load([HOST])
    assert spent(first, HOST, 4)
    assert spent(second, HOST, 4)
    await one.save(first)
    await other.save(second)
    assert not spent(await one.load([HOST]), HOST, 4)
    assert spent(await one.load([HOST]), HOST, 2)


@pytest.mark.integration
async def test_a_tenant_may_have_limits_of_its_own_and_refusals_are_counted(collection: Collection) -> None:
    budgets = MailBudgetRepository(collection, MailAllowance(), {TENANT: MailAllowance(per_user=0, per_tenant=10)})
    batch = await budgets.load([HOST, STRANGER])
    assert spent(batch, HOST, 10)
    assert not spent(batch, HOST, 1)
    assert spent(batch, STRANGER, 11)
    await budgets.save(batch)
    [document] = await collection.find({"_id": TENANT})
    assert (document["limit"], document["refused"], document["userId"]) == (10, 1, None)
    assert document["usedUpTo"] > document["refusedAt"] + timedelta(minutes=59)
