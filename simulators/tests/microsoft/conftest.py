"""One simulator for all tests, empty at the start of each, driven over a socket by Microsoft's libraries."""

from collections.abc import Iterator

import httpx
import pytest
from msgraph.generated.models.event import Event
from simulators.common.serve import running
from simulators.microsoft.app import create_app
from simulators.microsoft.settings import Settings
from simulators.microsoft.testing import Microsoft, Receiver, receiving

HOST = "host@contoso.com"

# the first model that msgraph-sdk reads makes it import a thousand others: not in the time of whichever test is first
Event().get_field_deserializers()


@pytest.fixture(scope="session")
def simulator() -> Iterator[Microsoft]:
    settings = Settings()
    with running(create_app(settings)) as url, Microsoft(url, settings) as client:
        yield client


@pytest.fixture
def microsoft(simulator: Microsoft) -> Iterator[Microsoft]:
    """The one simulator, which has forgotten everything but the time."""
    simulator.control("POST", "reset")
    with Microsoft(simulator.url, simulator.settings) as client:
        yield client


@pytest.fixture
def graph(microsoft: Microsoft) -> httpx.Client:
    """Graph for a connected account."""
    microsoft.control("POST", "accounts", {"email": HOST, "name": "Hedda Host", "timeZone": "W. Europe Standard Time"})
    return microsoft.graph(HOST)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as endpoint:
        yield endpoint
