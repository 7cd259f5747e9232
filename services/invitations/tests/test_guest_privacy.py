"""No mail names another guest, whatever happens to the meeting and whatever editors make of the copy of it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from calendar_sync.outbound.description import block_of, description_of, host_description
from contracts.values.enums import Language
from contracts.values.meeting import Invitee, MeetingState
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from invitations.adapters.mail.composing import MailComposer

from tests.support.commands import at, cancel, create, update
from tests.support.editors import ROUND_TRIPS, shuffled
from tests.support.guests import Guestbook, jane
from tests.support.mails import ReadMail

NOW = datetime(2026, 6, 2, 9, 30, tzinfo=UTC)
_WORD = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf"]), max_size=20)


@st.composite
def _people(draw: st.DrawFn) -> list[Invitee]:
    """Guests whose number is in their name and address, as ``planted7x``, and nowhere else."""
    return [
        jane(
            email=f"planted{number}x@example.org",
            name=f"{draw(_WORD)} Planted{number}x {draw(_WORD)}",
            language=draw(st.sampled_from(Language)),
        )
        for number in range(4)
    ]


@dataclass
class Life:
    """A meeting's life: each step may change what its guests are mailed."""

    draw: st.DrawFn
    people: list[Invitee]
    book: Guestbook

    @property
    def meeting(self) -> MeetingState:
        return self.book.desk.events[-1].meeting

    def step(self, number: int) -> None:
        match self.draw(st.sampled_from(["rename", "move", "people", "inform", "retouch", "retouch"])):
            case "rename":
                self.book.hear(update(title=f"Title {number}"))
            case "move":
                self.book.hear(
                    update(start_date_time=at(f"{number + 8:02}:00"), end_date_time=at(f"{number + 8:02}:45"))
                )
            case "people":
                some = self.draw(st.lists(st.sampled_from(self.people), unique_by=lambda one: one.email))
                self.book.hear(update(externals=some))
            case "inform":
                self.book.hear(update(meeting_information=self.draw(_WORD), meeting_link="https://meet.example.com/x"))
            case _:
                self.retouch(number)

    def retouch(self, number: int) -> None:
        """The host saves the copy's description in an editor, with a line of their own and the others in any order."""
        there_and_back = ROUND_TRIPS[self.draw(st.sampled_from(sorted(ROUND_TRIPS)))]
        before = self.meeting
        text = shuffled(f"Typed {number}\n{description_of(before)}", self.draw(st.randoms(use_true_random=False)))
        words = host_description(there_and_back(text), before, [block_of(before)])
        self.book.take_over(description=words)


@settings(max_examples=60, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(people=_people(), data=st.data())
def test_no_mail_of_a_whole_life_names_another_guest(
    composer: MailComposer, people: list[Invitee], data: st.DataObject
) -> None:
    life = Life(data.draw, people, Guestbook(create(*people[:3])))
    for number in range(data.draw(st.integers(1, 6))):
        _read(composer, life.book)
        life.step(number)
    _read(composer, life.book)
    life.book.hear(cancel())
    _read(composer, life.book)


def _read(composer: MailComposer, book: Guestbook) -> None:
    """Every guest reads what they are mailed."""
    for guest in list(book.guests.values()):
        kind = guest.pending_mail()
        if kind is None:
            continue
        said = ReadMail.of(composer.compose(guest, kind, now=NOW).content).everything().casefold()
        own = (guest.address or "").partition("@")[0]
        assert own in said
        assert "planted" not in said.replace(own, "")
        book.tell(guest.person.email or "")
