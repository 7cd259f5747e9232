"""What a mail to a host says about one of their guests, or about their own meeting, in the host's language."""

from zoneinfo import ZoneInfo

from contracts.values.enums import RsvpStatus
from contracts.values.limits import MAX_LINE
from contracts.values.text import sanitize_line, sanitize_text
from contracts.values.times import Schedule

from invitations.adapters.mail.content import MailContent, facts_before, joining_link, labels, meeting_facts
from invitations.adapters.mail.translators import Translator
from invitations.domain.host_notice import GuestNotice, MeetingNotice, NoticeTopic


def host_content(notice: GuestNotice, translator: Translator) -> MailContent:
    """The words of the mail; the guest's own words are in no place where they could pass for ours."""
    meeting, translate = notice.meeting, translator.translate
    guest = sanitize_line(notice.person.name) or sanitize_line(notice.person.email) or translate("A guest")
    title = sanitize_line(meeting.title) or translate("Meeting")
    subject, headline, note = _message(notice, guest, title, translator)
    return MailContent(
        language=translator.tag,
        subject=subject,
        headline=headline,
        note=note,
        before={},
        title=title,
        when=translator.when(meeting.schedule),
        rows=tuple(_rows(notice, guest, translator).items()),
        where="",
        link="",
        provider="",
        password="",
        host="",
        description="",
        information="",
        accept="",
        decline="",
        labels={"when": translate("When"), "before": translate("Before")},
    )


def meeting_content(notice: MeetingNotice, translator: Translator) -> MailContent:
    """The words of a mail with the host's own meeting; a cancellation says what the host has in their calendar."""
    meeting = notice.meeting
    host = sanitize_line(meeting.host_name or meeting.host_email)
    known = notice.mailed if notice.is_canceled and notice.mailed else meeting
    facts = meeting_facts(known, host, translator)
    is_update = notice.mailed is not None and not notice.is_canceled
    subject, headline, note = _meeting_message(notice, facts["title"], facts["when"], translator)
    return MailContent(
        language=translator.tag,
        subject=subject,
        headline=headline,
        note=note,
        before=facts_before(notice.mailed, facts, host, translator) if notice.mailed and is_update else {},
        title=facts["title"],
        when=facts["when"],
        where=facts["where"],
        link=joining_link(meeting.meeting_link),
        provider=sanitize_line(meeting.meeting_provider, max_length=60),
        password="",
        host=host,
        description=sanitize_text(meeting.description),
        information=sanitize_text(meeting.meeting_information),
        accept="",
        decline="",
        labels=labels(translator),
    )


def _meeting_message(notice: MeetingNotice, title: str, when: str, translator: Translator) -> tuple[str, str, str]:
    """Subject, headline, and what the host may do."""
    translate = translator.translate
    if notice.is_canceled:
        free = translate("You are free again: %(when)s.", when=when)
        note = translate("Open the attachment, or delete the meeting from your calendar.")
        subject, headline = translate("Canceled: %(title)s", title=title), translate("This meeting has been canceled")
        return subject, headline, f"{free} {note}"
    note = translate("Open the attachment to have the meeting in your calendar.")
    if notice.mailed is not None:
        return translate("Updated: %(title)s", title=title), translate("This meeting has changed"), note
    return translate("Your meeting: %(title)s", title=title), translate("You host this meeting"), note


def _message(notice: GuestNotice, guest: str, title: str, translator: Translator) -> tuple[str, str, str]:
    """Subject, headline, and what the host may do."""
    translate, names = translator.translate, {"guest": guest, "title": title}
    reply = translate("Reply to this mail to write to them.")
    match notice.topic, notice.answer:
        case NoticeTopic.PROPOSAL, _:
            subject = translate("%(guest)s proposes a new time: %(title)s", **names)
            note = translate("Your meeting is unchanged. If the new time suits you, change the meeting.")
            return subject, translate("%(guest)s proposes a new time", guest=guest), f"{note} {reply}"
        case NoticeTopic.FAILURE, _:
            subject = translate("%(guest)s could not be reached: %(title)s", **names)
            note = translate("Please check the address, and invite them again.")
            return subject, translate("A mail to %(guest)s could not be delivered", guest=guest), note
        case _, RsvpStatus.ACCEPTED:
            subject = translate("%(guest)s accepts: %(title)s", **names)
            return subject, translate("%(guest)s has accepted", guest=guest), reply
        case _, RsvpStatus.DECLINED:
            subject = translate("%(guest)s declines: %(title)s", **names)
            return subject, translate("%(guest)s has declined", guest=guest), reply
    subject = translate("%(guest)s is undecided: %(title)s", **names)
    return subject, translate("%(guest)s has not decided", guest=guest), reply


def _rows(notice: GuestNotice, guest: str, translator: Translator) -> dict[str, str]:
    translate = translator.translate
    address = sanitize_line(notice.person.email)
    rows = {translate("Guest"): f"{guest} <{address}>" if address and address != guest else guest}
    if notice.starts_at is not None and notice.ends_at is not None:
        zone = ZoneInfo(notice.meeting.timezone)
        start, end = (at.astimezone(zone).replace(tzinfo=None) for at in (notice.starts_at, notice.ends_at))
        rows[translate("Proposed time")] = translator.when(Schedule(start, end, notice.meeting.timezone))
    if comment := sanitize_text(notice.comment):
        rows[translate("They write")] = comment
    if reason := sanitize_line(notice.failure_reason, max_length=MAX_LINE):
        rows[translate("Reason")] = reason
    return rows
