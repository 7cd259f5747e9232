"""What Exchange mails on its own, and the copies of a meeting in the mailboxes of its guests.

Sources: https://learn.microsoft.com/graph/api/user-post-events ("the server sends invitations to all the attendees"),
https://learn.microsoft.com/graph/api/event-update ("attendees property and meeting updates"),
https://learn.microsoft.com/graph/api/event-delete, https://learn.microsoft.com/graph/api/event-accept.
"""

import copy
from typing import TYPE_CHECKING

from simulators.common.clock import Clock
from simulators.microsoft.state.records import NEVER, Account, Attendee, Event, Mail, State

if TYPE_CHECKING:
    from simulators.microsoft.calendar.exchange import Exchange

_PRIVATE = frozenset({"showAs", "categories", "isReminderOn", "reminderMinutesBeforeStart", "transactionId"})
"""Properties of the owner's copy alone; changing them mails nobody."""


class PostRoom:
    """Sends what the organiser's changes cause, and the guests' answers."""

    def __init__(self, state: State, clock: Clock, exchange: "Exchange") -> None:
        self._state, self._clock, self._exchange = state, clock, exchange

    def invite(self, account: Account, event: Event, before: list[Attendee], named: frozenset[str]) -> None:
        """Mail the guests after a change that named these properties: only the affected ones for a change of guests."""
        if not event.is_organizer or not (named - _PRIVATE):
            return
        known = {guest.address.lower() for guest in before}
        invited = {guest.address.lower() for guest in event.attendees}
        only_guests = not (named - _PRIVATE - {"attendees"})
        for guest in event.attendees:
            new = guest.address.lower() not in known
            if new or not only_guests:
                self._mail(account, event, guest.address, "invitation" if new else "update")
                self._copy_to(account, event, guest)
        for guest in before:
            if guest.address.lower() not in invited:
                self._uninvite(account, event, guest)

    def cancel(self, account: Account, event: Event) -> None:
        """Tell the guests that the organiser removed the meeting."""
        if event.is_organizer:
            for guest in event.attendees:
                self._uninvite(account, event, guest)

    def answer(self, account: Account, event: Event) -> None:
        """Mail the guest's answer and let the organiser's copy know it."""
        self._mail(account, event, event.organizer.address, "response")
        organizer = self._state.accounts.get(event.organizer.address.lower())
        original = self._twin(organizer, event) if organizer else None
        if organizer is None or original is None:
            return
        for guest in original.attendees:
            if guest.address.lower() == account.email:
                guest.response, guest.answered_at = event.response, event.answered_at
        self._exchange.note(organizer, original, "updated")

    def _mail(self, account: Account, event: Event, to: str, kind: str) -> None:
        subject = event.properties["subject"]
        account.mails.append(Mail(at=self._clock.now(), to=to, kind=kind, subject=subject, ical_uid=event.ical_uid))

    def _uninvite(self, account: Account, event: Event, guest: Attendee) -> None:
        self._mail(account, event, guest.address, "cancellation")
        mailbox = self._state.accounts.get(guest.address.lower())
        twin = self._twin(mailbox, event) if mailbox else None
        if mailbox is not None and twin is not None:
            twin.cancelled = True
            twin.properties["subject"] = f"Canceled: {event.properties['subject'] or ''}"
            twin.properties["showAs"] = "free"
            self._exchange.note(mailbox, twin, "updated")

    def _copy_to(self, account: Account, event: Event, guest: Attendee) -> None:
        """The guest's own copy: same UID, other ids, an answer of its own."""
        mailbox = self._state.accounts.get(guest.address.lower())
        if mailbox is None or mailbox is account:
            return
        shared = {name: copy.deepcopy(value) for name, value in event.properties.items() if name not in _PRIVATE}
        twin = self._twin(mailbox, event)
        if twin is None:
            twin = Event(
                calendar_id=mailbox.default_calendar.calendar_id,
                created_change=mailbox.change + 1,
                latest_change=mailbox.change + 1,
                created_at=self._clock.now(),
                modified_at=self._clock.now(),
                ical_uid=event.ical_uid,
                timing=event.timing.model_copy(deep=True),
                properties=copy.deepcopy(event.properties) | {"showAs": "tentative"},
                organizer=event.organizer,
                is_organizer=False,
                response="notResponded",
                attendees=_listed_for(event, guest),
            )
            self._exchange.add(mailbox, twin)
            return
        if (twin.timing.start, twin.timing.end) != (event.timing.start, event.timing.end):
            twin.response, twin.answered_at = "notResponded", NEVER
            shared["showAs"] = "tentative"
        self._exchange.retime(mailbox, twin, event.timing.model_copy(deep=True))
        twin.properties |= shared
        twin.attendees = _listed_for(event, guest)
        self._exchange.note(mailbox, twin, "updated")

    def _twin(self, mailbox: Account, event: Event) -> Event | None:
        for candidate in self._exchange.events(mailbox):
            if candidate.ical_uid == event.ical_uid and candidate.ical_uid is not None:
                return candidate
        return None


def _listed_for(event: Event, guest: Attendee) -> list[Attendee]:
    """The guests that this guest's copy shows: of a hidden list only themselves (event resource, hideAttendees)."""
    shown = [guest] if event.properties["hideAttendees"] else event.attendees
    return [entry.model_copy() for entry in shown]
