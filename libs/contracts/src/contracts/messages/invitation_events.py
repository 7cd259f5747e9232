"""How mailing the guests went, and what they replied by mail. invitations writes them, meeting-core reads them."""

from pydantic import Field

from contracts.model import Contract
from contracts.transport.registry import message
from contracts.transport.topics import INVITATION_EVENTS
from contracts.values.enums import DeliveryFailureCode, MailKind, RsvpStatus
from contracts.values.personal import PersonId, WrittenText
from contracts.values.times import Instant


class DeliveryEvent(Contract):
    """One mail to one guest. Those of a guest are in order; a repeat has the same ``sequence``."""

    meeting_uuid: str
    participant_uuid: PersonId
    kind: MailKind
    sequence: int = Field(description="the version of the meeting that asked for this mail")
    at: Instant = Field(description="when the mail server took it, or when it was given up")


@message("invitations.mail.delivered.v1", INVITATION_EVENTS)
class MailDelivered(DeliveryEvent):
    """The mail server has taken responsibility for the mail."""


@message("invitations.mail.failed.v1", INVITATION_EVENTS)
class MailFailed(DeliveryEvent):
    """The mail did not reach the guest: refused, tried for too long, or returned after it was delivered."""

    failure_code: DeliveryFailureCode
    failure_reason: WrittenText = Field(description="one line for the host, often the mail server's own words")


class MailReply(Contract):
    """What a guest's mail program replied. That it was the guest is proved (docs/decisions/0030)."""

    tenant_uuid: str
    meeting_uuid: str
    participant_uuid: PersonId
    reply_id: str = Field(description="the same for every copy of this reply")
    ical_sequence: int | None = Field(description="SEQUENCE of the version they reply to, if their program says so")
    replied_at: Instant = Field(description="by the guest's own clock, but never later than it was received")


@message("invitations.guest.replied.v1", INVITATION_EVENTS)
class GuestReplied(MailReply):
    """A guest answered: an iTIP REPLY (RFC 5546 section 3.2.3)."""

    rsvp_status: RsvpStatus = Field(description="UNKNOWN for a tentative answer")
    tentative: bool = False


@message("invitations.guest.proposed-new-time.v1", INVITATION_EVENTS)
class GuestProposedNewTime(MailReply):
    """A guest proposed another time: an iTIP COUNTER (RFC 5546 section 3.2.7). Their answer stays."""

    starts_at: Instant
    ends_at: Instant
    comment: WrittenText | None = Field(default=None, description="in the guest's words")
