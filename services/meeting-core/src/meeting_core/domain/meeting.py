"""The meeting aggregate: its state, and what callers may do to it. Pure: no clock, no database, no broker.

A method that changes the meeting adds one event and raises the version by one. A change of nothing does neither. What
is not allowed raises an ``ApiError``. What other services report is in ``reports``, imported meetings in ``imports``.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Self

from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.command import Actor
from contracts.messages.meeting_commands import CreateMeeting, UpdateMeeting
from contracts.messages.meeting_events import (
    InvitationResent,
    MeetingCanceled,
    MeetingCreated,
    MeetingEvent,
    MeetingRemovedFromCalendar,
    MeetingUpdated,
    ParticipantResponded,
    SyncRetryRequested,
)
from contracts.model import StoredModel
from contracts.transport.idempotency import CommandRecord, IdempotentCommand, ProcessedCommands
from contracts.values.changes import ActorRef
from contracts.values.enums import (
    ExternalSyncStatus,
    GuestLanguage,
    MeetingSource,
    MeetingStatus,
    RsvpStatus,
    SyncOperation,
)
from contracts.values.limits import MAX_PARTICIPANTS
from contracts.values.meeting import HostFields, MeetingContent, MeetingState
from contracts.values.personal import PersonId
from contracts.values.times import Instant
from pydantic import BaseModel, Field, PrivateAttr
from pydantic.alias_generators import to_camel

from meeting_core.domain.access import require_active, require_editor, require_visible
from meeting_core.domain.content_changes import (
    changed_fields,
    check_schedule,
    is_rescheduling,
    is_seen_by_guests,
    merge_changes,
)
from meeting_core.domain.external_sources import ExternalSources
from meeting_core.domain.participants import Participant, ParticipantChange, replace_people, resolve_invitees
from meeting_core.domain.sync_state import SyncState


class Meeting(StoredModel):
    """The aggregate. What its host decides is ``content``; the rest is who, state and history."""

    meeting_uuid: str
    tenant_uuid: str
    version: int
    last_edit_version: int = 1
    """The version of the last change that a person made; later ones only recorded what services reported."""
    content: MeetingContent
    hosted: HostFields
    host_language: GuestLanguage = None
    status: MeetingStatus = MeetingStatus.ACTIVE
    source: MeetingSource = MeetingSource.INTERNAL
    ical_sequence: int = 0
    answers_reset_in_ical_sequence: int = 0
    """The SEQUENCE with which everybody was last asked anew: replies to an earlier one are out of date."""
    created_at: Instant
    updated_at: Instant
    participants: list[Participant] = Field(default_factory=list)
    visible_to_user_ids: list[PersonId] = Field(default_factory=list)
    """On whose calendars it is listed."""
    sync: SyncState = Field(default_factory=SyncState)
    processed_commands: ProcessedCommands = Field(default_factory=ProcessedCommands)
    guests_hidden: bool = False
    """Whether the guests do not see each other: an external organiser's wish."""
    external_sources: ExternalSources | None = None
    """The external calendars that the meeting was made in; None when it was made here."""
    _events: list[MeetingEvent] = PrivateAttr(default_factory=list)

    @classmethod
    def create(cls, command: CreateMeeting, now: datetime, *, host_connected: bool = False) -> Self:
        """A new meeting: the caller becomes host and creator and is no participant.

        ``host_connected``, here and below: the host has an external calendar connected.
        """
        actor = command.actor
        check_schedule(command.content)
        participants = resolve_invitees(command.invitees, host=actor.user_id, host_email=actor.email)
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
            host_language=actor.language,
            created_at=now,
            updated_at=now,
            participants=_limited(participants),
        )
        meeting._recompute_visibility()
        if host_connected:
            meeting.request_sync(SyncOperation.CREATE)
        meeting.add_event(MeetingCreated(meeting=meeting.state(), actor=actor.reference))
        return meeting

    def update(self, command: UpdateMeeting, now: datetime, *, host_connected: bool = False) -> None:
        """Change content and participants. A new time, zone or place resets the answers."""
        require_editor(self, command.actor)
        people = replace_people(
            self.participants,
            contacts=command.contacts,
            staff=command.staff,
            externals=command.externals,
            host=self.hosted.host_uuid,
            host_email=self.hosted.host_email,
        )
        content, by = merge_changes(self.content, command.changes), command.actor.reference
        self.revise(content, people, now, by=by, host_connected=host_connected)

    def cancel(self, actor: Actor, now: datetime, *, host_connected: bool = False) -> None:
        """Cancel the meeting on behalf of its host or creator."""
        require_editor(self, actor)
        self.mark_canceled(now, by=actor.reference, host_connected=host_connected)

    def hide(self, actor: Actor, now: datetime) -> None:
        """Remove the canceled meeting from the actor's calendar."""
        require_visible(self, actor)
        if self.status is not MeetingStatus.CANCELED:
            raise ApiError(ErrorCode.MEETING_NOT_CANCELED)
        if actor.user_id in self.visible_to_user_ids:
            self.visible_to_user_ids = [one for one in self.visible_to_user_ids if one != actor.user_id]
            self.mark_edited(now)
            self.add_event(
                MeetingRemovedFromCalendar(meeting=self.state(), actor=actor.reference, user_uuid=actor.user_id)
            )

    def answer(
        self,
        participant: Participant,
        status: RsvpStatus,
        now: datetime,
        *,
        by: ActorRef,
        tentative: bool = False,
        answered_at: datetime | None = None,
    ) -> None:
        """Record a participant's answer; the last one counts. ``answered_at``: by their own clock; default: now."""
        require_active(self)
        if participant.rsvp_status is status and participant.tentative is tentative:
            return
        self.replace_participant(
            participant, rsvp_status=status, tentative=tentative, rsvp_changed_at=answered_at or now
        )
        if self.external_sources is not None:
            self.external_sources = self.external_sources.with_answer(participant.participant_entity_uuid, status)
        self.mark_edited(now)
        self.add_event(
            ParticipantResponded(
                meeting=self.state(),
                actor=by,
                participant_uuid=participant.participant_uuid,
                rsvp_status=status,
                tentative=tentative,
            )
        )

    def resend(self, actor: Actor, participant_uuid: str | None, now: datetime, cooldown: timedelta) -> None:
        """Have one participant, or all, mailed again, except who has no address or is within the cooldown."""
        require_editor(self, actor)
        asked = self.participants if participant_uuid is None else [self.participant(participant_uuid)]
        mailed = [person.participant_uuid for person in asked if person.can_be_resent_invitation(now, cooldown)]
        if not mailed:
            return
        self.mark_edited(now)
        self.participants = [
            person.with_invitation_resent(now, self.version) if person.participant_uuid in mailed else person
            for person in self.participants
        ]
        self.add_event(InvitationResent(meeting=self.state(), actor=actor.reference, participant_uuids=mailed))

    def retry_sync(self, actor: Actor) -> None:
        """Have a failed sync tried again."""
        require_editor(self, actor)
        if not self.sync.is_retryable:
            raise ApiError(ErrorCode.SYNC_NOT_RETRYABLE)
        self.request_resync(by=actor.reference)

    def participant(self, participant_uuid: str | None) -> Participant:
        """The participant of this participantUuid. Raises ApiError when there is none, or not any longer."""
        for person in self.participants:
            if person.participant_uuid == participant_uuid:
                return person
        raise ApiError(ErrorCode.PARTICIPANT_NOT_FOUND)

    def participant_of(self, user_id: str) -> Participant | None:
        return next((person for person in self.participants if person.participant_entity_uuid == user_id), None)

    def is_unchanged_since(self, version: int) -> bool:
        """Whether no person has edited the meeting since this version; a delivered mail is no edit."""
        return self.last_edit_version <= version <= self.version

    def record_processed(
        self, command: IdempotentCommand, refusal: ApiError | None, now: datetime, *, changed: bool
    ) -> None:
        """Keep an idempotency record of the command."""
        version = self.version if changed else None
        self.processed_commands.add(CommandRecord.of(command, refusal, at=now, version=version))

    def state(self) -> MeetingState:
        """The public state that events carry: no internal notes, no password."""
        schedule = self.content.schedule
        return MeetingState(
            **_shared_fields(self.content, MeetingState),
            **_shared_fields(self.hosted, MeetingState),
            meeting_uuid=self.meeting_uuid,
            tenant_uuid=self.tenant_uuid,
            starts_at=schedule.starts_at,
            ends_at=schedule.ends_at,
            status=self.status,
            source=self.source,
            host_language=self.host_language,
            has_meeting_password=self.content.meeting_password is not None,
            ical_sequence=self.ical_sequence,
            created_at=self.created_at,
            updated_at=self.updated_at,
            participants=[person.state() for person in self.named_in_events(self.participants)],
            external_sync_status=self.sync.status,
        )

    def add_event(self, event: MeetingEvent) -> None:
        """Add the event that tells of the change just made."""
        self._events = [*self._events, event]  # a new list: a copy of the meeting has events of its own

    @property
    def new_events(self) -> Sequence[MeetingEvent]:
        """The events since they were collected last, oldest first."""
        return self._events

    def collect_events(self) -> list[MeetingEvent]:
        """The events since the last call, oldest first."""
        events, self._events = self._events, []
        return events

    # What the parts of the domain share.

    def revise(
        self,
        content: MeetingContent,
        people: ParticipantChange,
        now: datetime,
        *,
        by: ActorRef,
        host_connected: bool,
        silent_texts: bool = False,
        on_record: bool = False,
    ) -> None:
        """Take new content and people.

        ``silent_texts``: guests are mailed only when time, zone or place is new; ``on_record``: not even then, and
        their answers stay.
        """
        check_schedule(content)
        _limited(people.now)
        changed = changed_fields(self.content, content)
        if not changed and not people.changed:
            return
        rescheduled = not on_record and is_rescheduling(changed)
        if rescheduled:
            people = replace(people, now=[person.with_reset_answer() for person in people.now])
        if people.changed or is_seen_by_guests(changed):
            # Also for people: the CANCEL to one who goes, and the REQUEST to one who comes back, must outrank what they
            # have (RFC 5546 section 2.1.5).
            self.ical_sequence += 1
        if rescheduled:
            self.answers_reset_in_ical_sequence = self.ical_sequence
        self.content, self.participants = content, people.now
        self._recompute_visibility()
        self.mark_edited(now)
        if host_connected:
            self.request_sync(SyncOperation.UPDATE)
        self.add_updated(changed, people, by=by, rescheduled=rescheduled, silent=silent_texts and not rescheduled)

    def add_updated(
        self, changed: list[str], people: ParticipantChange, *, by: ActorRef, rescheduled: bool, silent: bool
    ) -> None:
        """Add the event of an update of these fields and people."""
        wire_names = [to_camel(name) for name in changed]
        self.add_event(
            MeetingUpdated(
                meeting=self.state(),
                actor=by,
                changed=[*wire_names, "participants"] if people.changed else wire_names,
                rescheduled=rescheduled,
                added=[person.participant_uuid for person in self.named_in_events(people.added)],
                removed=[person.state() for person in self.named_in_events(people.removed)],
                silent=silent,
            )
        )

    def mark_canceled(self, now: datetime, *, by: ActorRef, host_connected: bool) -> None:
        """Cancel the meeting, and its mirrored event if it has one."""
        self.status = MeetingStatus.CANCELED
        self.ical_sequence += 1
        self.mark_edited(now)
        if host_connected and self.sync.status is not ExternalSyncStatus.NOT_APPLICABLE:
            self.request_sync(SyncOperation.DELETE)
        self.add_event(MeetingCanceled(meeting=self.state(), actor=by))

    def request_resync(self, *, by: ActorRef) -> None:
        """Have the mirrored event written again as the meeting is, or removed."""
        self.version += 1
        self.request_sync(self.sync.last_operation)
        self.add_event(SyncRetryRequested(meeting=self.state(), actor=by))

    def request_sync(self, operation: SyncOperation | None) -> None:
        self.sync = self.sync.requested(operation, version=self.version)

    def mark_edited(self, now: datetime) -> None:
        self.version += 1
        self.last_edit_version = self.version
        self.updated_at = now

    def replace_participant(self, participant: Participant, **changes: Any) -> Participant:
        """The participant with these changes, now in the place of the one given."""
        changed = participant.model_copy(update=changes)
        self.participants = [changed if person is participant else person for person in self.participants]
        return changed

    def _recompute_visibility(self) -> None:
        attending = (person.participant_entity_uuid for person in self.participants if person.participant_entity_uuid)
        self.visible_to_user_ids = sorted({self.hosted.host_uuid, *attending})

    def named_in_events(self, people: list[Participant]) -> list[Participant]:
        """Those whom events name: of a hidden list only people of the platform, whose calendars it is on."""
        return [person for person in people if person.participant_entity_uuid] if self.guests_hidden else people


def _limited(participants: list[Participant]) -> list[Participant]:
    if len(participants) > MAX_PARTICIPANTS:
        raise ApiError(ErrorCode.VALIDATION_FAILED, details=[f"participants: at most {MAX_PARTICIPANTS} are allowed"])
    return participants


def _shared_fields(source: BaseModel, target: type[BaseModel]) -> dict[str, Any]:
    """The fields that two models share, as a plain mapping."""
    return {name: value for name, value in source if name in target.model_fields}
