"""Every test has a simulator of its own, driven over a socket by Google's client libraries."""

from collections.abc import Iterator
from typing import Any

import pytest
from simulators.common.serve import running
from simulators.google.app import create_app
from simulators.google.settings import Settings
from simulators.google.testing import Google, Receiver, receiving

HOST = "host@example.com"


@pytest.fixture
def google() -> Iterator[Google]:
    settings = Settings()
    with running(create_app(settings)) as url, Google(url, settings) as client:
        yield client


@pytest.fixture
def host(google: Google) -> Any:
    """The calendar service of a connected account in Santiago."""
    google.control("POST", "accounts", {"email": HOST, "name": "Hosted Host", "timeZone": "America/Santiago"})
    return google.calendar(google.connect(HOST))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as endpoint:
        yield endpoint
