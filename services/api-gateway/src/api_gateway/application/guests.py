"""What guests can do: answer by the link they were mailed. They have no account; the link is their proof."""

from dataclasses import dataclass

from chassis.http.internal_queries import QueryClient
from chassis.http.rate_limit import RateLimiter
from chassis.kafka.command_client import CommandClient
from chassis.telemetry.context import Context, current_context, use_context
from contracts.api.errors import ApiError, ErrorCode
from contracts.api.meetings import Invitation
from contracts.api.queries import GetInvitation
from contracts.messages.meeting_commands import AnswerInvitation
from contracts.messages.replies import Reply, ReplyError
from contracts.rsvp_tokens import RsvpKeys, RsvpTokenError, verify
from contracts.values.enums import RsvpStatus
from contracts.values.times import utc_now

from api_gateway.application.requests import CommandOutcome, RequestPreconditions

_GONE = frozenset({ErrorCode.MEETING_NOT_FOUND.code, ErrorCode.PARTICIPANT_NOT_FOUND.code})


@dataclass(frozen=True, slots=True)
class Guest:
    """Who answers by a link. ``tenant_uuid`` is what their token proves; without a token it proves none."""

    meeting_uuid: str
    participant_uuid: str
    tenant_uuid: str | None = None


class Guests:
    """Admits guests by their links, shows them their invitation, and writes down their answers."""

    def __init__(
        self, commands: CommandClient, core: QueryClient, keys: RsvpKeys, *, token_required: bool, limiter: RateLimiter
    ) -> None:
        self._commands = commands
        self._core = core
        self._keys = keys
        self._token_required = token_required
        self._limiter = limiter

    def authenticate(self, meeting_uuid: str, participant_uuid: str, token: str | None) -> Guest:
        """The guest whose link this is.

        Raises:
            ApiError: 403 for a token that does not hold, whatever is wrong with it, or for none where one is required;
                429 for too many requests with one guest's link. Requests without a token are counted apart: they may be
                anybody's, and do not use up what the guest may ask.
        """
        tenant = (
            None if token is None and not self._token_required else self._tenant(meeting_uuid, participant_uuid, token)
        )
        self._limiter.hit((meeting_uuid, participant_uuid, tenant is not None))
        return Guest(meeting_uuid, participant_uuid, tenant)

    async def invitation(self, guest: Guest) -> Invitation:
        """What the guest is asked.

        Raises:
            ApiError: there is no such invitation, or not any longer.
        """
        query = GetInvitation(
            meeting_uuid=guest.meeting_uuid, participant_uuid=guest.participant_uuid, tenant_uuid=guest.tenant_uuid
        )
        reply = _mask_missing_participant(guest, await self._core.ask(query))
        if reply.error is not None:
            raise reply.error.refusal
        return Invitation.model_validate(reply.data)

    async def answer(self, guest: Guest, status: RsvpStatus, preconditions: RequestPreconditions) -> CommandOutcome:
        """Accept or decline."""
        command = AnswerInvitation(
            command_id=preconditions.command_id("guest", guest.meeting_uuid, guest.participant_uuid),
            fingerprint=status,
            meeting_uuid=guest.meeting_uuid,
            expected_versions=preconditions.expected_versions,
            participant_uuid=guest.participant_uuid,
            tenant_uuid=guest.tenant_uuid,
            status=status,
        )
        with use_context(Context(current_context().correlation_id, tenant=guest.tenant_uuid or "")):
            reply = await self._commands.request(command, key=guest.meeting_uuid)
        return CommandOutcome(guest.meeting_uuid, None if reply is None else _mask_missing_participant(guest, reply))

    def _tenant(self, meeting_uuid: str, participant_uuid: str, token: str | None) -> str:
        try:
            return verify(
                token or "", self._keys, meeting_uuid=meeting_uuid, participant_uuid=participant_uuid, now=utc_now()
            )
        except RsvpTokenError:
            raise ApiError(ErrorCode.RSVP_TOKEN_INVALID) from None


def _mask_missing_participant(guest: Guest, reply: Reply) -> Reply:
    """The reply as this guest may read it: a token whose participant is gone is as void as any other."""
    if guest.tenant_uuid is None or reply.error is None or reply.error.code not in _GONE:
        return reply
    return reply.model_copy(update={"error": ReplyError.of(ApiError(ErrorCode.RSVP_TOKEN_INVALID))})
