"""The vocabularies of the platform. The values are fixed by the outer contract; only an ``OpenEnum`` may grow."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, GetJsonSchemaHandler

OPEN_ENUM = "x-open-enum"
"""What a JSON Schema says of a vocabulary that may grow."""


class OpenEnum(StrEnum):
    """A vocabulary that may grow: a value that this version does not know is read as ``UNKNOWN``, if there is one."""

    @classmethod
    def _missing_(cls, value: object) -> "OpenEnum | None":
        return cls.__members__.get("UNKNOWN") if isinstance(value, str) else None

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core_schema)
        handler.resolve_ref_schema(schema)[OPEN_ENUM] = True
        return schema


class UserType(StrEnum):
    """Who a caller is. ``CONTACT``, an older name the platform still sends, is read as ``CLIENT``."""

    TENANT_STAFF = "TENANT_STAFF"
    PARTNER_STAFF = "PARTNER_STAFF"
    CLIENT = "CLIENT"

    @classmethod
    def _missing_(cls, value: object) -> "UserType | None":
        return cls.CLIENT if value == "CONTACT" else None


class ParticipantType(StrEnum):
    CONTACT = "CONTACT"
    TENANT_STAFF = "TENANT_STAFF"
    PARTNER_STAFF = "PARTNER_STAFF"
    EXTERNAL = "EXTERNAL"


class RsvpStatus(StrEnum):
    UNKNOWN = "UNKNOWN"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"


class ActorType(OpenEnum):
    """Who changed a meeting."""

    TENANT_STAFF = "TENANT_STAFF"
    PARTNER_STAFF = "PARTNER_STAFF"
    CLIENT = "CLIENT"
    GUEST = "GUEST"  # an external guest, who has no account
    PROVIDER = "PROVIDER"  # somebody in an external calendar: providers do not say who
    SYSTEM = "SYSTEM"  # a service of the platform
    UNKNOWN = "UNKNOWN"


class Way(OpenEnum):
    """By which way a change came, which says how far it is proved who made it."""

    GATEWAY = "GATEWAY"  # a request with an access token
    MAIL_LINK = "MAIL_LINK"  # the link of a mail, with its token
    UNSIGNED_LINK = "UNSIGNED_LINK"  # a link without a token: anybody who knows the two ids
    MAIL_REPLY = "MAIL_REPLY"  # a mail or calendar program replied to our mail
    PROVIDER = "PROVIDER"  # a connected external calendar
    SYSTEM = "SYSTEM"  # a service of the platform, by itself
    UNKNOWN = "UNKNOWN"


class LocationType(StrEnum):
    ONLINE = "ONLINE"
    IN_PERSON = "IN_PERSON"


class MeetingStatus(StrEnum):
    ACTIVE = "ACTIVE"
    CANCELED = "CANCELED"


class MeetingSource(StrEnum):
    """Where a meeting was made."""

    INTERNAL = "INTERNAL"
    GOOGLE = "GOOGLE"
    OUTLOOK = "OUTLOOK"


class Language(OpenEnum):
    """What guests are spoken to in. Callers must name one of these; ``GuestLanguage`` reads messages of newer peers."""

    ENGLISH = "ENGLISH"
    SPANISH = "SPANISH"


def _known_language(value: object) -> object:
    return None if isinstance(value, str) and value not in Language.__members__ else value


GuestLanguage = Annotated[Language | None, BeforeValidator(_known_language)]
"""A guest's language in a message: None when it is not known, or not known to this version."""


class CalendarProvider(StrEnum):
    GOOGLE = "GOOGLE"
    OUTLOOK = "OUTLOOK"


class ExternalSyncStatus(StrEnum):
    """The sync status of a meeting's event in the host's connected calendar."""

    NOT_APPLICABLE = "NOT_APPLICABLE"
    PENDING = "PENDING"
    SYNCED = "SYNCED"
    FAILED = "FAILED"


class SyncOperation(StrEnum):
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


class SyncFailureCode(OpenEnum):
    TOKEN_REVOKED = "TOKEN_REVOKED"  # noqa: S105 a failure's name
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RATE_LIMITED = "RATE_LIMITED"
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    CALENDAR_NOT_FOUND = "CALENDAR_NOT_FOUND"
    EVENT_CONFLICT = "EVENT_CONFLICT"
    INVALID_REQUEST = "INVALID_REQUEST"
    UNKNOWN = "UNKNOWN"


class AvailabilityStatus(StrEnum):
    AVAILABLE = "AVAILABLE"
    BUSY = "BUSY"
    UNKNOWN = "UNKNOWN"


class ConnectionStatus(StrEnum):
    """``NONE`` = never connected."""

    CONNECTED = "CONNECTED"
    DISCONNECTED = "DISCONNECTED"
    NONE = "NONE"


class FirstTimeModalPreference(StrEnum):
    SHOW_ALWAYS = "SHOW_ALWAYS"
    DONT_SHOW = "DONT_SHOW"
    REMIND_LATER = "REMIND_LATER"


class MailKind(StrEnum):
    """What a mail to a guest is about."""

    INVITATION = "INVITATION"
    UPDATE = "UPDATE"
    REMINDER = "REMINDER"  # the invitation again, because the host asked for it
    CANCELLATION = "CANCELLATION"  # of the meeting, or of this guest's part in it


class DeliveryFailureCode(StrEnum):
    """Why a guest could not be mailed."""

    ADDRESS_REJECTED = "ADDRESS_REJECTED"
    MAIL_REJECTED = "MAIL_REJECTED"
    UNREACHABLE = "UNREACHABLE"


class NotificationKind(StrEnum):
    """What a provider's notification is about.

    ``CHANGED`` something is new; ``RENEW`` the channel wants renewing; ``REMOVED`` it is gone; ``MISSED`` were lost.
    """

    CHANGED = "CHANGED"
    RENEW = "RENEW"
    REMOVED = "REMOVED"
    MISSED = "MISSED"
