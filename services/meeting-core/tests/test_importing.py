"""Events of external calendars as meetings here: whose they are, what they say, and what becomes of them."""

import unicodedata
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from contracts.api.errors import ErrorCode
from contracts.messages.calendar_events import EventAttendee, ExternalEventDeleted, ExternalEventUpserted
from contracts.messages.meeting_commands import RequestInvitationResend, RetrySync
from contracts.messages.meeting_events import MeetingCanceled, MeetingCreated, MeetingUpdated, ParticipantResponded
from contracts.values.enums import (
    CalendarProvider,
    ExternalSyncStatus,
    LocationType,
    MeetingSource,
    MeetingStatus,
    ParticipantType,
    RsvpStatus,
)
from contracts.values.ids import uuid7_hex
from hypothesis import given
from hypothesis import strategies as st
from meeting_core.application.event_handlers import import_external_event, remove_external_event
from meeting_core.domain.access import is_editable
from meeting_core.domain.derived import busy_user_ids, duration_minutes
from meeting_core.domain.meeting import Meeting
from meeting_core.domain.views import Viewer

from tests.support import commands
from tests.support.commands import CommandHarness, actor
from tests.support.outside_events import OUTSIDE, gone, organised, seen

UNKNOWN, ACCEPTED, DECLINED = RsvpStatus.UNKNOWN, RsvpStatus.ACCEPTED, RsvpStatus.DECLINED
A, B = actor("TS-A"), actor("TS-B")


def note(harness: CommandHarness, *told: ExternalEventUpserted | ExternalEventDeleted) -> CommandHarness:
    for one in told:
        if isinstance(one, ExternalEventUpserted):
            import_external_event(harness.uow, one, harness.now)
        else:
            remove_external_event(harness.uow, one, harness.now)
    return harness


def after(*told: ExternalEventUpserted | ExternalEventDeleted) -> Meeting:
    return note(CommandHarness(), *told).meeting


def people(meeting: Meeting) -> dict[str | None, tuple[str | None, RsvpStatus]]:
    return {one.email: (one.participant_entity_uuid, one.rsvp_status) for one in meeting.participants}


# --- what it becomes ----------------------------------------------------------------------------------------------


def test_an_event_organised_elsewhere_becomes_a_meeting_of_whose_calendar_it_is_in() -> None:
    harness = note(
        CommandHarness(),
        seen("TS-A", guests=[EventAttendee(email="john@example.com", name="John", rsvp_status=ACCEPTED)]),
    )
    view = Viewer(harness.meeting, A).full()
    assert (view.title, view.start_date_time, view.timezone) == ("Lunch", datetime(2026, 6, 18, 13), "America/Santiago")  # noqa: DTZ001
    assert (view.location_type, view.location_detail) == (LocationType.IN_PERSON, "Plaza de Armas")
    assert (view.source, view.status, view.externally_organized) == (MeetingSource.GOOGLE, MeetingStatus.ACTIVE, True)
    assert (view.host_uuid, view.host_name, view.created_by_uuid) == ("TS-A", "Name of TS-A", "TS-A")
    assert (view.organizer_email, view.organizer_name) == ("desk@example.org", "Fund Desk")
    assert (view.can_edit, view.can_cancel, view.can_resend, view.can_retry_sync) == (False, False, False, False)
    assert view.show_external_calendar_icon
    assert view.external_sync_status is ExternalSyncStatus.NOT_APPLICABLE
    (john,) = view.participants
    assert (john.participant_type, john.rsvp_status, john.can_resend) == (ParticipantType.EXTERNAL, ACCEPTED, False)
    assert (harness.meeting.visible_to_user_ids, busy_user_ids(harness.meeting)) == (["TS-A"], ["TS-A"])
    (event,) = harness.events
    assert isinstance(event, MeetingCreated)
    assert event.meeting.source is MeetingSource.GOOGLE


def test_an_event_that_its_owner_organises_is_theirs() -> None:
    meeting = after(organised("TS-A", provider=CalendarProvider.OUTLOOK))
    assert (meeting.hosted.host_uuid, meeting.hosted.externally_organized) == ("TS-A", False)
    assert (meeting.hosted.organizer_email, meeting.hosted.organizer_name) == ("ts-a@example.com", "Name of TS-A")
    assert meeting.source is MeetingSource.OUTLOOK
    assert not is_editable(meeting)


