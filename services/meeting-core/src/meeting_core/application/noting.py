"""Taking note of what other services did for a meeting. Nobody waits for an answer."""

from contracts.deliveries import DeliveryEvent

from meeting_core.application.work import Work


def note_mail(work: Work, mail: DeliveryEvent) -> None:
    """How a mail to a participant went; a repeat, or one to somebody who is gone, changes nothing."""
    meeting = work.meeting
    if meeting is not None and (event := meeting.note_mail(mail)) is not None:
        work.say(meeting, event)
