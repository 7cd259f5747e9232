"""Taking note of what other services did for a meeting. Nobody waits for an answer."""

from contracts.deliveries import DeliveryEvent
from contracts.sync import SyncChanged

from meeting_core.application.work import Work


def note_mail(work: Work, mail: DeliveryEvent) -> None:
    """How a mail to a participant went; a repeat, or one to somebody who is gone, changes nothing."""
    meeting = work.meeting
    if meeting is not None and (event := meeting.note_mail(mail)) is not None:
        work.say(meeting, event)


def note_sync(work: Work, news: SyncChanged) -> None:
    """How the copy in the host's calendar stands; what is known or out of date changes nothing."""
    meeting = work.of_tenant(news.tenant_uuid)
    if meeting is not None and (event := meeting.note_sync(news)) is not None:
        work.say(meeting, event)
