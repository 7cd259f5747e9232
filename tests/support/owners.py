"""The owners of the simulated calendars, at their own screens: what they make, change and delete there."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from calendar_sync.providers.event_content import EventContent
from calendar_sync.providers.google import writer as google_calendar
from calendar_sync.providers.microsoft import writer as microsoft_calendar

from tests.support.editors import Editor
from tests.support.outside import Json, Outside

LENGTH = timedelta(hours=1)
_TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
"""One day for the whole run: a test that passes midnight still means the same days."""


def in_days(days: float, *, hour: int = 10) -> datetime:
    """That hour, in UTC, so many days from the one on which the tests began."""
    return _TODAY + timedelta(days=days, hours=hour)


@dataclass(frozen=True)
class Owner:
    """Who owns the calendar of this address. Times are in UTC; events last an hour, all-day ones a day."""

    outside: Outside
    email: str

    def makes(self, title: str, at: datetime, *, all_day: bool = False, place: str = "", **more: Any) -> str:
        """A new event; ``more`` is the provider's own. Gives its id."""
        fields = self._fields(title, at, all_day=all_day, place=place) | more
        body = fields if self._is_google else {"event": fields}
        made: Json = self._control("POST", "events", body)
        return str(made["id"] if self._is_google else made["immutableId"])

    def makes_private(self, title: str, at: datetime) -> str:
        return self.makes(title, at, **({"visibility": "private"} if self._is_google else {"sensitivity": "private"}))

    def makes_free(self, title: str, at: datetime) -> str:
        return self.makes(title, at, **({"transparency": "transparent"} if self._is_google else {"showAs": "free"}))

    def makes_daily(self, title: str, at: datetime, times: int) -> str:
        """A new series of so many instances."""
        if self._is_google:
            return self.makes(title, at, recurrence=[f"RRULE:FREQ=DAILY;COUNT={times}"])
        span = {"type": "numbered", "startDate": f"{at:%Y-%m-%d}", "numberOfOccurrences": times}
        return self.makes(title, at, recurrence={"pattern": {"type": "daily", "interval": 1}, "range": span})

    def invites(self, title: str, at: datetime, guests: Sequence[str]) -> str:
        """A new event with guests; those of the same provider find it in their calendars."""
        if self._is_google:
            return self.makes(title, at, attendees=[{"email": one} for one in guests])
        return self.makes(
            title, at, attendees=[{"type": "required", "emailAddress": {"address": one}} for one in guests]
        )

    def is_invited(self, meeting: Json, at: datetime) -> str:
        """The platform's mail invites the owner to its meeting, and the calendar shows it. Gives the event's id."""
        title, uid, host = str(meeting["title"]), f"{meeting['meetingUuid']}@meetings.example.com", "host@example.com"
        if self._is_google:
            event_id = self.makes(title, at, iCalUID=uid, attendees=[{"email": self.email}])
            self._control("PATCH", f"events/{event_id}/stored", {"organizer": {"email": host}})
            return event_id
        guest = {"type": "required", "emailAddress": {"address": self.email}}
        fields = self._fields(title, at, all_day=False, place="") | {"attendees": [guest]}
        made: Json = self._control("POST", "events", {"event": fields, "organizer": host, "icalUid": uid})
        return str(made["immutableId"])

    def declines(self, event_id: str) -> None:
        """Google shows what is declined; Outlook takes it out of the calendar."""
        if self._is_google:
            self._change(event_id, {"attendees": [{"email": self.email, "responseStatus": "declined"}]})
        else:
            self.deletes(event_id)

    def renames(self, event_id: str, title: str) -> None:
        self._change(event_id, {self._title: title})

    def moves(self, event_id: str, at: datetime) -> None:
        self._change(event_id, self._times(at, all_day=False))

    def places(self, event_id: str, place: str) -> None:
        self._change(event_id, {"location": place if self._is_google else {"displayName": place}})

    def describes(self, event_id: str, text: str) -> None:
        self._change(
            event_id, {"description": text} if self._is_google else {"body": {"contentType": "text", "content": text}}
        )

    def retouches(self, event_id: str, editor: Editor, typed: str) -> None:
        """Write a line above the description, in an editor that stores all of it as HTML."""
        text = f"{typed}\n\n{self._content(event_id).description}"
        stored = editor(text)
        self._change(
            event_id,
            {"description": stored} if self._is_google else {"body": {"contentType": "html", "content": stored}},
        )

    def saves_on_page(self, event_id: str, action: str, **fields: str) -> None:
        """Press a button of the provider's own calendar page, which saves the whole event."""
        form = {"action": action, "calendar_id": self.email, **fields}
        page = f"/accounts/{self.email}/events/{event_id}"
        answer = self.outside.simulator.browser.post(page, data=form, headers={"Origin": self.outside.simulator.url})
        assert answer.status_code == 303, answer.text

    def stored(self) -> str:
        """All that the calendar holds, as JSON."""
        return json.dumps(self._control("GET", "events"), ensure_ascii=False)

    def deletes(self, event_id: str) -> None:
        self._control("DELETE", f"events/{event_id}")

    def copy_of(self, meeting: Json) -> str:
        """The id of the event that is the copy of a meeting."""
        (found,) = [
            event_id
            for event in self._control("GET", "events")
            if (event_id := self._id_of_copy(event, meeting["meetingUuid"])) is not None
        ]
        return found

    def reads(self) -> int:
        """How often the calendar was read so far: requests for a page of changes."""
        operations = ("events.list", "calendarView.delta")
        return sum(
            one["count"]
            for one in self.outside.simulator.control("GET", "requests")
            if one["account"] == self.email and one["operation"] in operations
        )

    @property
    def _is_google(self) -> bool:
        return self.outside.name == "google"

    @property
    def _title(self) -> str:
        return "summary" if self._is_google else "subject"

    def _fields(self, title: str, at: datetime, *, all_day: bool, place: str) -> Json:
        where: Json = {"location": place if self._is_google else {"displayName": place}} if place else {}
        return {self._title: title} | self._times(at, all_day=all_day) | where

    def _times(self, at: datetime, *, all_day: bool) -> Json:
        if not all_day:
            return {"start": self._moment(at), "end": self._moment(at + LENGTH)}
        first, after = at.date(), at.date() + timedelta(days=1)
        if self._is_google:
            return {"start": {"date": first.isoformat()}, "end": {"date": after.isoformat()}}
        midnights = [{"dateTime": f"{day}T00:00:00", "timeZone": "UTC"} for day in (first, after)]
        return {"isAllDay": True, "start": midnights[0], "end": midnights[1]}

    def _moment(self, at: datetime) -> Json:
        return {"dateTime": f"{at:%Y-%m-%dT%H:%M:%S}" + ("Z" if self._is_google else ""), "timeZone": "UTC"}

    def _content(self, event_id: str) -> EventContent:
        (event,) = [one for one in self._control("GET", "events") if self._event_id(one) == event_id]
        return (
            google_calendar.read_content(event["resource"])
            if self._is_google
            else microsoft_calendar.read_content(event)
        )

    def _event_id(self, event: Json) -> str:
        return str(event["resource"]["id"] if self._is_google else event["immutableId"])

    def _change(self, event_id: str, fields: Json) -> None:
        self._control("PATCH", f"events/{event_id}", fields)

    def _control(self, verb: str, path: str, body: Any = None) -> Any:
        return self.outside.simulator.control(verb, f"accounts/{self.email}/{path}", body)

    def _id_of_copy(self, event: Json, meeting_uuid: str) -> str | None:
        if self._is_google:
            resource = event["resource"]
            private = resource.get("extendedProperties", {}).get("private", {})
            is_it = resource["status"] != "cancelled" and private.get(google_calendar.MEETING) == meeting_uuid
            return str(resource["id"]) if is_it else None
        is_it = event["extendedProperties"].get(microsoft_calendar.MEETING) == meeting_uuid
        return str(event["immutableId"]) if is_it else None
