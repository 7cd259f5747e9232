"""The mail programs of guests, and their mail server, which keeps a reply until it is acknowledged."""

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any

import httpx

from tests.chaos.history import History, Json, MailReply

_PROGRAMS = ("gmail", "outlook", "apple", "thunderbird")
_ACTIONS = {"ACCEPTED": "yes", "DECLINED": "no"}
_PATIENCE = 150.0
"""Seconds for which a reply is tried again: longer than any outage that is inflicted, and its end."""
_PAUSE = 0.5
_LATER = (429, 502, 503)
"""The simulated mail server could not reach the platform."""


@dataclass(frozen=True)
class GuestsMail:
    """The mails that guests have, and their replies."""

    http: httpx.AsyncClient
    history: History

    async def newest_invitation(self, address: str) -> tuple[int, int] | None:
        """The id of this guest's newest mail and the version that asked for it; None when they have none to answer."""
        mails = await self._get("/api/messages", to=address)
        mail = await self._get(f"/api/messages/{mails[0]['id']}") if mails else None
        if mail is None or mail["calendarMethod"] != "REQUEST":
            return None
        return mail["id"], int(mail["messageId"].strip("<>").partition("@")[0].split(".")[1])

    async def reply(self, chance: random.Random, mail_id: int, reply: MailReply) -> None:
        """Hand the reply over until it is acknowledged, or refused for good."""
        self.history.replies.append(reply)
        answer = {"program": chance.choice(_PROGRAMS), "action": _ACTIONS[reply.status]}
        deadline = time.monotonic() + _PATIENCE
        while not reply.acknowledged and not reply.refusal and time.monotonic() < deadline:
            reply.attempts += 1
            try:
                answered = await self.http.post(f"/api/messages/{mail_id}/reply", json=answer)
            except httpx.TransportError:
                answered = None
            if answered is not None and answered.is_success:
                code = answered.json()["code"]
                reply.acknowledged = code == 250
                reply.refusal = f"{code} {answered.json()['text']}" if code >= 500 else ""
            elif answered is not None and answered.status_code not in _LATER and answered.status_code < 500:
                reply.refusal = f"{answered.status_code} of the mail server"
            if not reply.acknowledged:
                await asyncio.sleep(chance.uniform(0, 2 * _PAUSE))  # a mail server's pause, nothing waits for it

    async def _get(self, path: str, **query: str) -> Any:
        """None while the mail server is away."""
        try:
            answer = await self.http.get(path, params=query)
        except httpx.TransportError:
            return None
        found: list[Json] | Json | None = answer.json() if answer.is_success else None
        return found
