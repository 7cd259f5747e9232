"""A host's account at a simulated provider: what writes into it, and its owner's own hand."""

from dataclasses import dataclass
from typing import Any

from calendar_sync.providers.ports import CalendarAccess, CalendarWriter

from tests.support.outside import Outside, Shown
from tests.support.outward import FakeAccounts, OutboundHarness
from tests.support.owners import Owner

TIMEOUT = 1.0
"""Seconds that a call may take."""


@dataclass
class ProviderAccount:
    """A host's account at a provider, and what writes into it."""

    outside: Outside
    email: str
    accounts: FakeAccounts
    calendar: CalendarWriter

    def harness(self, **options: Any) -> OutboundHarness:
        return OutboundHarness(self.calendar, self.accounts, **options)

    def fault(self, kind: str, **more: Any) -> None:
        self.outside.simulator.fault(kind, account=self.email, **more)

    def shown(self) -> list[Shown]:
        return self.outside.events(self.email)

    def titles(self) -> list[str]:
        return [one.title for one in self.shown()]

    def event(self) -> dict[str, Any]:
        (event,) = self.outside.simulator.control("GET", f"accounts/{self.email}/events")
        found: dict[str, Any] = event.get("resource", event)
        return found

    def by_hand(self, verb: str, body: Any = None) -> None:
        """The owner changes or deletes the only event."""
        event_id = self.event()["id"]
        self.outside.simulator.control(verb, f"accounts/{self.email}/events/{event_id}", body)

    @property
    def title_field(self) -> str:
        """What the provider calls an event's title."""
        return "summary" if self.outside.name == "google" else "subject"

    def edit(self, *, title: str | None = None, description: str | None = None, location: str | None = None) -> None:
        """The owner changes what the only event says."""
        owner, event_id = Owner(self.outside, self.email), self.event()["id"]
        if title is not None:
            owner.renames(event_id, title)
        if description is not None:
            owner.describes(event_id, description)
        if location is not None:
            owner.places(event_id, location)

    def move(self, start: str, end: str, zone: str) -> None:
        """The owner moves the only event to these wall times."""
        times = {"start": start, "end": end}
        self.by_hand("PATCH", {name: {"dateTime": time, "timeZone": zone} for name, time in times.items()})

    @property
    def access(self) -> CalendarAccess:
        return CalendarAccess(self.accounts.token(), "primary")