def test_the_organiser_becomes_host_whenever_their_calendar_is_seen() -> None:
    told = [
        seen("TS-B", 1, answer=ACCEPTED, title="Stale"),
        organised("TS-A", 1, provider=CalendarProvider.OUTLOOK),
    ]
    for order in (told, told[::-1]):
        meeting = after(*order)
        assert (meeting.hosted.host_uuid, meeting.source) == ("TS-A", MeetingSource.OUTLOOK)
        assert meeting.content.title == "Lunch"
        assert people(meeting) == {"ts-b@example.com": ("TS-B", ACCEPTED)}
        assert meeting.participants[0].participant_type is ParticipantType.TENANT_STAFF
        assert (meeting.visible_to_user_ids, busy_user_ids(meeting)) == (["TS-A", "TS-B"], ["TS-A", "TS-B"])


def test_the_first_owner_stays_host_until_their_event_goes() -> None:
    harness = note(CommandHarness(), seen("TS-A", 1), seen("TS-B", 9), seen("TS-A", 10, title="New"))
    assert harness.meeting.hosted.host_uuid == "TS-A"
    note(harness, gone("TS-A", 11))
    assert harness.meeting.hosted.host_uuid == "TS-B"
    assert harness.meeting.participants == []
    assert harness.refused(commands.hide(by=A)) is ErrorCode.FORBIDDEN  # they see it no more
    note(harness, seen("TS-A", 12))
    assert (harness.meeting.hosted.host_uuid, list(people(harness.meeting))) == ("TS-B", ["ts-a@example.com"])


def test_a_guest_who_turns_out_to_be_an_owner_is_one_person() -> None:
    listed = [EventAttendee(email="TS-B@Example.com", rsvp_status=ACCEPTED), EventAttendee(email="john@example.com")]
    harness = note(CommandHarness(), organised("TS-A", guests=listed))
    before = {one.email: one.participant_uuid for one in harness.meeting.participants}
    note(harness, seen("TS-B", 2, answer=ACCEPTED))
    found = {one.email: one for one in harness.meeting.participants}
    assert found["ts-b@example.com"].participant_uuid == before["TS-B@example.com"]
    assert found["ts-b@example.com"].participant_entity_uuid == "TS-B"
    event = harness.events[-1]
    assert isinstance(event, MeetingUpdated)
    assert (event.changed, event.added, event.removed) == (["participants"], [], [])


def test_each_person_is_there_once_and_the_organiser_is_no_guest() -> None:
    listed = [
        EventAttendee(email=email) for email in ("x@a.co", "X@A.co", "Desk@example.org", "TS-A@example.com", "y@a.co")
    ]
    assert list(people(after(seen("TS-A", guests=listed)))) == ["x@a.co", "y@a.co"]


def test_two_users_of_one_account_are_both_owners() -> None:
    meeting = after(organised("TS-A", email="shared@example.com"), seen("TS-B", email="shared@example.com"))
    assert meeting.visible_to_user_ids == ["TS-A", "TS-B"]
    assert [one.participant_entity_uuid for one in meeting.participants] == ["TS-B"]


def test_at_most_500_people() -> None:
    listed = [EventAttendee(email=f"g{number}@example.com") for number in range(700)]
    meeting = after(organised("TS-A", guests=listed), *(seen(f"TS-{number}") for number in range(3)))
    assert len(meeting.participants) == 500
    assert [one.participant_entity_uuid for one in meeting.participants[:4]] == ["TS-0", "TS-1", "TS-2", None]


# --- what it says -------------------------------------------------------------------------------------------------


def test_of_a_private_event_nothing_is_known_but_its_time() -> None:
    words: dict[str, Any] = {
        "title": "Surgery",
        "location": "Clinic",
        "description": "Secret",
        "meeting_link": "https://a.co",
    }
    meeting = after(seen("TS-A", private=True, guests=[EventAttendee(email="doctor@a.co")], **words))
    told = meeting.state().model_dump_json()
    assert meeting.content.title == "Busy"
    assert not {word for word in ("Surgery", "Clinic", "Secret", "a.co", "desk@example.org") if word in told}
    assert "Surgery" not in meeting.model_dump_json()
    assert busy_user_ids(meeting) == ["TS-A"]


