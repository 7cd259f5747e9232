"""Projects events onto notices to hosts, and mails them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from chassis.kafka.consumer import Batch
from contracts.messages.meeting_events import MeetingEvent
from contracts.transport.envelope import Envelope
from contracts.values.times import utc_now

from invitations.application.mail_sender import Deferred, Mail, MailSender, Refused
from invitations.domain.host_notice import HostMails, HostNotice, NoticeTopic, host_notice, meeting_notice


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeUpdate:
    """A notice to be stored. ``stored_sequence``: of the one that it replaces; None when there is none."""

    notice: HostNotice
    stored_sequence: int | None
    mail_at: datetime
    """When a mail is due, if one is pending then."""


class HostNotices(Protocol):
    """Where notices are kept."""

    async def load(self, notice_ids: set[str]) -> Mapping[str, HostNotice]:
        """Those of them that are known, by id."""

    async def save(self, updates: list[NoticeUpdate]) -> None:
        """Write all in one call.

        Raises:
            chassis.mongo.database.ConflictError: another writer changed some of them first; all others are written.
        """


class HostNoticeProjector:
    """Applies batches of events to the stored notices."""

    def __init__(
        self,
        notices: HostNotices,
        scope: HostMails,
        *,
        own_meetings: bool,
        wake: Callable[[], None],
        update_window: timedelta,
    ) -> None:
        """``own_meetings``: hosts without a connected calendar are mailed their own meetings.

        ``wake`` is called when mails are due; answers and changes wait ``update_window`` for the next one.
        """
        self._notices = notices
        self._scope = scope
        self._own_meetings = own_meetings
        self._wake = wake
        self._update_window = update_window

    async def handle(self, batch: Batch) -> None:
        """Idempotent: of what is known already, nothing is written."""
        newest: dict[str, HostNotice] = {}
        for received in batch:
            for notice in self._notices_of(received.body, received.envelope):
                newest[notice.notice_id] = notice  # the events of a meeting are in order
        if not newest:
            return
        known = await self._notices.load(set(newest))
        updates = [
            update for key, notice in newest.items() if (update := self._update(known.get(key), notice)) is not None
        ]
        await self._notices.save(updates)
        self._wake()

    def _notices_of(self, body: object, envelope: Envelope) -> Iterator[HostNotice]:
        if not isinstance(body, MeetingEvent):
            return
        if self._scope is not HostMails.NONE and (of_guest := host_notice(body, envelope)) is not None:
            yield of_guest
        if self._own_meetings and (of_meeting := meeting_notice(body, envelope)) is not None:
            yield of_meeting

    def _update(self, known: HostNotice | None, notice: HostNotice) -> NoticeUpdate | None:
        """None: the notice is known, or nothing that a host is mailed comes of it."""
        if known is not None and known.sequence >= notice.sequence:
            return None
        if known is None and not notice.is_pending(self._scope):
            return None
        may_change = notice.topic is NoticeTopic.ANSWER or (notice.topic is NoticeTopic.MEETING and known is not None)
        pause = self._update_window if may_change else timedelta(0)
        # Of a known one a mail may be leaving, so that only the next attempt knows whether another one is pending.
        return NoticeUpdate(
            notice=notice,
            stored_sequence=None if known is None else known.sequence,
            mail_at=utc_now() + pause,
        )


class HostComposer(Protocol):
    """Writes mails to hosts."""

    def compose_notice(self, notice: HostNotice, *, now: datetime) -> Mail:
        """The mail that says what the notice says.

        Raises:
            UndeliverableError: the host's address is none.
        """


class HostMailDelivery:
    """Mails hosts what is pending."""

    def __init__(self, composer: HostComposer, sender: MailSender, scope: HostMails) -> None:
        self._composer = composer
        self._sender = sender
        self._scope = scope

    async def deliver(self, notice: HostNotice, *, number: int) -> Mail | Refused | Deferred | None:
        """Send the pending mail; None: none is pending. ``number`` counts the attempts from 1.

        Raises:
            ConnectionError: the mail server is away.
        """
        if not notice.is_pending(self._scope):
            return None

        async def write() -> Mail:
            return self._composer.compose_notice(notice, now=utc_now())

        return await self._sender.send(write, to=notice.meeting.host_email, requested_at=notice.at, number=number)
