"""Whatever hosts and platform do to a meeting and its copy, in whatever order that is heard of: both end up the same.

Link and writing side are the real ones; calendar, meeting and messages are in memory (``tests.support.convergence``).
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from calendar_sync.providers.event_content import EventTime
from contracts.values.enums import MeetingStatus
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.convergence import REFUSED, ConvergenceHarness
from tests.support.outward import NOON, participant

Step = tuple[str, int]


def _later(hours: int) -> EventTime:
    return EventTime(starts_at=NOON + timedelta(hours=hours), ends_at=NOON + timedelta(hours=hours + 1))


def _times(hours: int) -> dict[str, Any]:
    start = datetime(2038, 6, 2) + timedelta(hours=hours)  # noqa: DTZ001 wall time
    return {"start_date_time": start, "end_date_time": start + timedelta(hours=1)}


PLATFORM: dict[str, Callable[[ConvergenceHarness, int], None]] = {
    "retitle": lambda ends, number: ends.meeting.change(title=f"Ours {number}"),
    "move": lambda ends, number: ends.meeting.change(**_times(number)),
    "describe": lambda ends, number: ends.meeting.change(description=f"Our words {number}"),
    "invite": lambda ends, number: ends.meeting.change(participants=[participant(f"Guest {number}")]),
    "cancel": lambda ends, number: ends.meeting.change(status=MeetingStatus.CANCELED),
}
HOST: dict[str, Callable[[ConvergenceHarness, str, int], None]] = {
    "retitle by hand": lambda ends, event, number: ends.calendar.by_hand(event, title=f"Theirs {number}"),
    "untitle by hand": lambda ends, event, number: ends.calendar.by_hand(event, title=""),
    "retitle so that it is refused": lambda ends, event, number: ends.calendar.by_hand(event, title=REFUSED),
    "move by hand": lambda ends, event, number: ends.calendar.by_hand(event, when=_later(number)),
    "move to never": lambda ends, event, number: ends.calendar.by_hand(
        event, when=EventTime(starts_at=NOON, ends_at=NOON - timedelta(hours=number))
    ),
    "place by hand": lambda ends, event, number: ends.calendar.by_hand(event, location=f"Room {number}"),
    "unplace by hand": lambda ends, event, number: ends.calendar.by_hand(event, location=""),
    "write below": lambda ends, event, number: ends.calendar.by_hand(
        event, description=f"{ends.calendar.events[event].content.description}\nbelow {number}"
    ),
    "write above": lambda ends, event, number: ends.calendar.by_hand(
        event, description=f"above {number}\n{ends.calendar.events[event].content.description}"
    ),
    "drop our lines": lambda ends, event, number: ends.calendar.by_hand(
        event, description=ends.calendar.events[event].content.description.partition("Join:")[0]
    ),
    "delete by hand": lambda ends, event, number: ends.calendar.delete_by_hand(event),
}

RESTORE = "restore by hand"


async def _other(ends: ConvergenceHarness, what: str, number: int) -> None:
    match what:
        case "pull":
            ends.pull()
        case "attempt":
            await ends.attempt()
        case "die in an attempt":
            await ends.attempt(forget=True)
        case "hear":
            ends.deliver_news()
        case "hear twice":
            ends.deliver_news(again=True)
        case "answer":
            ends.deliver_told()
        case "answer twice":
            ends.deliver_told(again=True)
        case "wait":
            ends.now += timedelta(seconds=number)
        case "fail":
            ends.calendar.fail = ("before", "after")[number % 2]


OTHER = ["pull", "attempt", "die in an attempt", "hear", "hear twice", "answer", "answer twice", "wait", "fail"]
OFTEN = ["attempt", "attempt", "attempt", "hear", "hear", "pull"]
_NUMBERS = st.integers(1, 20)


def _steps(*names: str) -> st.SearchStrategy[list[Step]]:
    return st.lists(st.tuples(st.sampled_from(names), _NUMBERS), max_size=40)


async def _play(ends: ConvergenceHarness, steps: list[Step]) -> None:
    with ends.clock():
        await ends.attempt()
        for what, number in steps:
            if what in PLATFORM:
                PLATFORM[what](ends, number)
            elif what in HOST:
                if (event_id := ends.event_id) is not None:
                    HOST[what](ends, event_id, number)
            elif what == RESTORE:
                if (event_id := ends.trash) is not None:
                    ends.calendar.restore_by_hand(event_id)
            else:
                await _other(ends, what, number)
        await ends.calm_down()
        assert ends.differences() == []
        assert await ends.calm_down() == 0, "what is calm is not written again"


@settings(max_examples=500, deadline=None)
@given(
    steps=_steps(*PLATFORM, *HOST, "delete by hand", *[RESTORE] * 3, *OTHER, *OTHER, *OFTEN, *OFTEN),
    answer=st.sampled_from([0, 15]),
)
def test_both_ends_end_up_the_same(steps: list[Step], answer: float) -> None:
    asyncio.run(_play(ConvergenceHarness(answer=answer), steps))


BACK_TO_WHAT_IT_SAID_BEFORE = [
    *(("retitle by hand", 20), ("write above", 12), ("pull", 0), ("attempt", 0)),
    *(("retitle by hand", 8), ("pull", 0), ("attempt", 0), ("answer", 0), ("hear", 0)),
    *(("retitle by hand", 20), ("die in an attempt", 0)),
]
BESIDE_AN_UNANSWERED_WRITE = [
    *(("retitle by hand", 2), ("pull", 0), ("attempt", 0), ("move", 1), ("hear", 0), ("fail", 1), ("attempt", 0)),
    *(("answer", 0), ("hear", 0), ("retitle by hand", 1)),
]


@settings(max_examples=300, deadline=None)
@example(BACK_TO_WHAT_IT_SAID_BEFORE)
@example(BESIDE_AN_UNANSWERED_WRITE)
@given(steps=_steps("retitle by hand", "write above", "move", "invite", *(set(OTHER) - {"wait"}), *OFTEN, *OFTEN))
def test_what_only_the_host_changes_is_theirs_and_never_written(steps: list[Step]) -> None:
    """However often they change it, and whatever the platform changes meanwhile elsewhere."""
    ends = ConvergenceHarness(answer=10**6)
    asyncio.run(_play(ends, steps))
    titles = [f"Theirs {number}" for what, number in steps if what == "retitle by hand"]
    assert ends.meeting.state.title == (titles[-1] if titles else "Review")
    assert "title" not in ends.calendar.changed


@settings(max_examples=300, deadline=None)
@given(steps=_steps("retitle", "retitle by hand", "place by hand", "wait", *OTHER, *OFTEN, *OFTEN))
def test_what_the_platform_says_after_all_else_counts(steps: list[Step]) -> None:
    ends = ConvergenceHarness()
    asyncio.run(_play(ends, steps))
    ends.meeting.change(title="The last word")
    asyncio.run(_play(ends, []))
    assert ends.calendar.shown[0].content.title == "The last word"
