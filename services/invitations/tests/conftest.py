"""A composer, and guests to write to."""

from datetime import timedelta

import pytest
from contracts.rsvp_tokens import RsvpKeys
from contracts.values.enums import Language
from invitations.adapters.mail.composing import MailComposer
from invitations.adapters.mail.links import RsvpLinks
from invitations.adapters.mail.message import Party
from invitations.adapters.mail.tongues import read_tongues

KEYS = RsvpKeys.parse("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")


@pytest.fixture(scope="session")
def keys() -> RsvpKeys:
    return KEYS


@pytest.fixture(scope="session")
def composer() -> MailComposer:
    return MailComposer(
        sender=Party(name="Meetings", address="meetings@example.com"),
        uid_domain="meetings.example.com",
        links=RsvpLinks("https://meet.example.com", KEYS, grace=timedelta(days=7)),
        tongues=read_tongues(),
        default_language=Language.ENGLISH,
    )
