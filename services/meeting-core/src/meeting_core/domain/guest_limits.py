"""Whom a caller may invite to one meeting. Pure."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from contracts.api.errors import ApiError, ErrorCode
from contracts.values.enums import ParticipantType, UserType
from contracts.values.mailboxes import mailbox_of
from contracts.values.meeting import ParticipantState


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestLimits:
    """Keeps meetings from being used to mail strangers in the firm's name. 0 means no limit."""

    externals_of_client: int = 5
    """External guests in a meeting to which a CLIENT invites some."""
    addresses_per_mailbox: int = 3
    """Addresses that lead to one mailbox, in one meeting."""

    def check(self, caller: UserType, participants: Sequence[ParticipantState], added: Collection[str]) -> None:
        """Check the participants after a change that adds those with the ids ``added``.

        Raises:
            ApiError: 400, the caller may not invite these externals. Who was there before is never a reason.
        """
        externals = [person for person in participants if person.participant_type is ParticipantType.EXTERNAL]
        new = [person for person in externals if person.participant_uuid in added]
        if new and caller is UserType.CLIENT and 0 < self.externals_of_client < len(externals):
            raise _refused(f"at most {self.externals_of_client} for a CLIENT")
        mailboxes = Counter(mailbox_of(person.email) for person in participants if person.email)
        most = max((mailboxes[mailbox_of(person.email)] for person in new if person.email), default=0)
        if 0 < self.addresses_per_mailbox < most:
            raise _refused(f"at most {self.addresses_per_mailbox} addresses of one mailbox")


def _refused(reason: str) -> ApiError:
    return ApiError(ErrorCode.VALIDATION_FAILED, details=[f"externalAttendees: {reason}"])
