"""Passwords of meetings are asked of meeting-core, for each version once, and only where there is one."""

from typing import Any, cast

import pytest
from chassis.http.internal_queries import QueryClient, QueryUnavailableError
from chassis.http.meeting_passwords import MeetingPasswords
from contracts.api.errors import ApiError, ErrorCode
from contracts.api.meetings import MeetingPassword
from contracts.api.queries import GetMeetingPassword
from contracts.messages.replies import Outcome, Reply, ReplyError
from invitations.adapters.passwords import GuestPasswords
from invitations.application.mail_sender import DeferredError
from invitations.domain.guest import Guest

from tests.support.commands import create, update
from tests.support.guests import JANE, Guestbook, jane


class StandInCore:
    """Answers with the newest password, and counts how often it is asked."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.asked: list[GetMeetingPassword] = []
        self.error: Exception | None = None

    async def ask(self, query: Any) -> Reply:
        self.asked.append(query)
        if isinstance(self.error, ApiError):
            return Reply(outcome=Outcome.REJECTED, error=ReplyError.of(self.error))
        if self.error is not None:
            raise self.error
        return Reply(outcome=Outcome.OK, data=MeetingPassword(meeting_password=self.password))


def guests_of(*versions: str) -> tuple[Guest, ...]:
    """Jane after each of these passwords."""
    book = Guestbook(create(jane(), meeting_password=versions[0]))
    known = [book.of(JANE)]
    for version in versions[1:]:
        book.hear(update(meeting_password=version))
        known.append(book.of(JANE))
    return tuple(known)


@pytest.fixture
def core() -> StandInCore:
    return StandInCore("one")


@pytest.fixture
def client(core: StandInCore) -> GuestPasswords:
    return GuestPasswords(MeetingPasswords(cast("QueryClient", core)))


async def test_the_guests_of_a_meeting_cost_one_question_and_a_new_password_another(
    core: StandInCore, client: GuestPasswords
) -> None:
    before, after = guests_of("one", "two")
    assert [await client.password_of(before) for _ in range(3)] == ["one"] * 3
    core.password = "two"
    assert await client.password_of(after) == "two"
    assert [(query.tenant_uuid, query.meeting_uuid) for query in core.asked] == [
        (before.tenant_uuid, before.meeting_uuid)
    ] * 2


async def test_a_meeting_without_a_password_costs_no_question(core: StandInCore, client: GuestPasswords) -> None:
    [guest] = guests_of("")
    assert await client.password_of(guest.model_copy(update={"meeting": _without_password(guest)})) is None
    assert core.asked == []


@pytest.mark.parametrize("error", [QueryUnavailableError("away"), ApiError(ErrorCode.MEETING_NOT_FOUND)])
async def test_without_an_answer_the_mail_waits_and_the_next_attempt_asks_again(
    core: StandInCore, client: GuestPasswords, error: Exception
) -> None:
    [guest] = guests_of("one")
    core.error = error
    with pytest.raises(DeferredError):
        await client.password_of(guest)
    core.error = None
    assert await client.password_of(guest) == "one"


def _without_password(guest: Guest) -> Any:
    return guest.meeting.model_copy(update={"has_meeting_password": False})
