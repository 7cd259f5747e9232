"""A neighbour: a user of another tenant who asks too much, or whose directory fails. Others must not feel it."""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
from contracts.values.ids import uuid7_hex

from tests.chaos.history import UNDECIDED, Attempt, Operation
from tests.chaos.workload import Workload
from tests.support.callers import MEETINGS, Caller, path_of
from tests.support.gateway import body

SEARCHES, MAILS, DIRECTORY = "flood searches from", "flood mails from", "fail the directory of"
KINDS = frozenset({SEARCHES, MAILS, DIRECTORY})
GUESTS = 40
"""Of each meeting in a flood of mails."""
_AT_ONCE = 16
_SEARCH = "/api/v2/meetings"
_CONTAINED = {"field": "description", "operator": "CONTAINS", "value": "x" * 200}
_FEW = 20
"""Attempts of others, fewer than which say nothing."""
_TOLERATED = 0.1


@dataclass
class Neighbour:
    """``caller`` is of another tenant than the hosts; ``directory`` is the address of the simulated one."""

    caller: Caller
    directory: str
    workload: Workload
    _numbers: Any = field(default_factory=itertools.count)

    async def disturb(self, kind: str, until: float) -> None:
        """Until then (monotonic)."""
        ways: dict[str, Callable[[float], Coroutine[Any, Any, None]]] = {
            SEARCHES: self._search, MAILS: self._mail, DIRECTORY: self._be_without_directory,
        }  # fmt: skip
        await ways[kind](until)

    async def _search(self, until: float) -> None:
        """The most conditions that one request may have, many requests at once."""
        asked = {"filters": [_CONTAINED] * 50, "size": 100}
        await asyncio.gather(*(self._post(_SEARCH, asked, until) for _ in range(_AT_ONCE)))

    async def _mail(self, until: float) -> None:
        """A meeting of many guests, moved at once: each is mailed twice, or once about both."""
        while time.monotonic() < until:
            name = f"{self.workload.run}-flood-{next(self._numbers)}"
            guests = [{"email": f"g{number}-{name}@flood.example.com"} for number in range(GUESTS)]
            start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0, tzinfo=None) + timedelta(days=9)
            made = await self._write(
                f"{name}-0", "POST", MEETINGS, body(title=f"{name}/0", externalAttendees=guests, **_hour(start))
            )
            if made.body and "meetingUuid" in made.body and made.body.get("status") == "ACTIVE":
                moved = {"title": f"{name}/1", **_hour(start + timedelta(hours=2))}
                await self._write(f"{name}-1", "PUT", path_of(made.body), moved)
            await asyncio.sleep(3)  # a pace, nothing waits for it

    async def _be_without_directory(self, until: float) -> None:
        """Ask for people whom only a directory knows that fails for this tenant."""
        async with httpx.AsyncClient(base_url=self.directory, trust_env=False) as control:
            fault = {"kind": "error", "account": self.caller.person.tenant_uuid, "status": 503}
            made = (await control.post("/_control/faults", json=fault)).raise_for_status().json()
            try:
                await asyncio.gather(*(self._look_up(until) for _ in range(4)))
            finally:
                (await control.delete(f"/_control/faults/{made['faultId']}")).raise_for_status()

    async def _look_up(self, until: float) -> None:
        unknown = [f"C{uuid7_hex()}" for _ in range(5)]
        await self._post(MEETINGS, body(contactIds=unknown), until)

    async def _post(self, path: str, json: Any, until: float) -> None:
        """Again and again, whatever is answered."""
        while time.monotonic() < until:
            try:
                await self.caller.http.post(path, json=json, timeout=10)
            except httpx.TransportError:
                await asyncio.sleep(0.1)

    async def _write(self, correlation: str, method: str, path: str, json: Any) -> Operation:
        operation = Operation("write of a neighbour", correlation, title=json["title"], changes=True)
        chance = random.Random(correlation)
        return await self.workload.write(self.caller.http, chance, operation, method, path, json)


class Interval(Protocol):
    """A fault of this kind was in force, in monotonic seconds."""

    @property
    def kind(self) -> str: ...
    @property
    def began(self) -> float: ...
    @property
    def ended(self) -> float: ...


def felt(operations: Iterable[Operation], faults: Sequence[Interval], aftermath: float) -> list[str]:
    """What others felt of a neighbour: many requests put off or unanswered while nothing else was wrong."""
    attempts = [
        attempt
        for operation in operations
        if not operation.kind.endswith("of a neighbour")
        for attempt in operation.attempts
    ]
    problems = []
    for fault in faults:
        if fault.kind in KINDS:
            others = [(one.began, one.ended + aftermath) for one in faults if one is not fault]
            alone = [
                one
                for one in attempts
                if fault.began <= one.asked_at < fault.ended
                and not any(one.asked_at < ended and began < one.answered_at for began, ended in others)
            ]
            failed = [one for one in alone if _failed(one)]
            if len(alone) >= _FEW and len(failed) > _TOLERATED * len(alone):
                problems.append(f"{fault.kind} a neighbour: {len(failed)} of {len(alone)} requests of others failed")
    return problems


def _failed(attempt: Attempt) -> bool:
    return attempt.status is None or attempt.status in UNDECIDED


def _hour(start: datetime) -> dict[str, str]:
    end = start + timedelta(hours=1)
    return {"timezone": "UTC", "startDateTime": start.isoformat(), "endDateTime": end.isoformat()}
