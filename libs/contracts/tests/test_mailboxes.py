"""Spellings of one mailbox count as one."""

import pytest
from contracts.values.mailboxes import mailbox_of


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ("jane@example.com", "jane@example.com"),
        ("Jane+1@Example.COM", "jane@example.com"),
        ("jane+a+b@example.com", "jane@example.com"),
        ("j.a.n.e+x@gmail.com", "jane@gmail.com"),
        ("J.ane@GoogleMail.com", "jane@gmail.com"),
        ("j.ane@example.com", "j.ane@example.com"),
        (" jane@example.com ", "jane@example.com"),
        ("+tag@example.com", "+tag@example.com"),
    ],
)
def test_spellings_are_folded(address: str, mailbox: str) -> None:
    assert mailbox_of(address) == mailbox


def test_different_people_stay_different() -> None:
    assert len({mailbox_of(f"{name}@example.com") for name in ("ann", "bob", "a.nn")}) == 3
