"""Every test has a simulator of its own, driven over a socket by Microsoft's libraries."""

from collections.abc import Iterator

import httpx
import pytest
from simulators.common.serve import running
from simulators.microsoft.app import create_app
from simulators.microsoft.settings import Settings
from simulators.microsoft.testing import Microsoft, Receiver, receiving

HOST = "host@contoso.com"


@pytest.fixture
def microsoft() -> Iterator[Microsoft]:
    settings = Settings()
    with running(create_app(settings)) as url, Microsoft(url, settings) as client:
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
