"""Handing each message of a batch to the part of calendar-sync that it concerns."""

from collections.abc import Sequence
from typing import Protocol

from chassis.kafka.consumer import Batch
from contracts.model import Contract


class Part(Protocol):
    """What handles messages of some kinds."""

    @property
    def kinds(self) -> tuple[type[Contract], ...]: ...

    async def handle(self, batch: Batch) -> None:
        """Idempotent; the batch is in order within each key."""


class Dispatching:
    """Knows which part handles what. A kind may concern several parts; they hear of it in the order given."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts

    async def handle(self, batch: Batch) -> None:
        for part in self._parts:
            concerned = [received for received in batch if isinstance(received.body, part.kinds)]
            if concerned:
                await part.handle(concerned)