def test_guests_who_do_not_see_each_other_in_their_calendars_do_not_here() -> None:
    guests = [EventAttendee(email="alice@example.com"), EventAttendee(email="bob@example.com")]
    told = (organised("TS-A", guests=guests, guests_hidden=True), seen("TS-B", guests_hidden=True), seen("TS-C"))
    meeting = after(*told)
    host, guest = Viewer(meeting, A).full(), Viewer(meeting, B).full()
    assert ({one.email for one in host.participants}, host.attendee_count) == (set(people(meeting)), 4)
    assert ([one.participant_entity_uuid for one in guest.participants], guest.attendee_count) == (["TS-B"], 1)
    assert Viewer(meeting, B).summary(4).attendee_count == 1
    assert Viewer(meeting, A).summary(4).attendee_count == 4


def test_a_guest_whose_calendar_was_seen_first_does_not_see_a_hidden_list_either() -> None:
    guests = [EventAttendee(email="alice@example.com")]
    view = Viewer(after(seen("TS-A", guests=guests, guests_hidden=True)), A).full()
    assert (view.host_uuid, view.participants, view.attendee_count) == ("TS-A", [], 1)


def test_of_a_hidden_list_the_guest_whose_calendar_was_seen_first_is_not_shown_as_host() -> None:
    meeting = after(seen("TS-A", guests_hidden=True), seen("TS-B", guests_hidden=True))
    full, summary = Viewer(meeting, B).full(), Viewer(meeting, B).summary()
    assert "TS-A" not in full.model_dump_json()
    assert (full.host_uuid, full.host_name, full.created_by_uuid) == (None, None, None)
    assert (summary.host_uuid, summary.host_name) == (None, None)
    assert full.organizer_email == "desk@example.org"
    assert Viewer(after(seen("TS-A"), seen("TS-B")), B).full().host_uuid == "TS-A"


def test_a_hidden_guest_list_is_on_no_event() -> None:
    guests = [EventAttendee(email="alice@example.com"), EventAttendee(email="bob@example.com")]
    harness = note(
        CommandHarness(), organised("TS-A", 1, guests=guests, guests_hidden=True), seen("TS-B", 1, guests_hidden=True)
    )
    note(harness, organised("TS-A", 2, guests=guests[:1], guests_hidden=True), gone("TS-B"), gone("TS-A", 3))
    assert len(harness.uow.new_records) == 5
    said = " ".join(str(record.value) for record in harness.uow.new_records)
    assert "TS-B" in said
    assert "alice" not in said
    assert "bob" not in said


def test_a_list_that_is_hidden_later_is_hidden_from_then_on() -> None:
    guests = [EventAttendee(email="alice@example.com")]
    harness = note(CommandHarness(), organised("TS-A", 1, guests=guests), seen("TS-B", 1))
    assert len(Viewer(harness.meeting, B).full().participants) == 2
    note(harness, organised("TS-A", 2, guests=guests, guests_hidden=True))
    assert [one.email for one in Viewer(harness.meeting, B).full().participants] == ["ts-b@example.com"]


def test_an_event_says_what_the_organisers_calendar_says_and_else_the_newest_that_is_not_private() -> None:
    harness = note(
        CommandHarness(),
        seen("TS-A", 5, private=True),
        seen("TS-B", 3, title="From B"),
        seen("TS-C", 4, title="From C"),
    )
    assert harness.meeting.content.title == "From C"
    note(harness, organised("TS-D", 1, title="From D"))
    assert harness.meeting.content.title == "From D"
    note(harness, gone("TS-D"), gone("TS-C", 5))
    assert harness.meeting.content.title == "From B"
    note(harness, gone("TS-B", 4))
    assert harness.meeting.content.title == "Busy"


@pytest.mark.parametrize(
    ("said", "kind", "place", "link"),
    [
        ({"location": None}, LocationType.IN_PERSON, None, None),
        ({"location": "https://a.co/1"}, LocationType.ONLINE, "https://a.co/1", None),
        ({"meeting_link": "https://a.co/1"}, LocationType.ONLINE, "Plaza de Armas", "https://a.co/1"),
        ({"meeting_link": "javascript:alert(1)"}, LocationType.IN_PERSON, "Plaza de Armas", None),
        ({"meeting_link": "tel:+15551234567", "location": None}, LocationType.IN_PERSON, "tel:+15551234567", None),
        ({"meeting_link": "https://" + "x" * 3000}, LocationType.IN_PERSON, "Plaza de Armas", None),
        ({"meeting_link": "https://[", "location": "http://"}, LocationType.IN_PERSON, "http://", None),
        ({"meeting_link": "https://a.co/\u202egpj"}, LocationType.IN_PERSON, "Plaza de Armas", None),
    ],
)
def test_places_and_links(said: dict[str, Any], kind: LocationType, place: str | None, link: str | None) -> None:
    content = after(seen(**said)).content
    assert (content.location_type, content.location_detail, content.meeting_link) == (kind, place, link)


