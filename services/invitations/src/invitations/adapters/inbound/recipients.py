"""For which of our addresses a mail in a mailbox is: its envelope is gone, its header fields remain."""

from email import message_from_bytes, policy
from email.utils import getaddresses

from invitations.domain.guest_addresses import GuestAddresses

_FIELDS = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To", "Cc")
"""What servers write of the envelope comes first. A sender can forge all of them, but not the signature of a tag."""
_MAX_HEADER_BYTES = 64 * 1024
_MAX_FIELDS = 10
_MAX_ADDRESSES = 50


def recipient_of(content: bytes, addresses: GuestAddresses) -> str:
    """The first address of a guest in the header; our own address without a tag when there is none."""
    header = message_from_bytes(_header(content), policy=policy.compat32)
    for name in _FIELDS:
        fields = [str(field)[:_MAX_HEADER_BYTES] for field in header.get_all(name, [])[:_MAX_FIELDS]]
        for _, address in getaddresses(fields)[:_MAX_ADDRESSES]:
            if addresses.read(address) is not None:
                return address
    return addresses.base


def _header(content: bytes) -> bytes:
    """Up to the first empty line, and no more than the limit."""
    start = content[:_MAX_HEADER_BYTES].replace(b"\r\n", b"\n")
    return start.partition(b"\n\n")[0] + b"\n\n"
