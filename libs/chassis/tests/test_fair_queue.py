"""Flows take turns."""

from datetime import UTC, datetime, timedelta

from chassis.jobs.fair_queue import FairQueue

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_backlog_of_one_flow_does_not_move_another() -> None:
    queue = FairQueue(SECOND)
    assert [queue.add("a", NOW) for _ in range(3)] == [NOW, NOW + SECOND, NOW + 2 * SECOND]
    assert queue.add("b", NOW) == NOW


def test_an_idle_flow_starts_now() -> None:
    queue = FairQueue(SECOND)
    queue.add("a", NOW)
    assert queue.add("a", NOW + 5 * SECOND) == NOW + 5 * SECOND


def test_memory_is_bounded() -> None:
    queue = FairQueue(SECOND, max_flows=1)
    queue.add("a", NOW)
    queue.add("b", NOW)
    assert queue.add("a", NOW) == NOW
