"""The control API that every simulator has: clock, faults, requests seen, notifications sent."""

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from simulators.common.clock import Clock
from simulators.common.delivery import Delivery, Sender
from simulators.common.faults import Fault, FaultPlan
from simulators.common.request_log import LoggedRequest, RequestCount, RequestLog


class ControlModel(BaseModel):
    """Base of control API bodies: camelCase outside, unknown fields refused (a typo must not pass silently)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class ClockState(ControlModel):
    """Simulated time, UTC."""

    now: datetime
    frozen: bool


class ClockChange(ControlModel):
    """Move simulated time forward, or stop it, or let it run."""

    advance_seconds: float = Field(default=0.0, ge=0.0)
    frozen: bool | None = None


class Seed(ControlModel):
    """What the generator that decides about probabilities starts from."""

    seed: int


def control_router(clock: Clock, faults: FaultPlan, requests: RequestLog, sender: Sender) -> APIRouter:
    """Routes under ``/_control``; a simulator adds its own beside them."""
    router = APIRouter(prefix="/_control", tags=["control"])
    _add_clock(router, clock)
    add_fault_routes(router, faults)
    add_request_routes(router, requests)
    _add_deliveries(router, sender)
    return router


def _add_clock(router: APIRouter, clock: Clock) -> None:
    @router.get("/clock")
    async def read_clock() -> ClockState:
        return ClockState(now=clock.now(), frozen=clock.frozen)

    @router.post("/clock")
    async def change_clock(change: ClockChange) -> ClockState:
        if change.frozen is not None:
            clock.freeze() if change.frozen else clock.resume()
        clock.advance(timedelta(seconds=change.advance_seconds))
        return await read_clock()


def add_fault_routes(router: APIRouter, faults: FaultPlan) -> None:
    """Read, add, seed and clear faults."""

    @router.get("/faults")
    async def read_faults() -> dict[str, Any]:
        return {"seed": faults.seed, "faults": faults.in_force(), "kinds": faults.kinds}

    @router.post("/faults", status_code=201)
    async def add_fault(fault: Fault) -> Fault:
        try:
            return faults.add(fault)
        except ValueError as error:
            raise HTTPException(400, str(error)) from error

    @router.post("/faults/seed", status_code=204)
    async def seed_faults(body: Seed) -> None:
        faults.reseed(body.seed)

    @router.delete("/faults", status_code=204)
    async def clear_faults() -> None:
        faults.clear()

    @router.delete("/faults/{fault_id}", status_code=204)
    async def clear_fault(fault_id: str) -> None:
        faults.clear(fault_id)


def add_request_routes(router: APIRouter, requests: RequestLog) -> None:
    """Read and clear what was requested."""

    @router.get("/requests")
    async def read_requests() -> list[RequestCount]:
        return requests.counts()

    @router.get("/requests/latest")
    async def read_latest_requests() -> list[LoggedRequest]:
        return list(requests.latest)

    @router.delete("/requests", status_code=204)
    async def clear_requests() -> None:
        requests.clear()


def _add_deliveries(router: APIRouter, sender: Sender) -> None:
    @router.get("/deliveries")
    async def read_deliveries() -> list[Delivery]:
        return list(sender.deliveries)
