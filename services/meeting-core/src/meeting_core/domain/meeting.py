"""The meeting: its state and what may happen to it. Pure: no clock, no database, no bus.

Every method either changes the meeting and returns the event that tells so, or returns None because nothing changed, or
raises a ``ApiError``. One change is one new version and one event.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Self

from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.calendar_events import (
    ExternalEventUpserted,
    InvitationAnswered,
    MirroredEventChanged,
    MirrorStatusChanged,
)
from contracts.messages.command import Actor
from contracts.messages.invitation_events import (
    DeliveryEvent,
    GuestProposedNewTime,
    GuestReplied,
    MailFailed,
    MailReply,
)
from contracts.messages.meeting_commands import CreateMeeting, MeetingChanges, UpdateMeeting
from contracts.messages.meeting_events import (
    InvitationDelivered,
    InvitationFailed,
    InvitationResent,
    MeetingCanceled,
    MeetingCreated,
    MeetingRemovedFromCalendar,
    MeetingSyncChanged,
    MeetingUpdated,
    ParticipantProposedNewTime,
    ParticipantResponded,
    SyncRetryRequested,
)
from contracts.transport.idempotency import CommandRecord, IdempotentCommand, ProcessedCommands
from contracts.values.enums import (
    AnswerWay,
    ExternalSyncStatus,
    MeetingSource,
    MeetingStatus,
    RsvpStatus,
    SyncFailureCode,
    SyncOperation,
)
from contracts.values.limits import MAX_LINE, MAX_PARTICIPANTS, MAX_TEXT, MAX_TITLE
from contracts.values.meeting import HostFields, MeetingContent, MeetingState
from contracts.values.text import sanitize_line, sanitize_text
from contracts.values.times import Instant
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from meeting_core.domain.imported import Imported
from meeting_core.domain.participants import (
    CalendarAnswer,
    LastMail,
    Participant,
    Replacement,
    admit,
    replace_people,
    replacement,
)

_MOVING = frozenset({"start_date_time", "end_date_time", "timezone", "all_day", "location_type", "location_detail"})
_UNSEEN_BY_GUESTS = frozenset({"internal_notes", "meeting_password"})
_LASTING_FAILURES = frozenset({SyncFailureCode.INVALID_REQUEST})
_STORED = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class SyncState(BaseModel):
    """How the meeting's copy in the host's connected calendar stands."""

    model_config = _STORED

    status: ExternalSyncStatus = ExternalSyncStatus.NOT_APPLICABLE
    last_operation: SyncOperation | None = None
    failed_at: Instant | None = None
    failure_code: SyncFailureCode | None = None
    failure_reason: str | None = None
    wanted_in: int = 0
    """The version that last asked for a sync: news of an earlier one is out of date."""
    heard: int = 0
    """The highest sequence of a sync event so far."""


class Meeting(BaseModel):
    """The aggregate. What its host decides is ``content``; the rest is who, state and history."""

    model_config = _STORED

    meeting_uuid: str
    tenant_uuid: str
    version: int
    changed_in: int = 1
    """The version of the last change that somebody made; later ones only noted what services did."""
    content: MeetingContent
    hosted: HostFields
    status: MeetingStatus = MeetingStatus.ACTIVE
    source: MeetingSource = MeetingSource.INTERNAL
    ical_sequence: int = 0
    asked_in_ical_sequence: int = 0
    """The SEQUENCE with which everybody was last asked anew: replies to an earlier one are out of date."""
    created_at: Instant
    updated_at: Instant
    participants: list[Participant] = Field(default_factory=list)
    calendar: list[str] = Field(default_factory=list)
    sync: SyncState = Field(default_factory=SyncState)
    processed_commands: ProcessedCommands = Field(default_factory=ProcessedCommands)
    guests_hidden: bool = False
    """Whether the guests do not see each other: an external organiser's wish."""
    imported: Imported | None = None
    """The external calendars that the meeting was made in; None when it was made here."""

    # --- who is who ---------------------------------------------------------------------------------------------

    def is_managed_by(self, user_id: str) -> bool:
        return user_id in (self.hosted.host_uuid, self.hosted.created_by_uuid)

    def participant(self, participant_uuid: str | None) -> Participant:
        """The participant of this participantUuid.

        Raises:
            ApiError: there is none, or not any longer.
        """
        for one in self.participants:
            if one.participant_uuid == participant_uuid:
                return one
        raise ApiError(ErrorCode.PARTICIPANT_NOT_FOUND)

    def participant_of(self, user_id: str) -> Participant | None:
        return next((one for one in self.participants if one.participant_entity_uuid == user_id), None)

    def admits(self, user_id: str) -> bool:
        """Only host, creator and participants see a meeting."""
        return self.is_managed_by(user_id) or self.participant_of(user_id) is not None

    def shows_guests_to(self, user_id: str) -> bool:
        """Whether this person sees all participants, not only themselves: whose calendar organises it always does."""
        organizes = user_id == self.hosted.host_uuid and not self.hosted.externally_organized
        return organizes or not self.guests_hidden

    def participants_for(self, user_id: str) -> list[Participant]:
        """The participants whom this person sees."""
        if self.shows_guests_to(user_id):
            return self.participants
        return [one for one in self.participants if one.participant_entity_uuid == user_id]

    @property
    def is_editable(self) -> bool:
        return self.status is MeetingStatus.ACTIVE and self.source is MeetingSource.INTERNAL

    @property
    def is_on_outside_calendar(self) -> bool:
        """Whether a list should mark it as coming from, or written to, an outside calendar."""
        return self.source is not MeetingSource.INTERNAL or self.sync.status is ExternalSyncStatus.SYNCED

    @property
    def has_retryable_sync(self) -> bool:
        """Whether the latest sync failed for a cause that can pass."""
        return self.sync.status is ExternalSyncStatus.FAILED and self.sync.failure_code not in _LASTING_FAILURES

    def is_still_as_in(self, version: int) -> bool:
        """Whether nobody has changed the meeting since this version; a mail that got delivered is no change."""
        return self.changed_in <= version <= self.version

    @property
    def duration_minutes(self) -> int:
        """Whole minutes of real elapsed time."""
        return int(self.content.schedule.duration.total_seconds() // 60)

    @property
    def busy(self) -> list[str]:
        """Whose time the meeting takes: the host's and every staff participant's who has not declined."""
        if self.status is not MeetingStatus.ACTIVE:
            return []
        if self.imported is not None:
            return self.imported.busy
        staff = (one for one in self.participants if one.is_staff and one.rsvp_status is not RsvpStatus.DECLINED)
        return sorted(
            {self.hosted.host_uuid, *(one.participant_entity_uuid for one in staff if one.participant_entity_uuid)}
        )

    # --- what may happen ----------------------------------------------------------------------------------------

    @classmethod
    def create(cls, command: CreateMeeting, now: datetime, *, synced: bool = False) -> tuple[Self, MeetingCreated]:
        """A new meeting: the caller becomes host and creator and is no participant.

        ``synced``, here and below: the host has an external calendar connected.
        """
        actor = command.actor
        _check_schedule(command.content)
        participants = admit(command.invitees, host=actor.user_id, host_email=actor.email)
        meeting = cls(
            meeting_uuid=command.meeting_uuid,
            tenant_uuid=actor.tenant_uuid,
            version=1,
            content=command.content,
            hosted=HostFields(
                host_uuid=actor.user_id,
                host_type=actor.user_type,
                host_name=actor.name,
                host_email=actor.email,
                created_by_uuid=actor.user_id,
                created_by_type=actor.user_type,
            ),
            created_at=now,
            updated_at=now,
            participants=_limited(participants),
        )
        meeting._put_on_calendars()
        if synced:
            meeting._queue_sync(SyncOperation.CREATE)
        return meeting, MeetingCreated(meeting=meeting.state())

    def update(self, command: UpdateMeeting, now: datetime, *, synced: bool = False) -> MeetingUpdated | None:
        """Change content and people. A new time, zone or place resets the answers; a change of nothing is None."""
        self._must_be_editable_by(command.actor)
        people = replace_people(
            self.participants,
            contacts=command.contacts,
            staff=command.staff,
            externals=command.externals,
            host=self.hosted.host_uuid,
            host_email=self.hosted.host_email,
        )
        return self._revise(_merged(self.content, command.changes), people, now, synced=synced)

    def cancel(self, actor: Actor, now: datetime, *, synced: bool = False) -> MeetingCanceled:
        """Call the meeting off."""
        self._must_be_editable_by(actor)
        return self._call_off(now, synced=synced)

    def take_over(self, change: MirroredEventChanged, now: datetime) -> MeetingUpdated | None:
        """Change what the host changed in their calendar's copy; a mere change of texts is not told to guests.

        What is over, and is so after the change, is only put on record: no answer is void, and no guest is told.

        Raises:
            ApiError: they are not the host, the meeting is canceled, or it cannot be then.
        """
        self._must_be_editable_by_host(change.user_id)
        copied = _copied(self.content, change)
        return self._revise(
            copied,
            replacement(self.participants, self.participants),
            now,
            synced=True,
            silent_texts=True,
            on_record=_is_over(self.content, now) and _is_over(copied, now),
        )

    def take_back(self, user_id: str, now: datetime) -> MeetingCanceled | None:
        """Call the meeting off, because the host deleted their calendar's copy; None when they only tidied up.

        Raises:
            ApiError: they are not the host, or the meeting is canceled.
        """
        self._must_be_editable_by_host(user_id)
        return None if _is_over(self.content, now) else self._call_off(now, synced=True)

    def put_copy_right(self) -> SyncRetryRequested:
        """Have the copy in the host's calendar say what the meeting says, or have it go."""
        self.version += 1
        self._queue_sync(self.sync.last_operation)
        return SyncRetryRequested(meeting=self.state())

    def hide(self, actor: Actor, now: datetime) -> MeetingRemovedFromCalendar | None:
        """Take the canceled meeting off the actor's calendar; once it is off, nothing changes."""
        self._must_admit(actor)
        if self.status is not MeetingStatus.CANCELED:
            raise ApiError(ErrorCode.MEETING_NOT_CANCELED)
        if actor.user_id not in self.calendar:
            return None
        self.calendar.remove(actor.user_id)
        self._changed(now)
        return MeetingRemovedFromCalendar(meeting=self.state(), user_uuid=actor.user_id)

    def answer(
        self,
        participant: Participant,
        status: RsvpStatus,
        now: datetime,
        *,
        way: AnswerWay,
        tentative: bool = False,
        answered_at: datetime | None = None,
    ) -> ParticipantResponded | None:
        """Record a participant's answer; the last one counts, the same one again changes nothing.

        ``answered_at``: by their own clock; default: now.
        """
        if self.status is MeetingStatus.CANCELED:
            raise ApiError(ErrorCode.MEETING_CANCELED)
        if participant.rsvp_status is status and participant.tentative is tentative:
            return None
        answer = {"rsvp_status": status, "tentative": tentative, "rsvp_changed_at": answered_at or now}
        answered = participant.model_copy(update=answer)
        self.participants = [answered if one is participant else one for one in self.participants]
        if self.imported is not None:
            self.imported = self.imported.answered(participant.participant_entity_uuid, status)
        self._changed(now)
        return ParticipantResponded(
            meeting=self.state(),
            participant_uuid=participant.participant_uuid,
            rsvp_status=status,
            way=way,
            tentative=tentative,
        )

    def note_reply(self, reply: GuestReplied, now: datetime) -> ParticipantResponded | None:
        """Take a participant's answer by mail, unless it is out of date, or they are gone."""
        participant = self._replying(reply)
        if participant is None or _is_older(reply, participant):
            return None
        return self.answer(
            participant,
            reply.rsvp_status,
            now,
            way=AnswerWay.MAIL_REPLY,
            tentative=reply.tentative,
            answered_at=reply.replied_at,
        )

    def note_proposal(self, proposal: GuestProposedNewTime) -> ParticipantProposedNewTime | None:
        """Take note of another time that a participant proposed, unless that is known or out of date."""
        participant = self._replying(proposal)
        if participant is None or participant.last_proposal_id == proposal.reply_id:
            return None
        noted = participant.model_copy(update={"last_proposal_id": proposal.reply_id})
        self.participants = [noted if one is participant else one for one in self.participants]
        self.version += 1
        return ParticipantProposedNewTime(
            meeting=self.state(),
            participant_uuid=participant.participant_uuid,
            starts_at=proposal.starts_at,
            ends_at=proposal.ends_at,
            comment=proposal.comment,
        )

    def _replying(self, reply: MailReply) -> Participant | None:
        """Who replied, if they are still asked what they reply to."""
        is_out_of_date = reply.ical_sequence is not None and reply.ical_sequence < self.asked_in_ical_sequence
        if self.status is MeetingStatus.CANCELED or is_out_of_date:
            return None
        return next((one for one in self.participants if one.participant_uuid == reply.participant_uuid), None)

    def note_calendar_answer(self, event: InvitationAnswered, now: datetime) -> ParticipantResponded | None:
        """Take note of how a participant answered our invitation in their own calendar; what is known is no news."""
        participant = self.participant_of(event.user_id)
        if participant is None or self.status is MeetingStatus.CANCELED:
            return None
        before = participant.calendar_answer
        if before is not None and event.sequence <= before.sequence:
            return None
        said = CalendarAnswer(sequence=event.sequence, answer=event.answer if event.answered else None)
        noted = participant.model_copy(update={"calendar_answer": said})
        self.participants = [noted if one is participant else one for one in self.participants]
        if not participant.hears(said):
            return None
        return self.answer(noted, event.answer, now, way=AnswerWay.CALENDAR)

    def respondent(self, *, actor: Actor | None, participant_uuid: str | None) -> Participant:
        """Who answers: the participant the actor is, or the one a mail link names.

        Raises:
            ApiError: the actor is no participant, or the participant is not (any longer) in the meeting.
        """
        if actor is not None:
            self._must_admit(actor)
            participant = self.participant_of(actor.user_id)
            if participant is None:
                raise ApiError(ErrorCode.FORBIDDEN, message="Only participants can answer an invitation")
            return participant
        return self.participant(participant_uuid)

    def resend(
        self, actor: Actor, participant_uuid: str | None, now: datetime, cooldown: timedelta
    ) -> InvitationResent | None:
        """Have one participant, or all, mailed again, but nobody without an address or within the cooldown."""
        self._must_be_editable_by(actor)
        asked = self.participants if participant_uuid is None else [self.participant(participant_uuid)]
        mailed = [one.participant_uuid for one in asked if one.can_be_mailed_again(now, cooldown)]
        if not mailed:
            return None
        self._changed(now)
        self.participants = [
            one.mailed_again(now, self.version) if one.participant_uuid in mailed else one for one in self.participants
        ]
        return InvitationResent(meeting=self.state(), participant_uuids=mailed)

    def note_mail(self, mail: DeliveryEvent) -> InvitationDelivered | InvitationFailed | None:
        """Take note of how a mail went, unless that is known, or its receiver is gone."""
        receiver = next((one for one in self.participants if one.participant_uuid == mail.participant_uuid), None)
        failed = mail if isinstance(mail, MailFailed) else None
        if receiver is None or not receiver.learns_of(mail.sequence, failed=failed is not None):
            return None
        last_mail = LastMail(
            sequence=mail.sequence,
            at=mail.at,
            failure_code=failed.failure_code if failed else None,
            failure_reason=failed.failure_reason if failed else None,
        )
        noted = receiver.model_copy(update={"last_mail": last_mail})
        self.participants = [noted if one is receiver else one for one in self.participants]
        self.version += 1
        if failed is None:
            return InvitationDelivered(meeting=self.state(), participant_uuid=mail.participant_uuid, kind=mail.kind)
        return InvitationFailed(
            meeting=self.state(),
            participant_uuid=mail.participant_uuid,
            kind=mail.kind,
            failure_code=failed.failure_code,
            failure_reason=failed.failure_reason,
        )

    def retry_sync(self, actor: Actor) -> SyncRetryRequested:
        """Have a failed sync tried again."""
        self._must_be_editable_by(actor)
        if not self.has_retryable_sync:
            raise ApiError(ErrorCode.SYNC_NOT_RETRYABLE)
        return self.put_copy_right()

    def note_sync(self, news: MirrorStatusChanged) -> MeetingSyncChanged | None:
        """Take note of how the copy in the host's calendar stands, unless that is known or out of date."""
        before = self.sync
        if news.sequence <= before.heard or news.meeting_version < before.wanted_in:
            return None
        failed = news.status is ExternalSyncStatus.FAILED
        self.sync = SyncState(
            status=news.status,
            last_operation=news.operation or before.last_operation,
            failed_at=news.at if failed else None,
            failure_code=news.failure_code,
            failure_reason=news.failure_reason,
            wanted_in=before.wanted_in,
            heard=news.sequence,
        )
        if self.sync == before.model_copy(update={"heard": news.sequence}):
            return None
        self.version += 1
        return MeetingSyncChanged(
            meeting=self.state(),
            operation=self.sync.last_operation,
            failure_code=news.failure_code,
            failure_reason=news.failure_reason,
        )

    # --- what external calendars say ----------------------------------------------------------------------------

    @classmethod
    def seen_outside(
        cls, seen: ExternalEventUpserted, imported: Imported, now: datetime
    ) -> tuple[Self, MeetingCreated]:
        """The meeting that was first seen in an external calendar."""
        meeting = cls(
            meeting_uuid=seen.meeting_uuid,
            tenant_uuid=seen.tenant_uuid,
            version=1,
            content=imported.content,
            hosted=imported.hosted,
            source=imported.source,
            created_at=now,
            updated_at=now,
            participants=imported.participants(()),
            calendar=imported.calendar,
            guests_hidden=imported.guests_hidden,
            imported=imported,
        )
        return meeting, MeetingCreated(meeting=meeting.state())

    def stands_in(self, imported: Imported, now: datetime) -> MeetingUpdated | MeetingCanceled | None:
        """Be what these calendars say now; what nobody here would see is no change.

        An event that is in no calendar any more is canceled, unless it is over: then it has only left the calendars.
        """
        self.imported = imported
        self.calendar = imported.calendar
        if imported.sightings:
            return self._become(imported, now)
        if self.status is MeetingStatus.CANCELED or _is_over(self.content, now):
            return None
        self.status = MeetingStatus.CANCELED
        self._changed(now)
        return MeetingCanceled(meeting=self.state())

    def _become(self, imported: Imported, now: datetime) -> MeetingUpdated | None:
        people = replacement(self.participants, imported.participants(self.participants))
        changed = [*_differing(self.content, imported.content), *_differing(self.hosted, imported.hosted)]
        changed += ["source"] if self.source is not imported.source else []
        changed += ["status"] if self.status is MeetingStatus.CANCELED else []
        changed += ["guests_hidden"] if self.guests_hidden is not imported.guests_hidden else []
        if not changed and not people.changed:
            return None
        self.content, self.hosted, self.source = imported.content, imported.hosted, imported.source
        self.participants, self.guests_hidden = people.now, imported.guests_hidden
        self.status = MeetingStatus.ACTIVE
        self._changed(now)
        return self._updated(changed, people, rescheduled=not _MOVING.isdisjoint(changed), silent=True)

    # --- repeats ------------------------------------------------------------------------------------------------

    def has_decided(self, command: IdempotentCommand) -> bool:
        """Whether this very command was carried out here before.

        Raises:
            ApiError: it was refused before, or its id was used for a different request.
        """
        return self.processed_commands.has(command)

    def remember(self, command: IdempotentCommand, refusal: ApiError | None, now: datetime, *, changed: bool) -> None:
        """Keep what was decided."""
        record = CommandRecord.of(command, refusal, at=now, version=self.version if changed else None)
        self.processed_commands.add(record)

    def was_mailed_again_by(self, command: IdempotentCommand, participant: Participant) -> bool:
        """Whether this command, or a later one, had the participant mailed again; False: they were skipped."""
        record = self.processed_commands.find(command.command_id)
        made = None if record is None else record.version
        return made is not None and (participant.mailed_again_in_version or 0) >= made

    # --- what is told -------------------------------------------------------------------------------------------

    def state(self) -> MeetingState:
        """The public state: no internal notes, no password."""
        schedule = self.content.schedule
        return MeetingState(
            **_fields(self.content, MeetingState),
            **_fields(self.hosted, MeetingState),
            meeting_uuid=self.meeting_uuid,
            tenant_uuid=self.tenant_uuid,
            starts_at=schedule.starts_at,
            ends_at=schedule.ends_at,
            status=self.status,
            source=self.source,
            ical_sequence=self.ical_sequence,
            created_at=self.created_at,
            updated_at=self.updated_at,
            participants=[one.state() for one in self._told(self.participants)],
            external_sync_status=self.sync.status,
        )

    # --- inside -------------------------------------------------------------------------------------------------

    def _must_admit(self, actor: Actor) -> None:
        if not self.admits(actor.user_id):
            raise ApiError(ErrorCode.FORBIDDEN)

    def _must_be_editable_by(self, actor: Actor) -> None:
        if self.source is not MeetingSource.INTERNAL:
            raise ApiError(ErrorCode.MEETING_READ_ONLY)
        if not self.is_managed_by(actor.user_id):
            raise ApiError(ErrorCode.FORBIDDEN)
        self._must_be_active()

    def _must_be_editable_by_host(self, user_id: str) -> None:
        if user_id != self.hosted.host_uuid:
            raise ApiError(ErrorCode.FORBIDDEN)
        self._must_be_active()

    def _must_be_active(self) -> None:
        if self.status is MeetingStatus.CANCELED:
            raise ApiError(ErrorCode.MEETING_CANCELED)

    def _revise(
        self,
        content: MeetingContent,
        people: Replacement,
        now: datetime,
        *,
        synced: bool,
        silent_texts: bool = False,
        on_record: bool = False,
    ) -> MeetingUpdated | None:
        """Take new content and people.

        ``silent_texts``: guests are told only when time, zone or place is new; ``on_record``: not even then, and their
        answers stay.
        """
        _check_schedule(content)
        _limited(people.now)
        changed = _differing(self.content, content)
        if not changed and not people.changed:
            return None
        rescheduled = not on_record and not _MOVING.isdisjoint(changed)
        if rescheduled:
            people = replace(people, now=[one.unanswered() for one in people.now])
        if people.changed or set(changed) - _UNSEEN_BY_GUESTS:
            # Also for people: the CANCEL to one who goes, and the REQUEST to one who comes back, must outrank what they
            # have (RFC 5546 section 2.1.5).
            self.ical_sequence += 1
        if rescheduled:
            self.asked_in_ical_sequence = self.ical_sequence
        self.content, self.participants = content, people.now
        self._put_on_calendars()
        self._changed(now)
        if synced:
            self._queue_sync(SyncOperation.UPDATE)
        return self._updated(changed, people, rescheduled=rescheduled, silent=silent_texts and not rescheduled)

    def _updated(self, changed: list[str], people: Replacement, *, rescheduled: bool, silent: bool) -> MeetingUpdated:
        wire_names = [to_camel(name) for name in changed]
        return MeetingUpdated(
            meeting=self.state(),
            changed=[*wire_names, "participants"] if people.changed else wire_names,
            rescheduled=rescheduled,
            added=[one.participant_uuid for one in self._told(people.added)],
            removed=[one.state() for one in self._told(people.removed)],
            silent=silent,
        )

    def _told(self, people: list[Participant]) -> list[Participant]:
        """Those of them whom events name: of a hidden list only people of the platform, whose calendars it is on."""
        return [one for one in people if one.participant_entity_uuid] if self.guests_hidden else people

    def _call_off(self, now: datetime, *, synced: bool) -> MeetingCanceled:
        self.status = MeetingStatus.CANCELED
        self.ical_sequence += 1
        self._changed(now)
        if synced and self.sync.status is not ExternalSyncStatus.NOT_APPLICABLE:
            self._queue_sync(SyncOperation.DELETE)
        return MeetingCanceled(meeting=self.state())

    def _put_on_calendars(self) -> None:
        attending = (one.participant_entity_uuid for one in self.participants if one.participant_entity_uuid)
        self.calendar = sorted({self.hosted.host_uuid, *attending})

    def _queue_sync(self, operation: SyncOperation | None) -> None:
        self.sync = SyncState(
            status=ExternalSyncStatus.PENDING,
            last_operation=operation,
            wanted_in=self.version,
            heard=self.sync.heard,
        )

    def _changed(self, now: datetime) -> None:
        self.version += 1
        self.changed_in = self.version
        self.updated_at = now


def _is_older(reply: MailReply, participant: Participant) -> bool:
    """Whether the participant has answered since they sent this reply; programs write whole seconds."""
    answered_at = participant.rsvp_changed_at
    return answered_at is not None and reply.replied_at < answered_at.replace(microsecond=0)


def _merged(content: MeetingContent, changes: MeetingChanges) -> MeetingContent:
    """The content after a partial update: null leaves a field as it is, an empty string clears it."""
    given = {name: value for name, value in changes if value is not None}
    return content.model_copy(update={name: None if value == "" else value for name, value in given.items()})


def _copied(content: MeetingContent, change: MirroredEventChanged) -> MeetingContent:
    """The content after what the host changed in their calendar's copy, cut to what a meeting can say.

    The copy shows the meeting's link where the meeting names no place: that it does so still is no change of place.
    """
    place = change.location
    if place is not None and place == (content.location_detail or content.meeting_link or ""):
        place = content.location_detail
    return _merged(
        content,
        MeetingChanges(
            title=None if change.title is None else sanitize_line(change.title, max_length=MAX_TITLE),
            start_date_time=change.start_date_time,
            end_date_time=change.end_date_time,
            timezone=change.timezone,
            all_day=change.all_day,
            location_detail=None if place is None else sanitize_line(place, max_length=MAX_LINE),
            description=None if change.description is None else sanitize_text(change.description, max_length=MAX_TEXT),
        ),
    )


def _differing(before: BaseModel, now: BaseModel) -> list[str]:
    """The names of the fields in which two of a kind differ."""
    return [name for name in type(now).model_fields if getattr(now, name) != getattr(before, name)]


def _is_over(content: MeetingContent, now: datetime) -> bool:
    """Whether nothing of it is to come: what a calendar does to it is tidying up."""
    return content.schedule.ends_at <= now


def _check_schedule(content: MeetingContent) -> None:
    try:
        content.schedule.checked()
    except ValueError as problem:
        raise ApiError(ErrorCode.VALIDATION_FAILED, details=[f"endDateTime: {problem}"]) from problem


def _limited(participants: list[Participant]) -> list[Participant]:
    if len(participants) > MAX_PARTICIPANTS:
        raise ApiError(ErrorCode.VALIDATION_FAILED, details=[f"participants: at most {MAX_PARTICIPANTS} are allowed"])
    return participants


def _fields(source: BaseModel, target: type[BaseModel]) -> dict[str, Any]:
    """The fields that two models share, as a plain mapping."""
    return {name: value for name, value in source if name in target.model_fields}
