"""Reading delivery status notifications (RFC 3464): what failed, and why."""

import re
from email.message import Message

from contracts.values.enums import DeliveryFailureCode
from contracts.values.text import sanitize_line

from invitations.domain.inbound import DeliveryReport

_STATUS = re.compile(r"\b5\.(\d{1,3})\.(\d{1,3})\b")
_ADDRESS = re.compile(r"<?[^\s<>]+@[^\s<>]+>?")
_MAX_REASON = 200
_MAX_RECIPIENTS = 20
# Subjects of enhanced status codes: RFC 3463 section 3, by their second digit.
_CODES = {
    "1": DeliveryFailureCode.ADDRESS_REJECTED,
    "6": DeliveryFailureCode.MAIL_REJECTED,
    "7": DeliveryFailureCode.MAIL_REJECTED,
}


def read_report(part: Message) -> DeliveryReport | None:
    """The failure that a ``message/delivery-status`` part reports; None when it reports none."""
    blocks = part.get_payload()
    if not isinstance(blocks, list):
        return None
    for block in blocks[: _MAX_RECIPIENTS + 1]:
        if isinstance(block, Message) and str(block.get("Action", "")).strip().lower() == "failed":
            return _report(str(block.get("Status", "")), str(block.get("Diagnostic-Code", "")))
    return None


def _report(status: str, diagnostic: str) -> DeliveryReport:
    found = _STATUS.search(status) or _STATUS.search(diagnostic)
    code = _CODES.get(found[1], DeliveryFailureCode.UNREACHABLE) if found else DeliveryFailureCode.UNREACHABLE
    words = diagnostic.partition(";")[2] or diagnostic or status or "returned without a reason"
    return DeliveryReport(code=code, reason=sanitize_line(_ADDRESS.sub("…", words), max_length=_MAX_REASON))
