"""What every slice is started with: settings, database, publisher, and the stack that stops what was started."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from chassis.kafka.publisher import Publisher
from chassis.mongo.database import Collection, Database
from chassis.mongo.outbox import Outbox
from pymongo import IndexModel

from calendar_sync.settings import Settings


@dataclass(frozen=True, slots=True)
class Runtime:
    """One running process. What enters ``started`` is stopped in the reverse order."""

    settings: Settings
    database: Database
    publisher: Publisher
    started: AsyncExitStack

    @property
    def drain(self) -> float:
        """Seconds that workers have to finish their jobs when the process stops."""
        return self.settings.drain_timeout / 2

    async def collection(self, name: str, indexes: Sequence[IndexModel]) -> Collection:
        """A collection with its indexes."""
        collection = self.database.collection(name)
        await collection.create_indexes(indexes)
        return collection

    async def outbox(self, collection: Collection) -> Outbox:
        """The outbox in a collection's documents; its relay runs."""
        outbox = Outbox(collection, self.publisher, relay_delay=self.settings.outbox_relay_delay)
        await self.started.enter_async_context(outbox.relay())
        return outbox
