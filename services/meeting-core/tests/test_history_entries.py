"""Every version of a meeting says who made it and what changed, in its event and in its history."""

import pytest
from contracts.history import GENESIS, HistoryCheck, HistoryEntry
from contracts.messages.calendar_events import MirrorStatusChanged
from contracts.messages.invitation_events import MailDelivered
from contracts.values.changes import ActorRef, FieldChange
from contracts.values.enums import ActorType, ExternalSyncStatus, MailKind, RsvpStatus, Way
from meeting_core.application.event_handlers import (
    apply_delivery,
    apply_mirror_status,
    apply_mirrored_event_change,
    import_external_event,
    remove_external_event,
)

from tests.support.commands import (
    CLIENT,
    HOST,
    MEETING,
    TENANT,
    CommandHarness,
    answer,
    cancel,
    contact,
    create,
    guest,
    hide,
    update,
)
from tests.support.outside_events import copy_changed, gone, seen

JANE = "jane.roe@example.com"


@pytest.fixture
def harness() -> CommandHarness:
    return CommandHarness(create(contact(), guest(JANE, name="Jane Roe", country_code="+1", phone="5551234567")))


def entries(harness: CommandHarness) -> list[HistoryEntry]:
    """The whole history, which must be without gaps and name what the events name."""
    found = harness.uow.new_entries
    check = HistoryCheck()
    assert [problem for entry in found for problem in check.problems_of(entry)] == []
    assert list(check.problems_at_end(harness.meeting.version, harness.uow.last_hash)) == []
    for entry, event, envelope in zip(found, harness.events, harness.envelopes, strict=True):
        assert (entry.actor, entry.event_id, entry.version) == (event.actor, envelope.id, envelope.sequence)
    return found


def last(harness: CommandHarness) -> HistoryEntry:
    return entries(harness)[-1]


def said(entry: HistoryEntry) -> dict[str, tuple[object, object]]:
    """Old and new by field; ``MP….name`` for a participant's."""
    return {
        ".".join(filter(None, (change.participant_uuid, change.field))): (change.old, change.new)
        for group in entry.changes
        for change in group.fields or ()
        if not change.withheld
    }


def withheld(changes: list[FieldChange]) -> set[str]:
    return {change.field for change in changes if change.withheld}


def test_a_new_meeting_is_all_new(harness: CommandHarness) -> None:
    entry, jane = last(harness), harness.uuid_of(JANE)
    assert (entry.version, entry.actor, entry.previous_hash) == (1, HOST.reference, GENESIS)
    assert said(entry)["title"] == (None, "Quarterly portfolio review")
    assert said(entry)["internalNotes"] == (None, "Bring the updated IPS draft.")
    assert said(entry)["startDateTime"] == (None, "2026-06-15T15:00:00")
    assert said(entry)[f"{jane}.phone"] == (None, "5551234567")
    assert harness.events[0].changes == []


def test_an_update_says_old_and_new(harness: CommandHarness) -> None:
    harness.done(answer(by=CLIENT))
    harness.done(update(title="Review", start_date_time="2026-06-15T15:15:00"))
    client = harness.uuid_of("c-client@example.com")
    expected = {
        "title": ("Quarterly portfolio review", "Review"),
        "startDateTime": ("2026-06-15T15:00:00", "2026-06-15T15:15:00"),
        f"{client}.rsvpStatus": ("ACCEPTED", "UNKNOWN"),
    }
    assert last(harness).actor == HOST.reference
    assert said(last(harness)) == expected
    public = harness.events[-1].changes
    assert len(public) == len(expected)
    assert withheld(public) == set()


def test_notes_are_in_the_history_and_never_on_the_public_topic_and_passwords_in_neither(
    harness: CommandHarness,
) -> None:
    harness.done(update(internal_notes="Ask about the will.", meeting_password="tulips"))
    assert said(last(harness)) == {"internalNotes": ("Bring the updated IPS draft.", "Ask about the will.")}
    public = harness.events[-1].changes
    assert withheld(public) == {"internalNotes", "meetingPassword"} == {change.field for change in public}
    for record in harness.uow.new_records:
        for secret in (b"IPS draft", b"the will", b"open sesame", b"tulips"):
            assert secret not in record.value
    history = "".join(entry.model_dump_json() for entry in entries(harness))
    assert "tulips" not in history
    assert "open sesame" not in history


