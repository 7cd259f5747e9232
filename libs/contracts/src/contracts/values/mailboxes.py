"""Which addresses are one mailbox, so that limits per mailbox cannot be passed by other spellings of it."""

from contracts.values.text import email_key

_DOTLESS = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}
"""Domains that ignore dots in the local part, and the name under which they are one domain
(https://support.google.com/mail/answer/7436150)."""


def mailbox_of(address: str) -> str:
    """The mailbox that an address leads to, for comparison only: mail goes to the address as it was given.

    What ``email_key`` ignores is ignored, a tag after a plus (RFC 5233) and, at Google, dots too. Where a server tells
    such addresses apart, several mailboxes count as one.
    """
    local, _, domain = email_key(address).rpartition("@")
    user = local.partition("+")[0] or local
    if domain in _DOTLESS:
        user, domain = user.replace(".", ""), _DOTLESS[domain]
    return f"{user}@{domain}"
