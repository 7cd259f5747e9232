"""A composer, keys of links, and an empty collection of guests."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from chassis.mongo.database import Collection, open_database
from chassis.settings import DatabaseSettings
from contracts.rsvp_tokens import RsvpKeys
from contracts.values.enums import Language
from contracts.values.ids import uuid7_hex
from invitations.adapters.guests import INDEXES
from invitations.adapters.mail.composing import MailComposer
from invitations.adapters.mail.links import RsvpLinks
from invitations.adapters.mail.message import Mailbox
from invitations.adapters.mail.translators import load_translators
from pydantic import SecretStr

from tests.support.inbound_office import Office, open_office

KEYS = RsvpKeys.parse("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")


@pytest.fixture(scope="session")
def keys() -> RsvpKeys:
    return KEYS


@pytest.fixture(scope="session")
def composer() -> MailComposer:
    return MailComposer(
        sender=Mailbox(name="Meetings", address="meetings@example.com"),
        uid_domain="meetings.example.com",
        links=RsvpLinks("https://meet.example.com", KEYS, grace=timedelta(days=7)),
        translators=load_translators(),
        default_language=Language.ENGLISH,
    )


@pytest.fixture
async def guests(mongodb_uri: str) -> AsyncIterator[Collection]:
    """An empty collection of guests in a real MongoDB."""
    settings = DatabaseSettings(
        service_name="invitations",
        http_port=0,
        internal_token=SecretStr("internal"),
        mongodb_uri=mongodb_uri,
        mongodb_database="guests",
    )
    async with open_database(settings) as database:
        collection = database.collection(uuid7_hex())
        await collection.create_indexes(INDEXES)
        yield collection


@pytest.fixture
async def office(mongodb_uri: str) -> AsyncIterator[Office]:
    """The inbound side of the service."""
    async with open_office(mongodb_uri) as office:
        yield office
