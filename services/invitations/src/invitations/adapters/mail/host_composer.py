"""Composes mails to hosts, about their guests and with their own meetings."""

from collections.abc import Mapping
from datetime import datetime

from contracts.values.enums import Language
from contracts.values.text import sanitize_line

from invitations.adapters.mail.calendar import PUBLISH, published_calendar_of
from invitations.adapters.mail.composing import deliverable, reachable
from invitations.adapters.mail.host_content import host_content, meeting_content
from invitations.adapters.mail.mail_templates import MailTemplates
from invitations.adapters.mail.message import Mailbox, Parts, assemble
from invitations.adapters.mail.translators import Translator
from invitations.application.mail_sender import Mail
from invitations.domain.host_notice import GuestNotice, HostNotice, MeetingNotice, NoticeTopic


class HostMailComposer:
    """Writes mails to hosts in every language."""

    def __init__(
        self,
        *,
        sender: Mailbox,
        return_address: str,
        id_domain: str,
        translators: Mapping[Language, Translator],
        default_language: Language,
    ) -> None:
        """``sender`` is the From; mails return to ``return_address``; ``id_domain``: the right side of Message-IDs."""
        self._sender = sender
        self._return_address = return_address
        self._id_domain = id_domain
        self._translators = translators
        self._default_language = default_language
        self._templates = MailTemplates()

    def compose_notice(self, notice: HostNotice, *, now: datetime) -> Mail:
        """See ``HostComposer.compose_notice``. Replies go to the guest, unless it is the guest who cannot be mailed."""
        recipient = deliverable(notice.meeting.host_email)
        translator = self._translators[notice.meeting.host_language or self._default_language]
        reply_to, calendar = None, b""
        if isinstance(notice, MeetingNotice):
            words = meeting_content(notice, translator)
            uid = f"{notice.meeting_uuid}@{self._id_domain}"
            calendar = published_calendar_of(notice, words, organizer=recipient, uid=uid)
        elif isinstance(notice, GuestNotice):
            words = host_content(notice, translator)
            if notice.topic is not NoticeTopic.FAILURE:
                reply_to = reachable(sanitize_line(notice.person.name), notice.person.email)
        else:
            raise TypeError(f"a notice about {notice.topic} cannot be written")
        message_id = f"<{notice.subject_id}.{notice.sequence}.{notice.topic}@{self._id_domain}>"
        content = assemble(
            Parts(
                sender=self._sender,
                reply_to=reply_to,
                recipient=Mailbox(name=sanitize_line(notice.meeting.host_name), address=recipient),
                subject=words.subject,
                message_id=message_id,
                follows=(f"<{notice.meeting_uuid}.host@{self._id_domain}>",),  # programs show a meeting as one thread
                date=now,
                plain=self._templates.plain(words, {}),
                html=self._templates.html(words, {}),
                calendar=calendar,
                method=PUBLISH if calendar else "",
            )
        )
        return Mail(recipient, message_id, content, self._return_address)