@given(st.text(), st.text(), st.text(), st.text())
def test_whatever_strangers_write_is_what_a_user_could_have_written(
    title: str, location: str, link: str, name: str
) -> None:
    listed = [EventAttendee(email=location, name=name), EventAttendee(email=f"a@{link}", name=title)]
    meeting = after(
        seen(
            title=title, location=location, meeting_link=link, description=name * 9, guests=listed, organizer_name=link
        )
    )
    content = meeting.content
    written = [content.title, content.location_detail, content.meeting_link, meeting.hosted.organizer_name]
    written += [text for one in meeting.participants for text in (one.email, one.name)]
    for text in written:
        assert text is None or text
        assert not {unicodedata.category(letter) for letter in text or ""} & {"Cc", "Zl", "Zp", "Cs"}
    assert content.meeting_link is None or content.meeting_link.startswith(("http://", "https://"))
    assert {"@" in (one.email or "") for one in meeting.participants} <= {True}


def test_texts_are_cut_to_what_meetings_can_say() -> None:
    book = "x" * 30_000
    content = after(seen(title=book, location=book, description=book)).content
    lengths = [len(text or "") for text in (content.title, content.location_detail, content.description)]
    assert lengths == [255, 2_048, 8_000]


@pytest.mark.parametrize("end", ["2026-06-18T13:00:00", "2026-06-18T12:00:00", "2026-06-17T13:00:00"])
@pytest.mark.parametrize("all_day", [True, False])
def test_an_event_that_ends_before_it_begins_takes_no_time(end: str, all_day: bool) -> None:
    meeting = after(seen(end_date_time=end, all_day=all_day))
    assert 0 <= duration_minutes(meeting) <= 24 * 60
    assert meeting.content.schedule.ends_at >= meeting.content.schedule.starts_at


def test_an_event_across_a_gap_of_the_clocks_does_not_end_before_it_begins() -> None:
    times = {"start_date_time": "2026-03-29T02:30:00", "end_date_time": "2026-03-29T03:10:00"}
    meeting = after(seen(timezone="Europe/Madrid", **times))
    assert (duration_minutes(meeting), busy_user_ids(meeting)) == (0, [])


def test_very_many_calendars_fit_into_one_document() -> None:
    book = "x" * 8_000
    harness = note(CommandHarness(), *(seen(f"TS-{number}", description=book) for number in range(200)))
    note(harness, organised("TS-HOST", description=book))
    assert len(harness.meeting.visible_to_user_ids) == 201
    assert len(harness.meeting.model_dump_json()) < 1_000_000
    assert harness.meeting.content.description == book


def test_an_event_that_replaces_as_many_guests_as_there_can_be_fits_into_a_record() -> None:
    def strangers(mark: str) -> list[EventAttendee]:
        return [
            EventAttendee(email=f"{mark}{number:03}@{'.'.join(['ñ' * 40] * 3)}.com", name="\U0001f600" * 300)
            for number in range(600)
        ]

    words = dict.fromkeys(("title", "location", "description"), "\U0001f600" * 9_000)
    harness = note(
        CommandHarness(), *(organised("TS-A", number, guests=strangers(f"{number}"), **words) for number in (1, 2))
    )
    assert len(harness.meeting.participants) == 500
    assert max(len(said.value) for said in harness.uow.new_records) < 1_000_000


# --- what becomes of it -------------------------------------------------------------------------------------------


def test_a_change_is_a_version_and_a_silent_event() -> None:
    harness = note(
        CommandHarness(), seen("TS-A", 1), seen("TS-A", 2, title="Dinner", start_date_time="2026-06-18T12:30:00")
    )
    assert harness.meeting.version == 2
    event = harness.events[-1]
    assert isinstance(event, MeetingUpdated)
    assert (set(event.changed), event.rescheduled, event.silent) == ({"title", "startDateTime"}, True, True)
    note(harness, seen("TS-A", 3, title="Supper", start_date_time="2026-06-18T12:30:00"))
    event = harness.events[-1]
    assert isinstance(event, MeetingUpdated)
    assert not event.rescheduled


