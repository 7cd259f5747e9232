"""Delivery events: how mailing the guests went. The invitations service writes them, meeting-core takes note."""

from pydantic import Field

from contracts.model import Contract
from contracts.transport.registry import message
from contracts.transport.topics import INVITATION_EVENTS
from contracts.values.enums import DeliveryFailureCode, MailKind
from contracts.values.times import Instant


class DeliveryEvent(Contract):
    """One mail to one guest. Those of a guest are in order; ``sequence`` tells repeats from news."""

    meeting_uuid: str
    participant_uuid: str
    kind: MailKind
    sequence: int = Field(description="the version of the meeting that asked for this mail")
    at: Instant = Field(description="when the mail server took it, or when it was given up")


@message("invitations.mail.delivered.v1", INVITATION_EVENTS)
class MailDelivered(DeliveryEvent):
    """The mail server has taken responsibility for the mail."""


@message("invitations.mail.failed.v1", INVITATION_EVENTS)
class MailFailed(DeliveryEvent):
    """The mail will not be sent: tried for too long, or refused for good."""

    failure_code: DeliveryFailureCode
    failure_reason: str = Field(description="one line for the host, often the mail server's own words")
