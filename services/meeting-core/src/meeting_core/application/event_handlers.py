"""Applies events of other services to meetings. They have no replies.

Events may come twice or late: the sequence or id shows whether one is known.
"""

from dataclasses import dataclass
from datetime import datetime

from contracts.messages.calendar_events import (
    ExternalEventDeleted,
    ExternalEventUpserted,
    InvitationAnswered,
    MirroredEventChanged,
    MirroredEventDeleted,
    MirrorStatusChanged,
)
from contracts.messages.invitation_events import DeliveryEvent, GuestProposedNewTime, GuestReplied
from contracts.values.enums import MeetingSource

from meeting_core.application.unit_of_work import UnitOfWork
from meeting_core.domain.external_sources import ExternalSources
from meeting_core.domain.imports import calendar_of, meeting_from_import, update_from_import
from meeting_core.domain.reports import (
    apply_host_change,
    record_calendar_answer,
    record_delivery,
    record_mail_reply,
    record_mirror_status,
    record_proposal,
)


def apply_delivery(uow: UnitOfWork, mail: DeliveryEvent) -> None:
    """A mail to a participant was delivered, or cannot be."""
    if uow.meeting is not None:
        record_delivery(uow.meeting, mail)
        _track_if_changed(uow)


def apply_mirror_status(uow: UnitOfWork, report: MirrorStatusChanged) -> None:
    """The mirrored event in the host's calendar has another status."""
    meeting = uow.meeting_of(report.tenant_uuid)
    if meeting is not None:
        record_mirror_status(meeting, report)
        _track_if_changed(uow)


def apply_calendar_answer(uow: UnitOfWork, answered: InvitationAnswered, now: datetime) -> None:
    """A participant answered our invitation in their own calendar."""
    meeting = uow.meeting_of(answered.tenant_uuid)
    if meeting is not None and meeting.source is MeetingSource.INTERNAL:
        record_calendar_answer(meeting, answered, now)
        uow.track(meeting)


def apply_mail_reply(uow: UnitOfWork, reply: GuestReplied | GuestProposedNewTime, now: datetime) -> None:
    """A guest replied by mail, with an answer or another time."""
    meeting = uow.meeting_of(reply.tenant_uuid)
    if meeting is None or meeting.source is not MeetingSource.INTERNAL:
        return
    if isinstance(reply, GuestReplied):
        record_mail_reply(meeting, reply, now)
    else:
        record_proposal(meeting, reply)
    _track_if_changed(uow)


def import_external_event(uow: UnitOfWork, event: ExternalEventUpserted, now: datetime) -> None:
    """An event in a user's external calendar is a meeting here."""
    if uow.meeting is None:
        if (sources := ExternalSources().with_event(event)) is not None:
            uow.track(meeting_from_import(event, sources, now))
        return
    meeting = uow.meeting_of(event.tenant_uuid)
    if meeting is not None and meeting.external_sources is not None:
        _update_import(uow, meeting.external_sources.with_event(event), now, user_id=event.owner.user_id)


def remove_external_event(uow: UnitOfWork, event: ExternalEventDeleted, now: datetime) -> None:
    """The event was deleted from a user's external calendar."""
    meeting = uow.meeting_of(event.tenant_uuid)
    if meeting is not None and meeting.external_sources is not None:
        _update_import(uow, meeting.external_sources.without(event), now, user_id=event.user_id)


def apply_mirrored_event_change(
    uow: UnitOfWork, change: MirroredEventChanged | MirroredEventDeleted, now: datetime
) -> None:
    """The host changed or deleted the mirrored event in their calendar."""
    meeting, processed = uow.meeting_of(change.tenant_uuid), _ProcessedChange(change.change_id)
    if meeting is None or meeting.source is not MeetingSource.INTERNAL or meeting.processed_commands.has(processed):
        return
    apply_host_change(meeting, change, now)
    meeting.record_processed(processed, None, now, changed=True)
    uow.track(meeting)


@dataclass(frozen=True, slots=True)
class _ProcessedChange:
    """A change of a mirrored event, identified by its id, like a command."""

    command_id: str
    fingerprint: str = ""


def _update_import(uow: UnitOfWork, sources: ExternalSources | None, now: datetime, *, user_id: str) -> None:
    """Apply what the calendars say now, since this user's changed; None: the event is known or out of date."""
    if uow.meeting is not None and sources is not None:
        update_from_import(uow.meeting, sources, now, by=calendar_of(user_id))
        uow.track(uow.meeting)


def _track_if_changed(uow: UnitOfWork) -> None:
    if uow.meeting is not None and uow.meeting.new_events:
        uow.track(uow.meeting)
