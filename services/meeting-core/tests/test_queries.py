"""What other services and the holders of links may ask about one meeting."""

import pytest
from contracts.api.errors import ApiError, ErrorCode
from contracts.api.meetings import Invitation, MeetingPassword
from contracts.api.queries import GetInvitation, GetMeetingPassword
from meeting_core.application.queries import Queries
from meeting_core.domain.meeting import Meeting

from tests.support.commands import MEETING, TENANT, CommandHarness, contact, create

PASSWORD = "open sesame"


class OneMeeting:
    """Reads the one meeting of a harness."""

    def __init__(self, harness: CommandHarness) -> None:
        self._meeting = harness.meeting

    async def find(self, tenant: str, meeting_uuid: str) -> Meeting | None:
        return await self.find_anywhere(meeting_uuid) if tenant == TENANT else None

    async def find_anywhere(self, meeting_uuid: str) -> Meeting | None:
        return self._meeting if meeting_uuid == MEETING else None


@pytest.fixture
def harness() -> CommandHarness:
    return CommandHarness(create(contact(), meeting_password=PASSWORD, meeting_link="https://meet.example.com/x"))


async def password(harness: CommandHarness, tenant: str = TENANT) -> MeetingPassword:
    reply = await Queries(OneMeeting(harness)).get_meeting_password(
        GetMeetingPassword(tenant_uuid=tenant, meeting_uuid=MEETING)
    )
    return MeetingPassword.model_validate(reply.data)


async def test_services_are_answered_the_password_of_a_meeting(harness: CommandHarness) -> None:
    assert (await password(harness)).meeting_password == PASSWORD
    assert harness.meeting.state().has_meeting_password


async def test_the_password_of_another_tenants_meeting_is_not_found(harness: CommandHarness) -> None:
    with pytest.raises(ApiError) as refusal:
        await password(harness, tenant="T-OTHER")
    assert refusal.value.code is ErrorCode.MEETING_NOT_FOUND


@pytest.mark.parametrize("tenant", [TENANT, None])
async def test_only_a_link_with_a_token_shows_how_to_join(harness: CommandHarness, tenant: str | None) -> None:
    participant = harness.meeting.participants[0].participant_uuid
    query = GetInvitation(meeting_uuid=MEETING, participant_uuid=participant, tenant_uuid=tenant)
    shown = Invitation.model_validate((await Queries(OneMeeting(harness)).get_invitation(query)).data)
    joining = (PASSWORD, "https://meet.example.com/x") if tenant else (None, None)
    assert (shown.meeting_password, shown.meeting_link) == joining
    assert shown.participant_name == harness.meeting.participants[0].name
