"""Any text in an invitation's calendar part: on its own lines, and read back as it was written.

Read here by RFC 5545 alone, not by the library that wrote it: lines end in CRLF and are folded at 75 octets (section
3.1), text escapes backslash, comma, semicolon and line break (section 3.3.11).
"""

import re
from datetime import UTC, datetime

from contracts.values.enums import MailKind
from contracts.values.text import sanitize_line, sanitize_text
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from invitations.adapters.mail.composing import MailComposer

from tests.support.guests import guest
from tests.support.mails import ReadMail

NOW = datetime(2026, 6, 2, 9, 30, tzinfo=UTC)
TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n\x00\x0b\x85\u2028\u202e\\,;:\"'=^"), max_size=120
)
INJECTED = "x\r\nATTENDEE:mailto:evil@example.com\r\nEND:VEVENT\r\nBEGIN:VEVENT"
EXPECTED = {
    *("BEGIN", "END", "PRODID", "VERSION", "CALSCALE", "METHOD", "UID", "SEQUENCE", "DTSTAMP", "CREATED"),
    *("LAST-MODIFIED", "DTSTART", "DTEND", "SUMMARY", "DESCRIPTION", "LOCATION", "URL", "STATUS", "TRANSP"),
    *("ORGANIZER", "ATTENDEE"),
}


def properties(calendar: bytes) -> dict[str, str]:
    """The unfolded properties by name, with their parameters before the colon of the value cut off."""
    assert b"\n" not in calendar.replace(b"\r\n", b"")
    assert all(len(line) <= 75 for line in calendar.split(b"\r\n"))
    lines = calendar.decode().replace("\r\n ", "").removesuffix("\r\n").split("\r\n")
    named = [re.fullmatch(r'([A-Z-]+)((?:;[A-Z-]+=(?:"[^"]*"|[^";:,]*))*):(.*)', line, re.DOTALL) for line in lines]
    assert all(named)
    found = [(line[1], line[3]) for line in named if line]
    names = [name for name, _ in found]
    assert set(names) <= EXPECTED
    assert [value for name, value in found if name == "BEGIN"] == ["VCALENDAR", "VEVENT"]
    assert all(names.count(name) == 1 for name in set(names) - {"BEGIN", "END"})
    return dict(found)


def unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda escape: "\n" if escape[1] in "nN" else escape[1], value, flags=re.DOTALL)


@settings(deadline=None, max_examples=60, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@example(title=INJECTED, name=INJECTED, host=INJECTED, text=INJECTED, place=INJECTED)
@example(title="\\n", name='"', host='a";X="b', text="a\\\r\nb\\,", place="\\;")
@example(title="é" * 40, name="日本" * 20, host="🎉" * 30, text="𝄞" * 100, place="")
@given(title=TEXT, name=TEXT, host=TEXT, text=TEXT, place=TEXT)
def test_text_is_read_back_as_it_was_written_and_begins_no_line_of_its_own(
    composer: MailComposer, title: str, name: str, host: str, text: str, place: str
) -> None:
    to = guest(title=title, person={"name": name}, description=text, location_detail=place)
    to = to.model_copy(update={"meeting": to.meeting.model_copy(update={"organizer_name": host})})
    mail = ReadMail.of(composer.compose(to, MailKind.INVITATION, now=NOW).content)
    said = properties(mail.calendar)
    if sanitize_line(title):
        assert unescaped(said["SUMMARY"]) == sanitize_line(title)
    if sanitize_text(text):
        assert unescaped(said["DESCRIPTION"]).startswith(sanitize_text(text))
    if sanitize_line(place):
        assert unescaped(said["LOCATION"]) == sanitize_line(place)
    assert (said["ATTENDEE"], said["ORGANIZER"]) == ("mailto:jane.roe@example.com", "mailto:meetings@example.com")