def test_a_change_of_nothing_is_only_remembered() -> None:
    harness = note(CommandHarness(), seen("TS-A", 1))
    harness.uow.is_dirty = False
    note(harness, seen("TS-A", 5, busy=False))
    assert (harness.meeting.version, len(harness.events), harness.uow.is_dirty) == (1, 1, True)
    assert busy_user_ids(harness.meeting) == []
    note(harness, seen("TS-A", 4, title="Late"))
    assert (harness.meeting.version, harness.meeting.content.title) == (1, "Lunch")


def test_what_was_heard_before_changes_nothing() -> None:
    told = [seen("TS-A", 3), seen("TS-A", 4, title="New"), gone("TS-A", 5)]
    harness = CommandHarness()
    for count, one in enumerate(told, 1):
        note(harness, one)
        harness.uow.is_dirty = False
        state = harness.meeting.model_dump()
        note(harness, *told[:count])
        assert (harness.meeting.model_dump(), harness.uow.is_dirty) == (state, False)


def test_the_last_one_gone_cancels_it_and_it_comes_back() -> None:
    harness = note(CommandHarness(), organised("TS-A", 1), seen("TS-B", 1), gone("TS-B", 2))
    assert (harness.meeting.status, harness.meeting.visible_to_user_ids) == (MeetingStatus.ACTIVE, ["TS-A"])
    note(harness, gone("TS-A", 2))
    assert (harness.meeting.status, harness.meeting.visible_to_user_ids, busy_user_ids(harness.meeting)) == (
        MeetingStatus.CANCELED,
        [],
        [],
    )
    assert isinstance(harness.events[-1], MeetingCanceled)
    view = Viewer(harness.meeting, A).full()
    assert (view.title, view.can_remove_from_calendar) == ("Lunch", False)
    assert harness.decided(commands.hide(by=A)).error is None
    note(harness, gone("TS-C", 1))
    assert len(harness.events) == 4
    note(harness, seen("TS-B", 3))
    assert (harness.meeting.status, harness.meeting.visible_to_user_ids) == (MeetingStatus.ACTIVE, ["TS-B"])
    event = harness.events[-1]
    assert isinstance(event, MeetingUpdated)
    assert "status" in event.changed
    assert harness.meeting.hosted.host_uuid == "TS-B"


def test_what_is_gone_before_it_was_seen_is_no_meeting() -> None:
    assert note(CommandHarness(), gone()).uow.meeting is None


def test_other_tenants_and_our_own_meetings_are_not_touched() -> None:
    harness = note(CommandHarness(), seen("TS-A", 1))
    note(harness, seen("TS-A", 2, tenant_uuid="T-OTHER", title="Theirs"), gone("TS-A", 3, tenant_uuid="T-OTHER"))
    assert (harness.meeting.version, harness.meeting.content.title) == (1, "Lunch")
    ours = CommandHarness(commands.create())
    note(ours, seen("TS-A", 1), gone("TS-A", 2))
    assert ours.meeting.version == 1


# --- what people here may do with it ------------------------------------------------------------------------------


def attempts(by: Any) -> Iterator[Any]:
    """Whatever would change it."""
    about: dict[str, Any] = {"fingerprint": "", "meeting_uuid": OUTSIDE, "actor": by}
    yield commands.update(by=by, title="Mine")
    yield commands.cancel(by=by)
    yield RequestInvitationResend(command_id=uuid7_hex(), **about)
    yield RetrySync(command_id=uuid7_hex(), **about)


@pytest.mark.parametrize("told", [seen("TS-A"), organised("TS-A")], ids=["elsewhere", "by its owner"])
@pytest.mark.parametrize("by", [A, B], ids=["host", "participant"])
def test_nobody_changes_it_here(told: ExternalEventUpserted, by: Any) -> None:
    harness = note(CommandHarness(), told, seen("TS-B"))
    version = harness.meeting.version
    for attempt in attempts(by):
        reply = harness.decided(attempt)
        assert reply.error is not None
        assert ErrorCode.of(reply.error.code) is ErrorCode.MEETING_READ_ONLY
    assert harness.meeting.version == version
    view = Viewer(harness.meeting, by).full()
    assert (view.can_edit, view.can_cancel, view.can_resend) == (False, False, False)


