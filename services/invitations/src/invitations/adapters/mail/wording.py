"""What a mail says: a guest's meeting in the guest's words, clean of whatever strangers wrote into it.

Internal notes and the meeting's password are not in here, because they are not in the events.
"""

from dataclasses import dataclass

from contracts.values.enums import LocationType, MailKind, RsvpStatus
from contracts.values.limits import MAX_LINE
from contracts.values.meeting import MeetingState
from contracts.values.text import sanitize_line, sanitize_text, web_link

from invitations.adapters.mail.tongues import Tongue
from invitations.domain.guest import Guest, SentContent


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """The words of one mail. Empty means not said."""

    language: str
    """BCP 47."""
    subject: str
    headline: str
    note: str
    """What is expected of the guest, or what to know."""
    before: dict[str, str]
    """What the guest was told before, where it was something else: title, when, where."""
    title: str
    when: str
    where: str
    link: str
    provider: str
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
        return "\n\n".join(filter(None, (self.description, self.information, link, self.provider)))


def wording(guest: Guest, kind: MailKind, tongue: Tongue) -> Wording:
    """The words of the mail of this kind to this guest."""
    meeting, say = guest.meeting, tongue.say
    host = sanitize_line(meeting.organizer_name or meeting.host_name or meeting.organizer_email or meeting.host_email)
    told = _facts(meeting, host, tongue)
    title = told["title"]
    return Wording(
        language=tongue.tag,
        subject=_subject(kind, title, tongue),
        headline=_headline(guest, kind, host, tongue),
        note=_note(guest, kind, tongue),
        before=_before(guest, kind, host, tongue, told),
        title=title,
        when=told["when"],
        where=told["where"],
        link=_web_link(meeting.meeting_link),
        provider=sanitize_line(meeting.meeting_provider, max_length=60),
        host=host,
        description=sanitize_text(meeting.description),
        information=sanitize_text(meeting.meeting_information),
        accept=say("Accept"),
        decline=say("Decline"),
        labels={
            "before": say("Before"),
            "when": say("When"),
            "where": say("Where"),
            "link": say("Join"),
            "host": say("Host"),
            "about": say("Description"),
            "information": say("Information"),
        },
    )


def _facts(meeting: MeetingState | SentContent, host: str, tongue: Tongue) -> dict[str, str]:
    """Title, time and place in words."""
    say = tongue.say
    return {
        "title": sanitize_line(meeting.title) or (say("Meeting with %(host)s", host=host) if host else say("Meeting")),
        "when": tongue.when(meeting),
        "where": sanitize_line(meeting.location_detail, max_length=MAX_LINE)
        or (say("Online") if meeting.location_type is LocationType.ONLINE else ""),
    }


def _before(guest: Guest, kind: MailKind, host: str, tongue: Tongue, now: dict[str, str]) -> dict[str, str]:
    if kind is not MailKind.UPDATE or guest.told is None or guest.told.content is None:
        return {}
    before = _facts(guest.told.content, host, tongue)
    return {name: before[name] for name in now if before[name] != now[name]}


def _subject(kind: MailKind, title: str, tongue: Tongue) -> str:
    match kind:
        case MailKind.INVITATION:
            return tongue.say("Invitation: %(title)s", title=title)
        case MailKind.UPDATE:
            return tongue.say("Updated: %(title)s", title=title)
        case MailKind.REMINDER:
            return tongue.say("Reminder: %(title)s", title=title)
        case MailKind.CANCELLATION:
            return tongue.say("Canceled: %(title)s", title=title)


def _headline(guest: Guest, kind: MailKind, host: str, tongue: Tongue) -> str:
    match kind:
        case MailKind.INVITATION:
            by = tongue.say("%(host)s invites you to a meeting", host=host)
            return by if host else tongue.say("You are invited to a meeting")
        case MailKind.UPDATE:
            return tongue.say("This meeting has changed")
        case MailKind.REMINDER:
            return tongue.say("A reminder of your invitation")
        case MailKind.CANCELLATION if guest.removed:
            return tongue.say("You are no longer invited to this meeting")
        case MailKind.CANCELLATION:
            return tongue.say("This meeting has been canceled")


def _note(guest: Guest, kind: MailKind, tongue: Tongue) -> str:
    if kind is MailKind.CANCELLATION:
        told = guest.told.content if guest.told and guest.told.content else guest.meeting
        free = tongue.say("You are free again: %(when)s.", when=tongue.when(told))
        nothing = tongue.say("You do not need to do anything. Your calendar removes it.")
        return f"{free} {nothing}"
    match guest.person.rsvp_status:
        case RsvpStatus.ACCEPTED:
            return tongue.say("You have accepted. You can still change your answer.")
        case RsvpStatus.DECLINED:
            return tongue.say("You have declined. You can still change your answer.")
        case RsvpStatus.UNKNOWN:
            return tongue.say("Will you be there? Please answer.")


def _web_link(text: str | None) -> str:
    try:
        return web_link(text or "")
    except ValueError:
        return ""
