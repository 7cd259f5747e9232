"""The examples that the API's description shows: the models take them, so they cannot contradict it."""

import re
from typing import Any

from contracts.api.availability import AvailabilityView
from contracts.api.calendar import Authorization, CalendarSyncResult, ConnectionView
from contracts.api.history import HistoryEntryView, MeetingHistoryPage
from contracts.api.meetings import MeetingPage, MeetingSummary, MeetingView, ParticipantView, ResendInvitation
from contracts.model import Contract

from api_gateway.adapters.http.authorization import ConfirmationForm
from api_gateway.adapters.http.calendar import CalendarAccepted
from api_gateway.adapters.http.guests import RsvpForm
from api_gateway.adapters.http.responses import Accepted
from api_gateway.schemas.availability import AvailabilityBody
from api_gateway.schemas.bodies import CreateMeetingBody, RsvpBody, UpdateMeetingBody
from api_gateway.schemas.calendar import PreferencesBody
from api_gateway.schemas.search import SearchBody

_MEETING = "M019A16FF372A70B5A9307B00CE85E4DA"
_STAFF = "PS0199CA8F08C270B5A5B0DFD3B565B332"
_CONTACT = "C019B9D0FD0E5772F9E8ED189895D40C4"
_CREATE: dict[str, Any] = {
    "title": "Quarterly portfolio review",
    "startDateTime": "2026-06-15T15:00:00",
    "endDateTime": "2026-06-15T15:45:00",
    "timezone": "America/Santiago",
    "allDay": False,
    "locationType": "ONLINE",
    "locationDetail": "https://meet.google.com/abc-defg-hij",
    "description": "Review Q2 performance and rebalancing plan.",
    "internalNotes": "Bring the updated IPS draft.",
    "meetingProvider": "GOOGLE_MEET",
    "meetingLink": "https://meet.google.com/abc-defg-hij",
    "meetingPassword": None,
    "contactIds": [_CONTACT],
    "staffIds": [_STAFF],
    "externalAttendees": [
        {
            "name": "Jane Roe",
            "email": "jane.roe@example.com",
            "language": "ENGLISH",
            "countryCode": "+1",
            "phone": "5551234567",
        }
    ],
}
_PARTICIPANT: dict[str, Any] = {
    "participantUuid": "MP019A16FF372A70B5A9307B00CE85E4DA",
    "participantType": "EXTERNAL",
    "email": "jane.roe@example.com",
    "name": "Jane Roe",
    "language": "ENGLISH",
    "countryCode": "+1",
    "phone": "5551234567",
    "rsvpStatus": "ACCEPTED",
    "canResend": True,
}
_STATE: dict[str, Any] = {
    "meetingUuid": _MEETING,
    "status": "ACTIVE",
    "source": "INTERNAL",
    "hostUuid": "TS019C06688AA57248B9EA5325DBDFC48E",
    "hostName": "Ana Torres",
    "createdAt": "2026-05-04T13:05:11.482Z",
    "updatedAt": "2026-05-04T13:05:11.482Z",
    "durationMinutes": 45,
    "attendeeCount": 1,
    "canEdit": True,
    "canCancel": True,
    "canResend": True,
    "canRemoveFromCalendar": False,
    "externallyOrganized": False,
    "showExternalCalendarIcon": False,
    "externalSyncStatus": "NOT_APPLICABLE",
    "canRetrySync": False,
    "externalSyncFailureVisibleToViewer": True,
}
_PEOPLE: dict[str, Any] = {
    "tenantUuid": "T019A16FF372A70B5A9307B00CE85E4DA",
    "hostType": "TENANT_STAFF",
    "hostEmail": "adviser@example.com",
    "createdByUuid": "TS019C06688AA57248B9EA5325DBDFC48E",
    "createdByType": "TENANT_STAFF",
    "participants": [_PARTICIPANT],
}
PATH_EXAMPLES: dict[str, str] = {
    "{meetingUuid}": _MEETING,
    "{participantUuid}": _PARTICIPANT["participantUuid"],
    "{provider}": "google",
}
_WINDOW = {key: _CREATE[key] for key in ("startDateTime", "endDateTime", "timezone")}
_HISTORY = {
    "version": 2,
    "at": "2026-05-05T09:12:40.117Z",
    "eventType": "meetings.meeting.updated.v1",
    "eventId": "019A16FF372A70B5A9307B00CE85E4DA",
    "actor": {"id": "TS019C06688AA57248B9EA5325DBDFC48E", "type": "TENANT_STAFF", "way": "GATEWAY"},
    "changes": [{"field": "title", "old": "Quarterly portfolio review", "new": "Portfolio review and plan"}],
    "previousHash": "5d1f0f3f1d4f2c37a1f8a7a9c0bd4f4b1c8d5b1f6f0f4c6e0a7a9d3b2c1e0f9a",
    "hash": "9b74c9897bac770ffc029102a200c5de1f2d3c4b5a69788796a5b4c3d2e1f001",
}
_ENTRY = HistoryEntryView.model_validate(_HISTORY)
_SUMMARY = MeetingSummary.model_validate(_CREATE | _STATE)

