"""What a mail says: a guest's meeting in the guest's words, clean of whatever strangers wrote into it.

Internal notes are not in here, because they are not in the events.
"""

from dataclasses import dataclass

from contracts.values.enums import LocationType, MailKind, RsvpStatus
from contracts.values.limits import MAX_LINE
from contracts.values.meeting import MeetingState
from contracts.values.text import sanitize_line, sanitize_text, web_link

from invitations.adapters.mail.translators import Translator
from invitations.domain.guest import Guest, SentContent


@dataclass(frozen=True, slots=True, kw_only=True)
class MailContent:
    """The words of one mail. Empty means not said."""

    language: str
    """BCP 47."""
    subject: str
    headline: str
    note: str
    """What is expected of the guest, or what to know."""
    before: dict[str, str]
    """What the last mail said, where it differs: title, when, where."""
    title: str
    when: str
    rows: tuple[tuple[str, str], ...] = ()
    """Labels and texts of what else is to be known."""
    where: str
    link: str
    provider: str
    password: str
    host: str
    description: str
    information: str
    accept: str
    decline: str
    labels: dict[str, str]

    @property
    def calendar_notes(self) -> str:
        """What a calendar program shows below the event."""
        link = f"{self.labels['link']}: {self.link}" if self.link else ""
        password = f"{self.labels['password']}: {self.password}" if self.password else ""
        joining = "\n".join(filter(None, (link, password)))
        return "\n\n".join(filter(None, (self.description, self.information, joining, self.provider)))


def mail_content(guest: Guest, kind: MailKind, translator: Translator, *, password: str | None = None) -> MailContent:
    """The words of the mail of this kind to this guest; ``password``: to join the meeting."""
    meeting, translate = guest.meeting, translator.translate
    host = sanitize_line(meeting.organizer_name or meeting.host_name or meeting.organizer_email or meeting.host_email)
    facts = meeting_facts(_known(guest) if kind is MailKind.CANCELLATION else meeting, host, translator)
    title = facts["title"]
    return MailContent(
        language=translator.tag,
        subject=_subject(kind, title, translator),
        headline=_headline(guest, kind, host, translator),
        note=_note(guest, kind, translator),
        before=_before(guest, kind, host, translator, facts),
        title=title,
        when=facts["when"],
        where=facts["where"],
        link=joining_link(meeting.meeting_link),
        provider=sanitize_line(meeting.meeting_provider, max_length=60),
        password=sanitize_line(password, max_length=MAX_LINE),
        host=host,
        description=sanitize_text(meeting.description),
        information=sanitize_text(meeting.meeting_information),
        accept=translate("Accept"),
        decline=translate("Decline"),
        labels=labels(translator),
    )


def labels(translator: Translator) -> dict[str, str]:
    """What stands before each fact."""
    translate = translator.translate
    return {
        "before": translate("Before"),
        "when": translate("When"),
        "where": translate("Where"),
        "link": translate("Join"),
        "password": translate("Passcode"),
        "host": translate("Host"),
        "about": translate("Description"),
        "information": translate("Information"),
    }


def meeting_facts(meeting: MeetingState | SentContent, host: str, translator: Translator) -> dict[str, str]:
    """Title, time and place in words."""
    translate = translator.translate
    return {
        "title": sanitize_line(meeting.title)
        or (translate("Meeting with %(host)s", host=host) if host else translate("Meeting")),
        "when": translator.when(meeting.schedule),
        "where": sanitize_line(meeting.location_detail, max_length=MAX_LINE)
        or (translate("Online") if meeting.location_type is LocationType.ONLINE else ""),
    }


def _known(guest: Guest) -> MeetingState | SentContent:
    """The meeting as the last mail said it: what the guest has in their calendar."""
    return guest.last_mail.content if guest.last_mail and guest.last_mail.content else guest.meeting


def _before(guest: Guest, kind: MailKind, host: str, translator: Translator, now: dict[str, str]) -> dict[str, str]:
    if kind is not MailKind.UPDATE or guest.last_mail is None or guest.last_mail.content is None:
        return {}
    return facts_before(guest.last_mail.content, now, host, translator)


def facts_before(sent: SentContent, now: dict[str, str], host: str, translator: Translator) -> dict[str, str]:
    """Those facts of the last mail that are other facts now."""
    before = meeting_facts(sent, host, translator)
    return {name: before[name] for name in now if before[name] != now[name]}


def _subject(kind: MailKind, title: str, translator: Translator) -> str:
    match kind:
        case MailKind.INVITATION:
            return translator.translate("Invitation: %(title)s", title=title)
        case MailKind.UPDATE:
            return translator.translate("Updated: %(title)s", title=title)
        case MailKind.REMINDER:
            return translator.translate("Reminder: %(title)s", title=title)
        case MailKind.CANCELLATION:
            return translator.translate("Canceled: %(title)s", title=title)


def _headline(guest: Guest, kind: MailKind, host: str, translator: Translator) -> str:
    match kind:
        case MailKind.INVITATION:
            by = translator.translate("%(host)s invites you to a meeting", host=host)
            return by if host else translator.translate("You are invited to a meeting")
        case MailKind.UPDATE:
            return translator.translate("This meeting has changed")
        case MailKind.REMINDER:
            return translator.translate("A reminder of your invitation")
        case MailKind.CANCELLATION if guest.removed:
            return translator.translate("You are no longer invited to this meeting")
        case MailKind.CANCELLATION:
            return translator.translate("This meeting has been canceled")


def _note(guest: Guest, kind: MailKind, translator: Translator) -> str:
    if kind is MailKind.CANCELLATION:
        free = translator.translate("You are free again: %(when)s.", when=translator.when(_known(guest).schedule))
        nothing = translator.translate("You do not need to do anything. Your calendar removes it.")
        return f"{free} {nothing}"
    match guest.person.rsvp_status:
        case RsvpStatus.ACCEPTED:
            return translator.translate("You have accepted. You can still change your answer.")
        case RsvpStatus.DECLINED:
            return translator.translate("You have declined. You can still change your answer.")
        case RsvpStatus.UNKNOWN:
            return translator.translate("Will you be there? Please answer.")


def joining_link(text: str | None) -> str:
    """The link to join, if it is one that may be shown."""
    try:
        return web_link(text or "")
    except ValueError:
        return ""
