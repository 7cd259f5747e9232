"""Which fields a write sends: what the platform changed, never what only the calendar's owner changed."""

from calendar_sync.outbound.model import MirroredEvent
from calendar_sync.providers.accounts import account_key
from calendar_sync.providers.event_content import EventContent
from contracts.values.enums import CalendarProvider

from tests.support.outward import NOON, content

ALL = frozenset(EventContent.model_fields)


def copy_with(asked: EventContent | None, *asking: EventContent) -> MirroredEvent:
    return MirroredEvent(
        provider=CalendarProvider.GOOGLE,
        calendar_email="a@example.com",
        event_id="1",
        last_written=asked,
        unconfirmed_writes=[*asking],
    )


def test_what_was_asked_for_and_has_not_changed_is_not_sent_again() -> None:
    assert copy_with(content()).fields_to_write(content(), None, NOON) == frozenset()


def test_only_what_changed_is_sent() -> None:
    assert copy_with(content()).fields_to_write(content(title="New"), None, NOON) == {"title"}


def test_what_the_owner_changed_stays() -> None:
    theirs = content(location="The owner's place")
    assert copy_with(content()).fields_to_write(content(title="New"), theirs, NOON) == {"title"}


def test_where_both_changed_the_platform_counts() -> None:
    theirs = content(title="The owner's title")
    assert copy_with(content()).fields_to_write(content(title="New"), theirs, NOON) == {"title"}


def test_nothing_is_sent_that_is_there_already() -> None:
    assert copy_with(content()).fields_to_write(content(title="New"), content(title="New"), NOON) == frozenset()


def test_an_unanswered_write_is_undone_when_the_change_was_taken_back() -> None:
    copy = copy_with(content(), content(title="New"))
    assert copy.fields_to_write(content(), content(title="New"), NOON) == {"title"}
    assert copy.fields_to_write(content(), content(), NOON) == frozenset()


def test_of_several_unanswered_writes_any_may_have_been_done() -> None:
    copy = copy_with(content(), content(title="Two"), content(title="Two", hours=3))
    assert copy.fields_to_write(content(), content(title="Two"), NOON) == {"title"}
    assert copy.fields_to_write(content(), content(title="Two", hours=3), NOON) == {"title", "when"}


def test_an_adopted_event_is_made_to_say_all_that_is_wanted() -> None:
    assert copy_with(None).fields_to_write(content(), content(title="Old", location="There"), NOON) == {
        "title",
        "location",
    }
    assert copy_with(None).fields_to_write(content(), None, NOON) == ALL


def test_a_copy_made_anew_has_another_number_and_remembers_nothing() -> None:
    copy = copy_with(content(), content(title="New"))
    copy.start_new_incarnation()
    assert (copy.incarnation, copy.event_id, copy.last_written, copy.unconfirmed_writes) == (2, None, None, [])


def test_an_account_is_the_same_however_its_address_is_written() -> None:
    assert account_key(CalendarProvider.GOOGLE, "1") == account_key(CalendarProvider.GOOGLE, "1")
    assert account_key(CalendarProvider.GOOGLE, "1") != account_key(CalendarProvider.OUTLOOK, "1")
