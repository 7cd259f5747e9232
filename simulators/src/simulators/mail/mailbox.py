"""The mails that came in: raw bytes on disk, read when asked for."""

from __future__ import annotations

import email.policy
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class _View(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Envelope(_View):
    """What the SMTP session said. `received_at` is UTC; `id` rises with every mail and is never used again."""

    id: int
    received_at: datetime
    mail_from: str
    recipients: list[str]


class Summary(Envelope):
    """One line of the list: the envelope and the headers a reader looks for."""

    subject: str
    sender: str
    to: str
    message_id: str | None


class Header(_View):
    """One header field, decoded."""

    name: str
    value: str


class Attachment(_View):
    """A part that is not the body; `size` in bytes."""

    file_name: str | None
    content_type: str
    size: int


class Mail(Summary):
    """A whole mail, decoded. `calendar` is the iCalendar text of the first text/calendar part."""

    headers: list[Header]
    text: str | None
    html: str | None
    calendar: str | None
    calendar_method: str | None
    attachments: list[Attachment]


class Mailbox:
    """All mails of one folder: `<id>.eml` is the mail as it came, `<id>.json` its envelope, written last."""

    def __init__(self, folder: Path) -> None:
        """Take up what an earlier run left in `folder`, which is made when it does not exist."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        kept = [Envelope.model_validate_json(path.read_bytes()) for path in folder.glob("*.json")]
        self._envelopes = {envelope.id: envelope for envelope in sorted(kept, key=lambda each: each.id)}
        self._last_id = max(self._envelopes, default=0)

    def keep(self, content: bytes, *, mail_from: str, recipients: list[str]) -> Envelope:
        """Store a mail; once this returns, a restart will not lose it."""
        self._last_id += 1
        envelope = Envelope(id=self._last_id, received_at=datetime.now(UTC), mail_from=mail_from, recipients=recipients)
        self._path(envelope.id, "eml").write_bytes(content)
        draft = self._path(envelope.id, "draft")
        draft.write_text(envelope.model_dump_json(by_alias=True))
        draft.replace(self._path(envelope.id, "json"))
        self._envelopes[envelope.id] = envelope
        return envelope

    def summaries(self, to: str | None = None) -> list[Summary]:
        """The mails, newest first; with `to`, those whose envelope names this recipient, however capitalised."""
        return [_summary(envelope, self._read(envelope.id)) for envelope in self._matching(to)]

    def mail(self, mail_id: int) -> Mail:
        """One mail. Raises KeyError when there is none with this id."""
        return _mail(self._envelopes[mail_id], self._read(mail_id))

    def raw(self, mail_id: int) -> bytes:
        """One mail as it came. Raises KeyError when there is none with this id."""
        return self._path(self._envelopes[mail_id].id, "eml").read_bytes()

    def clear(self, to: str | None = None) -> None:
        """Delete all mails, or those to one recipient. Their ids stay used up until the next start."""
        for envelope in list(self._matching(to)):
            del self._envelopes[envelope.id]
            self._path(envelope.id, "json").unlink()
            self._path(envelope.id, "eml").unlink()

    def _matching(self, to: str | None) -> Iterator[Envelope]:
        for envelope in reversed(self._envelopes.values()):
            if to is None or to.casefold() in map(str.casefold, envelope.recipients):
                yield envelope

    def _read(self, mail_id: int) -> EmailMessage:
        return message_from_bytes(self.raw(mail_id), policy=email.policy.default)

    def _path(self, mail_id: int, kind: str) -> Path:
        return self._folder / f"{mail_id}.{kind}"


def _summary(envelope: Envelope, message: EmailMessage) -> Summary:
    return Summary(
        **envelope.model_dump(),
        subject=str(message.get("Subject", "")),
        sender=str(message.get("From", "")),
        to=str(message.get("To", "")),
        message_id=message.get("Message-ID"),
    )


def _mail(envelope: Envelope, message: EmailMessage) -> Mail:
    leaves = [part for part in message.walk() if not part.is_multipart()]
    bodies: dict[str, EmailMessage] = {}
    attachments = []
    for part in leaves:
        kind = part.get_content_type()
        if not part.is_attachment() and kind in ("text/plain", "text/html", "text/calendar") and kind not in bodies:
            bodies[kind] = part
        else:
            size = len(part.get_payload(decode=True) or b"")
            attachments.append(Attachment(file_name=part.get_filename(), content_type=kind, size=size))
    calendar = bodies.get("text/calendar")
    return Mail(
        **_summary(envelope, message).model_dump(),
        headers=[Header(name=name, value=str(value)) for name, value in message.items()],
        text=_text(bodies.get("text/plain")),
        html=_text(bodies.get("text/html")),
        calendar=_text(calendar),
        calendar_method=calendar["Content-Type"].params.get("method") if calendar else None,
        attachments=attachments,
    )


def _text(part: EmailMessage | None) -> str | None:
    """A text part, decoded; what its character set does not allow is shown as a replacement character."""
    if part is None:
        return None
    content = part.get_payload(decode=True)
    charset = part.get_content_charset("utf-8")
    try:
        return bytes(content or b"").decode(charset, "replace")
    except LookupError:  # no such character set
        return bytes(content or b"").decode("utf-8", "replace")