_CONNECTION = {
    "provider": "GOOGLE",
    "status": "CONNECTED",
    "calendarEmail": "adviser@example.com",
    "connectedAt": "2026-05-04T12:00:00.000Z",
    "lastSyncedAt": "2026-05-04T13:05:00.000Z",
}
_SEARCH = {
    "filters": [
        {"field": "startDateTime", "operator": "RANGE", "min": "2026-06-01T00:00:00", "max": "2026-06-30T23:59:59"},
        {"field": "participants.email", "operator": "ENDS_WITH", "value": "@example.com"},
    ],
    "sort": ["startDateTime,desc"],
    "page": 0,
    "size": 20,
}

REQUESTS: dict[type[Contract], dict[str, Any]] = {
    CreateMeetingBody: _CREATE,
    UpdateMeetingBody: {"title": "Portfolio review and plan", "meetingPassword": ""},
    RsvpBody: {"status": "ACCEPTED"},
    RsvpForm: {"status": "ACCEPTED"},
    ConfirmationForm: {"token": "hQ2yKXl0Yx0fJ1nq0mJ7Fv3dC8oXW3lq5o8Z8k1b7aE", "answer": "yes"},
    AvailabilityBody: {"userUuids": [_STAFF], **_WINDOW},
    SearchBody: _SEARCH,
    PreferencesBody: {"action": "REMIND_LATER"},
}
"""What callers send, as they send it; what an example leaves out may be left out."""

ANSWERS: tuple[Contract, ...] = (
    MeetingView.model_validate(_CREATE | _STATE | _PEOPLE),
    _SUMMARY,
    MeetingPage(content=[_SUMMARY], page=0, size=20, total_elements=1, total_pages=1),
    _ENTRY,
    MeetingHistoryPage(content=[_ENTRY], page=0, size=20, total_elements=2, total_pages=1),
    ParticipantView.model_validate(_PARTICIPANT),
    ResendInvitation.model_validate(
        {"email": "jane.roe@example.com", "lastInvitationResentAt": "2026-06-10T08:30:00.000Z"}
    ),
    AvailabilityView.model_validate({"availabilities": [{"userUuid": _STAFF, "status": "AVAILABLE"}]}),
    Accepted(meeting_uuid=_MEETING),
    Authorization.model_validate({"authorizationUrl": "https://accounts.google.com/o/oauth2/v2/auth?client_id=…"}),
    ConnectionView.model_validate(_CONNECTION),
    CalendarSyncResult.model_validate({"status": "COMPLETED", "imported": 2, "updated": 1, "removed": 0}),
    CalendarAccepted(),
)
"""What callers are answered, every field of it."""


def examples() -> dict[str, dict[str, Any]]:
    """The example of each model, by the name that its schema has in the description."""
    for model, said in REQUESTS.items():
        model.model_validate(said)
    sent = {_schema_name(model): said for model, said in REQUESTS.items()}
    return sent | {_schema_name(type(example)): example.model_dump(mode="json") for example in ANSWERS}


def _schema_name(model: type[Contract]) -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", model.__name__)
