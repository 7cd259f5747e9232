"""Creates, lists and updates a meeting with the client that openapi-python-client generates."""

import json
import os
import uuid

import httpx
from meetings_api import AuthenticatedClient
from meetings_api.api.meetings import create_meeting, get_meeting, list_meetings, update_meeting
from meetings_api.models import (
    CreateMeetingBody,
    ErrorBody,
    ExternalAttendee,
    Language,
    LocationType,
    MeetingPage,
    MeetingView,
    UpdateMeetingBody,
)

run = json.loads(os.environ["RUN"])
api = AuthenticatedClient(
    base_url=run["gateway"], token=run["token"], headers=run["headers"], timeout=httpx.Timeout(30)
)

body = CreateMeetingBody(
    title=run["title"],
    start_date_time="2031-06-16T15:00:00",
    end_date_time="2031-06-16T15:45:00",
    timezone="America/Santiago",
    location_type=LocationType.ONLINE,
    external_attendees=[ExternalAttendee(email="jane.roe@example.com", name="Jane Roe", language=Language.ENGLISH)],
)
created = create_meeting.sync(client=api, body=body, idempotency_key=str(uuid.uuid4()))
assert isinstance(created, MeetingView), created

listed = list_meetings.sync(client=api, page=0, size=100)
assert isinstance(listed, MeetingPage), listed
assert created.meeting_uuid in [summary.meeting_uuid for summary in listed.content]

read = get_meeting.sync_detailed(created.meeting_uuid, client=api)
updated = update_meeting.sync(
    created.meeting_uuid,
    client=api,
    body=UpdateMeetingBody(title=f"{run['title']}, renamed", meeting_password=""),
    if_match=read.headers["ETag"],
)
assert isinstance(updated, MeetingView), updated

stale = update_meeting.sync(created.meeting_uuid, client=api, body=UpdateMeetingBody(title="too late"), if_match='"1"')
assert isinstance(stale, ErrorBody), stale
assert stale.error_code == "BE0430"

print(json.dumps({"meetingUuid": updated.meeting_uuid, "title": updated.title}))
