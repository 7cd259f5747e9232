"""Lists and searches without limits."""

from chassis.fair_gate import FairGate
from meeting_core.application.search import MeetingSearch, MeetingSearchReader

UNLIMITED = FairGate(per_user=1_000)


def meeting_search(reader: MeetingSearchReader) -> MeetingSearch:
    """Lists and searches over this reader, without limits."""
    return MeetingSearch(reader, reader, list_gate=UNLIMITED, search_gate=UNLIMITED)
