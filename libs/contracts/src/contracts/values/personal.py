"""Which fields hold personal data, and of which kind (GDPR article 4).

A field of a message, of the API or of a stored document has one of these types, or its name is in ``NEUTRAL``.
``docs/generated/personal-data.md`` lists them by place; a test refuses a text that is neither.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated


class DataKind(StrEnum):
    """What a field may say about a person."""

    IDENTIFIER = "identifier"
    """The platform's or a provider's id of a person, or of a person's account: a pseudonym (article 4(5))."""
    NAME = "name"
    ADDRESS = "mail address"
    PHONE = "telephone number"
    CONTENT = "written text"
    """What people write. It may say anything about anybody."""
    CREDENTIAL = "credential"
    """It opens something: a token, a key, a meeting's password. Stored only encrypted or hashed, unless it says so."""


@dataclass(frozen=True, slots=True)
class Personal:
    """Marks a field as personal data."""

    kind: DataKind


PersonId = Annotated[str, Personal(DataKind.IDENTIFIER)]
PersonName = Annotated[str, Personal(DataKind.NAME)]
MailAddress = Annotated[str, Personal(DataKind.ADDRESS)]
PhoneNumber = Annotated[str, Personal(DataKind.PHONE)]
WrittenText = Annotated[str, Personal(DataKind.CONTENT)]
Credential = Annotated[str, Personal(DataKind.CREDENTIAL)]

# fmt: off
NEUTRAL = frozenset(
    {
        "base_fingerprint", "change_id", "changed", "channel_id", "code", "command_id", "correlation_id",
        "details", "digest", "error", "etag", "event_id", "event_type", "events", "field", "fields", "fingerprint",
        "firm", "first_message_id", "hash", "last_error_reason", "last_proposal_id", "last_recheck_id",
        "meeting_provider", "meeting_uuid", "message", "message_id", "previous_hash", "reason", "recheck_id",
        "rechecks", "remote_id", "reply_id", "request_id", "salt", "scopes", "series_id", "tenant_uuid", "timezone",
        "token", "traceparent", "zone",
    }
)
# fmt: on
"""Names of fields whose text says nothing about a person."""
