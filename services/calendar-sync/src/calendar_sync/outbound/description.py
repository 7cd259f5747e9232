"""The description of a copy: the meeting's own words, and below them the lines that we add. Pure.

The copy names no guest: a description comes back as its host's words, and those are mailed to every guest.

What comes back was through an editor, which turns text into HTML, wraps links, indents lists and moves lines. So our
lines are known by what they say, wherever they are, and the host's words are all that is left.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator

from contracts.values.meeting import MeetingState

from calendar_sync.providers.text import normalised

_MAX_LENGTH = 8_000
"""Google cuts descriptions at 8,192 characters, which would never come back as they were written."""


_MAX_BLOCK = 4_000


_JOIN = "Join:"


_PASSCODE = "Passcode:"


_ELLIPSIS = "…"


_WORDS_BEFORE_CUT = 6
"""So many words before a cut show that a text still ends there."""


_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]")


_BULLET = re.compile(r"^(?:[>*+•·▪◦‣\-–—]\s+)+")


_AROUND_LINKS = " \t<>()[]{}\"'|,;:.*_-–—"


def description_of(meeting: MeetingState, password: str | None = None) -> str:
    """What the mirrored event of the meeting says."""
    block = block_of(meeting, password)
    shown, hidden = _cut(_words(meeting), _MAX_LENGTH - len(block) - 2)
    return "\n\n".join(part for part in (shown + _ELLIPSIS if hidden else shown, block) if part)


def block_of(meeting: MeetingState, password: str | None = None) -> str:
    """The lines that we add to a meeting's own words."""
    link = f"{_JOIN} {meeting.meeting_link}" if meeting.meeting_link else ""
    join = "\n".join(filter(None, (link, f"{_PASSCODE} {password}" if password else "")))
    information, hidden = _cut(normalised(meeting.meeting_information or ""), _MAX_BLOCK - len(join) - 2)
    return "\n\n".join(part for part in (information + _ELLIPSIS if hidden else information, join) if part)


def host_description(
    text: str, meeting: MeetingState, blocks: Collection[str] = (), password: str | None = None
) -> str:
    """The description that ``text`` gives the meeting: what of it is not a line of ours, wherever that is.

    ``blocks`` are those that earlier states of the copy had. What the host changed in our lines is theirs. Of a text
    that was cut for the calendar, the rest is put back. Where nothing but the form changed, the words stay as they are.
    """
    own = _words(meeting)
    block = block_of(meeting, password)
    ours = _Ours([block, *blocks], own)
    words = normalised("\n".join(ours.without(normalised(text).split("\n"))))
    words = _completed(words, *_cut(own, _MAX_LENGTH - len(block) - 2))
    return own if _without_form(words) == _without_form(own) else words


class _Ours:
    """The lines that are ours. A line that the meeting's own words have, too, is theirs as often as they have it."""

    def __init__(self, blocks: Collection[str], own: str) -> None:
        lines = [line for block in blocks for line in block.split("\n")]
        self._links = sorted({_key(link) for line in lines if (link := _joined(line))}, key=len, reverse=True)
        self._lines = {_key(line) for line in lines if not _joined(line)} - {""}
        # What remains of a password in a line of the host's own would be published with the description.
        passwords = {_plain(line) for line in lines if line.startswith(f"{_PASSCODE} ")}
        longest_first = sorted(passwords, key=len, reverse=True)
        self._passwords = [re.compile(r"\s+".join(map(re.escape, one.split())), re.IGNORECASE) for one in longest_first]
        self._own_lines = Counter(map(self._name, own.split("\n")))

    def without(self, lines: list[str]) -> Iterator[str]:
        """The lines that are not ours; a label is left out with the link that follows it. None names a password."""
        label: str | None = None
        for given in lines:
            name, line = self._name(given), self._without_passwords(given)
            if label is not None and name != "":
                if name != "link":
                    yield label
                label = None
            if name is None or self._is_kept(name):
                yield line
            elif name == "label":
                label = line
        if label is not None:
            yield label

    def _without_passwords(self, line: str) -> str:
        if not any(password.search(_plain(line)) for password in self._passwords):
            return line
        plain = _plain(line)
        for password in self._passwords:
            plain = password.sub("", plain)
        return " ".join(plain.split())

    def _is_kept(self, name: str) -> bool:
        if name == "" or self._own_lines[name] > 0:
            self._own_lines[name] -= 1
            return True
        return False

    def _name(self, line: str) -> str | None:
        """What a line of ours is; None for one that is not ours, empty for one without words."""
        key = _key(line)
        if self._passwords and key.startswith(_key(_PASSCODE)):  # also one that an editor or the host has changed
            return "password"
        if key in self._lines or key == "":
            return key and f"line {key}"
        rest = _key(self._without_passwords(line))
        for link in self._links:
            rest = rest.replace(link, "")
        if rest != key and _is_bare(rest.replace(_key(_JOIN), "", 1)):
            return "link"
        return "label" if self._links and key == _key(_JOIN) else None


def _is_bare(text: str) -> bool:
    """Whether there is nothing but what stands around links."""
    return not text.strip(_AROUND_LINKS + "/") or text.strip(_AROUND_LINKS) in ("http", "https")


def _joined(line: str) -> str:
    """The link of a line that says where to join; empty for other lines."""
    return line.removeprefix(f"{_JOIN} ") if line.startswith(f"{_JOIN} ") else ""


def _key(line: str) -> str:
    """The same for lines that say the same."""
    return _plain(line).casefold()


def _plain(line: str) -> str:
    """The line without what editors add."""
    return _BULLET.sub("", " ".join(_INVISIBLE.sub("", line).split())).strip()


def _without_form(text: str) -> list[str]:
    return [plain for line in text.split("\n") if (plain := _plain(line))]


def _words(meeting: MeetingState) -> str:
    return normalised(meeting.description or "")


def _cut(text: str, room: int) -> tuple[str, str]:
    """What of the text there is room for, and the rest."""
    return (text, "") if len(text) <= room else (text[: room - 1], text[room - 1 :])


def _completed(words: str, shown: str, hidden: str) -> str:
    """The words with the hidden rest, if the text still says where it was cut."""
    if not hidden:
        return words
    last = r"\s+".join(map(re.escape, shown.split()[-_WORDS_BEFORE_CUT:]))
    found = list(re.finditer(last + r"\s*" + _ELLIPSIS, words))
    if not found:
        return words
    at = found[-1].end() - len(_ELLIPSIS)
    return normalised(words[:at].rstrip() + shown[len(shown.rstrip()) :] + hidden + words[at + len(_ELLIPSIS) :])
