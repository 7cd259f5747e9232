"""The campaign finds when others feel a neighbour, and blames no neighbour for what other faults do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from tests.chaos.history import Attempt, Operation
from tests.chaos.neighbours import SEARCHES, felt


@dataclass(frozen=True)
class Lasted:
    kind: str
    began: float
    ended: float


def asked(statuses: Sequence[int | None], at: float, kind: str = "read") -> Iterator[Operation]:
    for number, status in enumerate(statuses):
        begun = at + number / 10
        yield Operation(kind, f"k{number}", attempts=[Attempt(begun, begun + 0.05, status)])


FLOOD = Lasted(SEARCHES, 10, 15)


def test_all_is_well_while_others_are_answered() -> None:
    assert felt(asked([200] * 30, at=11), [FLOOD], aftermath=5) == []
    assert felt(asked([200] * 28 + [503, None], at=11), [FLOOD], aftermath=5) == []


@pytest.mark.parametrize("status", [None, 202, 429, 502, 503])
def test_what_others_felt_is_told(status: int | None) -> None:
    [problem] = felt(asked([200] * 20 + [status] * 10, at=11), [FLOOD], aftermath=5)
    assert problem == f"{SEARCHES} a neighbour: 10 of 30 requests of others failed"


def test_a_neighbour_is_not_blamed_for_other_faults_nor_for_what_it_is_answered_itself() -> None:
    failures: list[int | None] = [503] * 30
    assert felt(asked(failures, at=11), [FLOOD, Lasted("kill", 7, 8)], aftermath=5) == []
    assert felt(asked(failures, at=20), [FLOOD], aftermath=5) == []
    assert felt(asked(failures, at=11, kind="write of a neighbour"), [FLOOD], aftermath=5) == []
    assert felt(asked(failures, at=11), [Lasted("pause", 10, 15)], aftermath=5) == []
