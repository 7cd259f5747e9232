"""The plan of what goes wrong."""

import pytest
from simulators.common.faults import Fault, FaultPlan

KINDS = {"error": "It fails.", "latency": "It is slow."}


def strikes(plan: FaultPlan, account: str = "a", operation: str = "events.list") -> bool:
    return plan.draw("error", account=account, operation=operation) is not None


def test_a_fault_fits_by_kind_account_and_operation() -> None:
    plan = FaultPlan(KINDS)
    plan.add(Fault(kind="error", account="a", operation="events.*"))
    assert strikes(plan)
    assert not strikes(plan, account="b")
    assert not strikes(plan, operation="calendars.get")
    assert plan.draw("latency", account="a", operation="events.list") is None


def test_times_are_used_up_and_clearing_ends_a_fault() -> None:
    plan = FaultPlan(KINDS)
    plan.add(Fault(kind="error", times=2))
    assert [strikes(plan) for _ in range(3)] == [True, True, False]
    assert plan.in_force() == []
    first, second = plan.add(Fault(kind="error")), plan.add(Fault(kind="error"))
    plan.clear(first.fault_id)
    assert plan.in_force() == [second]
    plan.clear()
    assert not strikes(plan)


def test_the_seed_decides_and_probability_counts() -> None:
    plan = FaultPlan(KINDS, seed=1)
    plan.add(Fault(kind="error", probability=0.3))
    first = [strikes(plan) for _ in range(1000)]
    assert 200 < sum(first) < 400
    plan.reseed(1)
    assert [strikes(plan) for _ in range(1000)] == first
    plan.reseed(2)
    assert [strikes(plan) for _ in range(1000)] != first


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="earthquake"):
        FaultPlan(KINDS).add(Fault(kind="earthquake"))
