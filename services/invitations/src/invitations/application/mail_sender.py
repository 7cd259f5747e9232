"""Sends one mail, and says what is to be done when the mail server does not take it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from chassis.backoff import backoff
from chassis.http.rate_limit import RateLimiter
from contracts.values.enums import DeliveryFailureCode
from contracts.values.mailboxes import mailbox_of
from contracts.values.times import utc_now


@dataclass(frozen=True, slots=True)
class Mail:
    """A finished mail: envelope, identity and bytes."""

    recipient: str
    message_id: str
    content: bytes
    return_address: str
    """Where the mail returns when it cannot be delivered: MAIL FROM."""
    organizer: str = ""
    """The ORGANIZER of the calendar part; empty without one."""


class UndeliverableError(Exception):
    """This mail cannot be sent, whenever it is tried."""

    def __init__(self, code: DeliveryFailureCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class DeferredError(Exception):
    """This mail cannot be sent now. ``may_have_been_sent``: the mail server may have accepted it."""

    def __init__(self, reason: str, *, may_have_been_sent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_have_been_sent = may_have_been_sent


class Mailer(Protocol):
    """Hands mails to the mail server."""

    async def send(self, mail: Mail) -> None:
        """Return once the mail server has taken responsibility.

        Raises:
            UndeliverableError: it refused for good.
            DeferredError: it refused for now, or its answer got lost.
            ConnectionError: the mail server is away, or has no use for us; no mail would get through.
        """


@dataclass(frozen=True, slots=True)
class Deferred:
    """The mail is to be tried again in ``retry_in`` seconds."""

    retry_in: float
    may_have_been_sent: bool
    reason: str
    held_back: bool = False
    """Its mailbox has had too many mails lately."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The mail will not be sent."""

    code: DeliveryFailureCode
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When deferred mails are tried again: delays in seconds double up to ``max_delay``; they fail in the end."""

    initial_delay: float
    max_delay: float
    give_up_after: timedelta


class MailSender:
    """Makes one attempt at a mail."""

    def __init__(self, mailer: Mailer, retry_policy: RetryPolicy, mailboxes: RateLimiter) -> None:
        """``mailboxes``: how many mails one mailbox may get."""
        self._mailer = mailer
        self._retry_policy = retry_policy
        self._mailboxes = mailboxes

    async def send(
        self,
        write: Callable[[], Awaitable[Mail]],
        *,
        to: str | None,
        requested_at: datetime,
        number: int,
        is_urgent: bool = False,
    ) -> Mail | Deferred | Refused:
        """Send what ``write`` writes; ``number`` counts the attempts from 1.

        Unless it ``is_urgent``, the mail waits while its mailbox gets too many; what changes meanwhile goes with it.

        Raises:
            ConnectionError: the mail server is away.
        """
        policy = self._retry_policy
        wait = self._mailboxes.wait(mailbox_of(to or ""))
        if wait and not is_urgent:
            pause = backoff(number, initial=max(wait, policy.initial_delay), maximum=max(wait, policy.max_delay))
            return Deferred(pause, may_have_been_sent=False, reason="too many mails to one mailbox", held_back=True)
        try:
            mail = await write()
            await self._mailer.send(mail)
        except UndeliverableError as refusal:
            return Refused(refusal.code, refusal.reason)
        except DeferredError as deferral:
            if utc_now() - requested_at >= policy.give_up_after:
                return Refused(DeliveryFailureCode.UNREACHABLE, deferral.reason)
            pause = backoff(number, initial=policy.initial_delay, maximum=policy.max_delay)
            return Deferred(pause, may_have_been_sent=deferral.may_have_been_sent, reason=deferral.reason)
        return mail
