"""What goes wrong, how often, and for whom: a plan that tests write and the simulator draws from."""

import asyncio
import itertools
import random
from collections.abc import Mapping
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.requests import Request


class Fault(BaseModel):
    """One thing that goes wrong. Which fields count depends on the kind, see the simulator's README."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")

    kind: str
    account: str | None = Field(default=None, description="Only for this account (e-mail); null = for all.")
    operation: str = Field(default="*", description="Shell pattern over operation names, such as events.*")
    probability: float = Field(default=1.0, ge=0.0, le=1.0)
    times: int | None = Field(default=None, ge=1, description="How often it strikes; null = until cleared.")
    seconds: float = Field(default=0.0, ge=0.0, le=3600.0, description="Duration of delays.")
    status: int = Field(default=503, ge=400, le=599)
    reason: str | None = Field(default=None, description="The provider's reason code in the error body.")
    retry_after: int | None = Field(default=None, ge=0, description="Seconds in the Retry-After header.")
    fault_id: str = Field(default="", description="Given by the simulator.")


class FaultPlan:
    """The faults in force. One seeded generator decides, so a run with the same requests repeats exactly."""

    def __init__(self, kinds: Mapping[str, str], seed: int = 0) -> None:
        """``kinds`` maps each kind the simulator knows to a sentence that explains it."""
        self.kinds = dict(kinds)
        self._faults: dict[str, Fault] = {}
        self._ids = itertools.count(1)
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Start the generator again, so that the same sequence of draws gives the same outcome."""
        self.seed = seed
        self.random = random.Random(seed)

    def add(self, fault: Fault) -> Fault:
        """Put a fault in force and give it an id. Raises ValueError for a kind this simulator does not know."""
        if fault.kind not in self.kinds:
            raise ValueError(f"unknown kind of fault {fault.kind!r}; known: {', '.join(sorted(self.kinds))}")
        fault = fault.model_copy(update={"fault_id": f"f{next(self._ids)}"})
        self._faults[fault.fault_id] = fault
        return fault

    def clear(self, fault_id: str | None = None) -> None:
        """Take one fault, or all of them, out of force. An unknown id is no error."""
        if fault_id is None:
            self._faults.clear()
        else:
            self._faults.pop(fault_id, None)

    def in_force(self) -> list[Fault]:
        """Every fault that can still strike, oldest first."""
        return list(self._faults.values())

    def draw(self, kind: str, *, account: str | None, operation: str) -> Fault | None:
        """The fault of this kind that strikes now, or None. A fault with ``times`` is used up by striking."""
        for fault in self.in_force():
            if fault.kind != kind or fault.account not in (None, account):
                continue
            if not fnmatchcase(operation, fault.operation) or self.random.random() >= fault.probability:
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    self.clear(fault.fault_id)
            return fault
        return None


async def hold(request: Request, seconds: float) -> None:
    """Keep the caller waiting for ``seconds`` of real time, or until it gives up and closes the connection."""
    try:
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return