def test_people_who_come_and_go_are_in_the_history_field_by_field(harness: CommandHarness) -> None:
    jane = harness.uuid_of(JANE)
    harness.done(update(externals=[guest("max@example.com", name="Max")]))
    maximilian = harness.uuid_of("max@example.com")
    assert said(last(harness))[f"{jane}.email"] == (JANE, None)
    assert said(last(harness))[f"{maximilian}.email"] == (None, "max@example.com")
    assert harness.events[-1].changes == []


def test_a_guests_new_name_is_in_the_history_and_on_the_public_topic_only_that_it_is_new(
    harness: CommandHarness,
) -> None:
    harness.done(update(externals=[guest(JANE, name="Jane Doe", country_code="+1", phone="5551234567")]))
    assert said(last(harness)) == {f"{harness.uuid_of(JANE)}.name": ("Jane Roe", "Jane Doe")}
    assert [(change.field, change.old, change.withheld) for change in harness.events[-1].changes] == [
        ("name", None, True)
    ]


def test_who_answers_is_named_by_the_way_they_came(harness: CommandHarness) -> None:
    jane = harness.uuid_of(JANE)
    client = harness.uuid_of("c-client@example.com")
    harness.done(answer(participant_uuid=jane, tenant_uuid=TENANT))
    assert last(harness).actor == ActorRef(id=jane, type=ActorType.GUEST, way=Way.MAIL_LINK)
    assert said(last(harness)) == {f"{jane}.rsvpStatus": ("UNKNOWN", "ACCEPTED")}
    harness.done(answer(participant_uuid=client))
    assert last(harness).actor == ActorRef(id="C-CLIENT", type=ActorType.CLIENT, way=Way.UNSIGNED_LINK)
    harness.done(answer(RsvpStatus.DECLINED, by=CLIENT))
    assert last(harness).actor == ActorRef(id="C-CLIENT", type=ActorType.CLIENT, way=Way.GATEWAY)


def test_services_and_the_hosts_own_calendar_are_named(harness: CommandHarness) -> None:
    jane = harness.uuid_of(JANE)
    mail = MailDelivered(
        meeting_uuid=MEETING, participant_uuid=jane, kind=MailKind.INVITATION, sequence=1, at=harness.now
    )
    apply_delivery(harness.uow, mail)
    assert last(harness).actor == ActorRef(id="invitations", type=ActorType.SYSTEM, way=Way.SYSTEM)
    assert list(said(last(harness))) == [f"{jane}.lastMailAt"]
    report = MirrorStatusChanged(
        tenant_uuid=TENANT,
        meeting_uuid=MEETING,
        sequence=1,
        meeting_version=2,
        status=ExternalSyncStatus.SYNCED,
        at=harness.now,
    )
    apply_mirror_status(harness.uow, report)
    assert last(harness).actor == ActorRef(id="calendar-sync", type=ActorType.SYSTEM, way=Way.SYSTEM)
    assert said(last(harness))["externalSyncStatus"] == ("NOT_APPLICABLE", "SYNCED")
    apply_mirrored_event_change(harness.uow, copy_changed(change_id="1", title="Lunch"), harness.now)
    assert last(harness).actor == ActorRef(id="TS-HOST", type=ActorType.TENANT_STAFF, way=Way.PROVIDER)
    assert said(last(harness))["title"] == ("Quarterly portfolio review", "Lunch")


def test_canceling_and_hiding_are_in_the_history(harness: CommandHarness) -> None:
    harness.done(cancel())
    assert said(last(harness)) == {"status": ("ACTIVE", "CANCELED")}
    harness.done(hide(by=CLIENT))
    assert (last(harness).actor, said(last(harness))) == (CLIENT.reference, {})
    assert last(harness).event_type == "meetings.meeting.removed-from-calendar.v1"


def test_an_imported_meeting_names_the_calendar_that_it_was_read_in() -> None:
    harness = CommandHarness()
    import_external_event(harness.uow, seen("TS-A"), harness.now)
    calendar = ActorRef(id="TS-A", type=ActorType.PROVIDER, way=Way.PROVIDER)
    assert last(harness).actor == calendar
    remove_external_event(harness.uow, gone("TS-A"), harness.now)
    assert (last(harness).actor, said(last(harness))) == (calendar, {"status": ("ACTIVE", "CANCELED")})


def test_what_was_refused_is_no_version(harness: CommandHarness) -> None:
    harness.refused(update(by=CLIENT, title="Mine"))
    harness.done(update(title="Review"))
    assert [entry.version for entry in entries(harness)] == [1, 2]
    assert said(last(harness)) == {"title": ("Quarterly portfolio review", "Review")}