def test_an_answer_given_here_stands_until_the_calendars_answer_is_another() -> None:
    harness = note(CommandHarness(), organised("TS-A"), seen("TS-B", 1, answer=ACCEPTED))
    assert harness.decided(commands.answer(DECLINED, by=B)).error is None
    assert isinstance(harness.events[-1], ParticipantResponded)
    assert busy_user_ids(harness.meeting) == ["TS-A"]
    assert harness.meeting.visible_to_user_ids == ["TS-A", "TS-B"]  # who declined still sees it
    note(harness, seen("TS-B", 2, answer=ACCEPTED, title="New"), organised("TS-A", 2, title="New"))
    assert people(harness.meeting)["ts-b@example.com"] == ("TS-B", DECLINED)
    note(harness, seen("TS-B", 3, answer=UNKNOWN))
    assert people(harness.meeting)["ts-b@example.com"] == ("TS-B", DECLINED)
    note(harness, seen("TS-B", 4, answer=ACCEPTED))
    assert people(harness.meeting)["ts-b@example.com"] == ("TS-B", ACCEPTED)
    assert busy_user_ids(harness.meeting) == ["TS-A", "TS-B"]


def test_a_guests_known_answer_never_becomes_unknown() -> None:
    def told(sequence: int, answer: RsvpStatus) -> ExternalEventUpserted:
        return organised("TS-A", sequence, guests=[EventAttendee(email="john@a.co", rsvp_status=answer)])

    harness = note(CommandHarness(), told(1, UNKNOWN), told(2, ACCEPTED), told(3, UNKNOWN))
    assert people(harness.meeting) == {"john@a.co": (None, ACCEPTED)}
    note(harness, told(4, DECLINED))
    assert people(harness.meeting) == {"john@a.co": (None, DECLINED)}


# --- in any order -------------------------------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn, user_id: str, *, organises: bool) -> list[ExternalEventUpserted | ExternalEventDeleted]:
    """What is told of one owner's calendar, in order."""
    told: list[ExternalEventUpserted | ExternalEventDeleted] = []
    for sequence in range(1, draw(st.integers(1, 5)) + 1):
        if draw(st.integers(0, 3)) == 0:
            told.append(gone(user_id, sequence * 10 + (user_id == "TS-A")))
            continue
        listed = [
            EventAttendee(email=email)
            for email in draw(st.sets(st.sampled_from(["ts-a@example.com", "TS-B@example.com", "j@a.co"])))
        ]
        build = organised if organises else seen
        told.append(
            build(
                user_id,
                sequence * 10 + (user_id == "TS-A"),
                title=draw(st.sampled_from("XYZ")),
                private=draw(st.booleans()),
                busy=draw(st.booleans()),
                answer=UNKNOWN if organises else draw(st.sampled_from(RsvpStatus)),
                guests=sorted(listed, key=lambda one: one.email),
            )
        )
    return told


@given(data=st.data(), organises=st.booleans())
def test_the_same_news_in_any_order_and_again_and_again_makes_the_same_meeting(
    data: st.DataObject, organises: bool
) -> None:
    """The bus keeps each owner's news in order, mixes owners, and may rewind."""
    first = data.draw(histories("TS-A", organises=organises))
    second = data.draw(histories("TS-B", organises=False))
    ends = []
    for _ in range(2):
        mixed = data.draw(interleavings(first, second))
        again = data.draw(st.integers(0, len(mixed)))
        back = data.draw(st.integers(0, again))
        ends.append(standing(note(CommandHarness(), *mixed[:again], *mixed[back:])))
    assert ends[0] == ends[1]


@st.composite
def interleavings(draw: st.DrawFn, first: list[Any], second: list[Any]) -> list[Any]:
    turns = draw(st.permutations([True] * len(first) + [False] * len(second)))
    one, other = iter(first), iter(second)
    return [next(one) if turn else next(other) for turn in turns]


def standing(harness: CommandHarness) -> Any:
    """All that is seen of it. Which of two owners is the host depends on who came first, if neither organises it."""
    meeting = harness.uow.meeting
    if meeting is None or meeting.status is MeetingStatus.CANCELED:
        return None
    owners = {one.participant_entity_uuid: one.rsvp_status for one in meeting.participants if one.is_staff}
    organiser = None if meeting.hosted.externally_organized else meeting.hosted.host_uuid
    owners = {user: answer for user, answer in owners.items() if organiser}
    guests = sorted(one.email or "" for one in meeting.participants if not one.is_staff)
    return meeting.content, organiser, owners, guests, meeting.visible_to_user_ids, busy_user_ids(meeting)
