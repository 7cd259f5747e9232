"""The Meetings API for Python services: `MeetingsClient` calls it, `Subscriber` follows its events."""

from meetings_client.bodies import ExternalAttendee, MeetingUpdate, NewMeeting
from meetings_client.calendar import CalendarClient
from meetings_client.caller import Caller
from meetings_client.client import MeetingsClient, VersionedMeeting
from meetings_client.errors import (
    ApiError,
    AuthenticationError,
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    MeetingsError,
    NotFoundError,
    OutcomeUnknownError,
    PreconditionFailedError,
    TooManyRequestsError,
    UnavailableError,
)
from meetings_client.inbox import Inbox, SqliteInbox
from meetings_client.retry import RetryPolicy
from meetings_client.subscriber import MeetingMessage, Snapshot, Subscriber

__all__ = [
    "ApiError",
    "AuthenticationError",
    "CalendarClient",
    "Caller",
    "ConflictError",
    "ExternalAttendee",
    "ForbiddenError",
    "Inbox",
    "InvalidRequestError",
    "MeetingMessage",
    "MeetingUpdate",
    "MeetingsClient",
    "MeetingsError",
    "NewMeeting",
    "NotFoundError",
    "OutcomeUnknownError",
    "PreconditionFailedError",
    "RetryPolicy",
    "Snapshot",
    "SqliteInbox",
    "Subscriber",
    "TooManyRequestsError",
    "UnavailableError",
    "VersionedMeeting",
]
