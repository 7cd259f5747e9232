"""The mailboxes: finding, making, changing and removing events, each change counted, versioned and told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulators.common.clock import Clock
from simulators.microsoft.calendar import bodies, properties, recurrence
from simulators.microsoft.calendar.postroom import PostRoom
from simulators.microsoft.graph.errors import GraphError, invalid_request, item_not_found, malformed_id
from simulators.microsoft.state import ids
from simulators.microsoft.state.records import (
    NEVER,
    Account,
    Calendar,
    ChangedOccurrence,
    Departure,
    Event,
    FormerTiming,
    Person,
    State,
    Timing,
)

JsonObject = dict[str, Any]

_FORMER_TIMINGS = 20


@dataclass(frozen=True)
class Change:
    """A change of a mailbox. ``kind`` is ``created``, ``updated`` or ``deleted``; ``date`` names an occurrence."""

    account: Account
    event: Event
    kind: str
    date: str | None = None


class Exchange:
    """All mailboxes of the simulator."""

    def __init__(self, state: State, clock: Clock, tell: Callable[[Change], None]) -> None:
        """``tell`` hears of every change, after it happened."""
        self._state, self._clock, self._tell = state, clock, tell
        self._post = PostRoom(state, clock, self)

    def calendar(self, account: Account, calendar_id: str) -> Calendar:
        """A calendar of the mailbox. Raises GraphError (404)."""
        for calendar in account.calendars:
            if calendar.calendar_id == calendar_id:
                return calendar
        raise item_not_found()

    def events(self, account: Account, calendar: Calendar | None = None) -> list[Event]:
        """Events that are there, of one calendar or of all, in order of creation."""
        return [
            event
            for event in account.events.values()
            if not event.deleted and calendar in (None, self.calendar(account, event.calendar_id))
        ]

    def find(self, account: Account, item_id: str) -> tuple[Event, str | None]:
        """The event of an id of either kind, with the original date when the id is an occurrence's.

        Raises GraphError: 400 for what is no id, 404 for what is not there (any more, or under that id).
        """
        if not item_id.startswith("AA") or len(item_id) < 20:
            raise malformed_id()
        split = ids.split_occurrence_id(item_id)
        for event in self.events(account):
            if item_id in (event.immutable_id, event.item_id):
                return event, None
            if split and split[0] in (event.immutable_id.rstrip("="), event.item_id.rstrip("=")):
                if recurrence.occurrence_on(event.timing, split[1]) is None:
                    break
                return event, split[1]
        raise item_not_found()

    def create(self, account: Account, calendar: Calendar, body: object, organizer: Person | None = None) -> Event:
        """A new event, or the one an earlier request with the same ``transactionId`` made.

        The guests are mailed at once and nothing can prevent it. With ``organizer`` the event is a meeting that this
        person invited the account to. Raises GraphError (400).
        """
        wanted = properties.read(body)
        transaction_id = wanted.get("transactionId")
        if transaction_id is not None and (twin := self._made_by(account, str(transaction_id))):
            return twin
        event = self._new(account, calendar, properties.timing(wanted, None), organizer)
        event.transaction_id = None if transaction_id is None else str(transaction_id)
        event.properties |= self._online(properties.plain(wanted), event)
        event.extended = properties.extended(wanted)
        if "attendees" in wanted:
            event.attendees = properties.attendees(wanted, [])
        self.add(account, event)
        self._post.invite(account, event, [], frozenset(wanted))
        return event

    def add(self, account: Account, event: Event) -> None:
        """Put a finished event into the mailbox."""
        account.events[event.immutable_id] = event
        self.note(account, event, "created")

    def update(self, account: Account, event: Event, date: str | None, body: object) -> None:
        """Change what the body names; of one occurrence when ``date`` is given. Raises GraphError (400)."""
        wanted = properties.read(body)
        if "transactionId" in wanted and wanted.pop("transactionId") != event.transaction_id:
            raise invalid_request("The transactionId cannot be changed after the event was created.")
        extended, plain, before = properties.extended(wanted), properties.plain(wanted), list(event.attendees)
        guests = properties.attendees(wanted, before) if "attendees" in wanted else before
        former = event.timing
        if date is not None:
            self._change_occurrence(account, event, date, wanted, plain)
        else:
            self._change_whole(account, event, wanted, plain)
        event.attendees, event.extended = guests, event.extended | extended
        if (former.start, former.end) != (event.timing.start, event.timing.end) and event.is_organizer:
            for guest in guests:
                guest.response, guest.answered_at = "none", NEVER
        self.note(account, event, "updated", date)
        self._post.invite(account, event, before, frozenset(wanted))

    def delete(self, account: Account, event: Event, date: str | None) -> None:
        """Remove an event, or one occurrence. The organiser's deletion cancels the meeting for its guests."""
        if date is not None:
            self.retime(account, event, event.timing.model_copy(update={"cancelled": event.timing.cancelled | {date}}))
            self.note(account, event, "deleted", date)
            self._post.invite(account, event, event.attendees, frozenset({"recurrence"}))
            return
        event.deleted = True
        self.note(account, event, "deleted")
        self._post.cancel(account, event)

    def cancel(self, account: Account, event: Event, date: str | None) -> None:
        """Cancel a meeting as its organiser. Raises GraphError (400) for a guest, or when nobody is invited."""
        if not event.is_organizer or not event.attendees:
            raise GraphError(
                400,
                "ErrorAccessDenied",
                "Your request can't be completed. You need to be an organizer to cancel a meeting.",
            )
        self.delete(account, event, date)

    def respond(self, account: Account, event: Event, response: str, *, send: bool) -> None:
        """Answer an invitation from the guest's own mailbox; a declined meeting leaves it. Raises GraphError (400)."""
        if event.is_organizer:
            raise invalid_request("You can't respond to this meeting because you're the meeting organizer.")
        if send and not event.properties["responseRequested"]:
            raise invalid_request("The meeting organizer hasn't requested a response.")
        event.response, event.answered_at = response, self._clock.now()
        if response == "declined":
            event.deleted = True
        else:
            event.properties["showAs"] = "busy" if response == "accepted" else "tentative"
        self.note(account, event, "deleted" if event.deleted else "updated")
        if send:
            self._post.answer(account, event)

    def move(self, account: Account, event: Event, calendar: Calendar) -> None:
        """Into another calendar, where the event has a new id; only the immutable one stays."""
        departure = Departure(change=account.change + 1, calendar_id=event.calendar_id, item_id=event.item_id)
        event.departures.append(departure)
        event.calendar_id, event.item_id = calendar.calendar_id, ids.new_item_id()
        self.note(account, event, "updated")

    def touch(self, account: Account, event: Event) -> None:
        """A new change key without a change of content, as Exchange's own processing causes."""
        self.note(account, event, "updated")

    def retime(self, account: Account, event: Event, timing: Timing) -> None:
        """Give an event another timing and remember the old one for delta; :meth:`note` must follow."""
        if timing != event.timing:
            event.former_timings.append(FormerTiming(until=account.change + 1, timing=event.timing))
            del event.former_timings[:-_FORMER_TIMINGS]
            event.timing = timing

    def note(self, account: Account, event: Event, kind: str, date: str | None = None) -> None:
        """Count a change of an event and tell of it."""
        account.change += 1
        self._state.changes += 1
        event.latest_change = account.change
        if kind != "created":
            event.version += 1
            event.modified_at = self._clock.now()
        self._tell(Change(account, event, kind, date))

    def _new(self, account: Account, calendar: Calendar, timing: Timing, organizer: Person | None) -> Event:
        now = self._clock.now()
        return Event(
            calendar_id=calendar.calendar_id,
            created_change=account.change + 1,
            latest_change=account.change + 1,
            created_at=now,
            modified_at=now,
            timing=timing,
            properties=dict(properties.DEFAULTS),
            organizer=organizer or Person(name=account.name, address=account.email),
            is_organizer=organizer is None,
            response="organizer" if organizer is None else "notResponded",
        )

    def _made_by(self, account: Account, transaction_id: str) -> Event | None:
        since = self._clock.now() - self._state.transaction_window
        for event in self.events(account):
            if event.transaction_id == transaction_id and event.created_at >= since:
                return event
        return None

    def _change_whole(self, account: Account, event: Event, wanted: JsonObject, plain: JsonObject) -> None:
        self.retime(account, event, properties.timing(wanted, event.timing))
        event.properties |= self._online(plain, event)

    def _change_occurrence(
        self, account: Account, event: Event, date: str, wanted: JsonObject, plain: JsonObject
    ) -> None:
        occurrence = recurrence.occurrence_on(event.timing, date)
        if occurrence is None:
            raise item_not_found()
        if "recurrence" in wanted or "isAllDay" in wanted:
            raise invalid_request("The property can't be changed on an occurrence of a series.")
        zone = event.timing.start_zone
        start = properties.wall_in(zone, wanted["start"]) if "start" in wanted else occurrence.wall_start
        end = properties.wall_in(zone, wanted["end"]) if "end" in wanted else occurrence.wall_end
        if end < start:
            raise GraphError(400, "ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate is earlier than StartDate")
        changed = ChangedOccurrence(start=start, end=end, properties=occurrence.properties | plain)
        self.retime(account, event, event.timing.model_copy(update={"changed": event.timing.changed | {date: changed}}))

    def _online(self, changed: JsonObject, event: Event) -> JsonObject:
        """Adds the join blob to the body of a meeting that goes online; without the blob it is offline."""
        known = event.properties | changed
        if changed.get("isOnlineMeeting") and not bodies.join_url(known["body"]):
            blob = bodies.with_blob(known["body"], event.immutable_id)
            return changed | {"body": blob, "onlineMeetingProvider": "teamsForBusiness"}
        if known["isOnlineMeeting"] and not bodies.join_url(known["body"]):
            return changed | {"isOnlineMeeting": False, "onlineMeetingProvider": "unknown"}
        return changed
