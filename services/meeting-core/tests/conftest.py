"""A collection of meetings of one's own, on the real MongoDB."""

from collections.abc import AsyncIterator

import pytest
from chassis.mongo.database import Collection, open_database
from contracts.values.ids import uuid7_hex
from meeting_core.adapters.meetings import INDEXES
from meeting_core.settings import Settings
from pydantic import SecretStr


@pytest.fixture(scope="session")
async def meetings(mongodb_uri: str) -> AsyncIterator[Collection]:
    """Shared by a session's tests; each test empties it first."""
    settings = Settings(
        internal_token=SecretStr("internal"), mongodb_uri=mongodb_uri, mongodb_database=f"core_{uuid7_hex().lower()}"
    )
    async with open_database(settings) as database:
        collection = database.collection("meetings")
        await collection.create_indexes(INDEXES)
        yield collection
