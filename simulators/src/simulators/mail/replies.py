"""Answering a mail as its recipient would: the reply is made as their program makes it, and handed to the platform."""

from __future__ import annotations

import asyncio
import smtplib
from datetime import timedelta
from email import message_from_bytes
from enum import StrEnum

from pydantic import BaseModel

from simulators.mail.mailbox import Envelope
from simulators.mail.programs import Answer, Outgoing, Program, bounce, reply

AUTHSERV_ID = "mail.example.com"
"""The name of the receiving mail server that this plays."""
_LATER = timedelta(hours=1)


class Action(StrEnum):
    """What the recipient does, or the mail server that could not deliver the mail."""

    YES = "yes"
    MAYBE = "maybe"
    NO = "no"
    PROPOSE = "propose"  # an hour later
    BOUNCE = "bounce"


_ANSWERS = {Action.YES: Answer.YES, Action.MAYBE: Answer.MAYBE, Action.NO: Answer.NO, Action.PROPOSE: Answer.MAYBE}


class Handed(BaseModel):
    """What the platform's mail listener said to a reply."""

    code: int
    text: str


class Replies:
    """Hands replies to the platform's listener, as the firm's mail server would."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    async def send(self, content: bytes, envelope: Envelope, program: Program, action: Action) -> Handed:
        """Reply to this mail. Raises OSError when nothing listens, ValueError when the mail is no invitation."""
        mail = message_from_bytes(content)
        user = envelope.recipients[0]
        try:
            if action is Action.BOUNCE:
                outgoing = bounce(mail, envelope.mail_from)
            else:
                propose = _LATER if action is Action.PROPOSE else None
                outgoing = reply(mail, program, _ANSWERS[action], user=user, propose=propose)
        except StopIteration:
            raise ValueError("there is no invitation in this mail") from None
        return await asyncio.to_thread(self._hand_over, outgoing)

    def _hand_over(self, mail: Outgoing) -> Handed:
        domain = mail.mail_from.rpartition("@")[2]
        results = f"Authentication-Results: {AUTHSERV_ID}; dmarc=pass header.from={domain}\r\n" if domain else ""
        with smtplib.SMTP(self._host, self._port, timeout=20) as server:
            server.ehlo()
            server.mail(mail.mail_from)
            code, text = server.rcpt(mail.recipient)
            if code == 250:
                code, text = server.data(results.encode() + b"\r\n".join(mail.content.splitlines()))
        return Handed(code=code, text=text.decode("utf-8", "replace"))
