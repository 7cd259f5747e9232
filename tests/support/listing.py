"""Lists and searches that wait for nobody."""

from chassis.fair_gate import FairGate
from meeting_core.application.listing import Calendars, Listing

UNLIMITED = FairGate(per_user=1_000)


def listing(calendars: Calendars) -> Listing:
    """Lists and searches of what these calendars hold."""
    return Listing(calendars, calendars, lists=UNLIMITED, searches=UNLIMITED)
