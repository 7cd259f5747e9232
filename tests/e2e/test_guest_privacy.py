"""No guest learns of another one, whatever happens to a meeting, here and in its host's own calendar."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from contracts.values.ids import uuid7_hex
from localrun.platform import Platform

from tests.support.callers import Caller, Json, done, path_of
from tests.support.editors import GOOGLE, OUTLOOK, Editor
from tests.support.inbox import Elements, Inbox
from tests.support.mails import ReadMail
from tests.support.newcomers import hired
from tests.support.outside import Outside, disconnect, outsides, sees_sync
from tests.support.owners import Owner, in_days
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
EDITORS: dict[str, list[Editor]] = {"google": list(GOOGLE.values()), "outlook": list(OUTLOOK.values())}


@dataclass
class Guest:
    """An outside guest whose names and address are nowhere else in the world, and all that they were shown."""

    inbox: Inbox
    email: str
    name: str
    pages: list[str] = field(default_factory=list)

    @classmethod
    def planted(cls, platform: Platform) -> "Guest":
        number = uuid7_hex().lower()[-10:]
        email = f"box{number}@planted.example.org"
        return cls(Inbox(platform.addresses.mail, email), email, f"Given{number} Family{number}")

    @property
    def invitee(self) -> Json:
        return {"email": self.email, "name": self.name, "language": "SPANISH"}

    @property
    def traces(self) -> list[str]:
        """What would give the guest away."""
        return [*self.name.casefold().split(), self.email.partition("@")[0]]

    async def mails(self) -> list[ReadMail]:
        return [ReadMail.of(source) for source in await self.inbox.sources()]

    async def mailed(self, holds: Callable[[ReadMail], bool], what: str) -> ReadMail:
        """The first mail of which this holds."""

        async def found() -> ReadMail | None:
            return next((mail for mail in await self.mails() if holds(mail)), None)

        return await until(found, what=f"{self.name} is mailed {what}", within=60)

    async def answers(self) -> None:
        """Open and press whatever the newest mail offers; keep every page."""
        links = Elements("a", (await self.mails())[-1].text("text/html")).values_of("href")
        async with httpx.AsyncClient(trust_env=False, timeout=30) as browser:
            for link in [link for link in links if urlsplit(link).path.endswith("/rsvp")]:
                asked = await browser.get(link)
                self.pages.append(asked.text)
                for form in Elements("form", asked.text).found:
                    hidden = {one["name"]: one["value"] for one in Elements("input", asked.text).found}
                    pressed = await browser.post(asked.url.join(form["action"]), data={"status": "ACCEPTED", **hidden})
                    self.pages.append(pressed.text)
                recording = httpx.URL(link).copy_remove_param("confirm")
                self.pages.append((await browser.get(recording)).text)
                self.pages.append((await browser.put(recording, json={"status": "DECLINED"})).text)


@dataclass
class Host:
    """A host whose calendar is connected, and who retouches the copy in it after each step."""

    user: Caller
    owner: Owner
    copies: list[str] = field(default_factory=list)
    typed: int = 0

    async def retouches(self, meeting: Json) -> None:
        """Edit the description as the provider's editors do, each in turn, and wait until the meeting has it."""
        await sees_sync(self.user, meeting, "SYNCED", within=60)
        self.copies.append(self.owner.stored())
        editors = EDITORS[self.owner.outside.name]
        self.typed += 1
        self.owner.retouches(self.owner.copy_of(meeting), editors[self.typed % len(editors)], f"Typed{self.typed}")

        async def taken_over() -> bool:
            return f"Typed{self.typed}" in ((await self.user.sees(meeting))["description"] or "")

        await until(taken_over, what="the host's words are taken over", within=60)
        await sees_sync(self.user, meeting, "SYNCED", within=60)
        self.copies.append(self.owner.stored())


@pytest.fixture(scope="module")
def both(platform: Platform) -> Iterator[dict[str, Outside]]:
    with outsides(platform) as found:
        yield found


@pytest.fixture(params=["google", "outlook"])
async def host(request: pytest.FixtureRequest, both: dict[str, Outside], platform: Platform) -> AsyncIterator[Host]:
    async with hired(platform, "Olivia") as olivia:
        host = Host(olivia, Owner(both[request.param], f"{uuid7_hex().lower()}@example.org"))
        await host.owner.outside.connect(olivia, host.owner.email)
        yield host
        with suppress(AssertionError):
            await disconnect(olivia)


def times(days: int) -> dict[str, Any]:
    at = in_days(days)
    return {"startDateTime": f"{at:%Y-%m-%dT%H:%M:%S}", "endDateTime": f"{at:%Y-%m-%dT%H}:45:00", "timezone": "UTC"}


def is_titled(title: str) -> Callable[[ReadMail], bool]:
    return lambda mail: title in mail.header("Subject")


def is_of(days: int) -> Callable[[ReadMail], bool]:
    return lambda mail: f"DTSTART:{in_days(days):%Y%m%dT%H%M%SZ}".encode() in mail.calendar


def is_cancellation(mail: ReadMail) -> bool:
    return b"METHOD:CANCEL" in mail.calendar


async def test_nothing_that_guests_get_in_a_whole_life_names_another_guest(host: Host, platform: Platform) -> None:
    first, second, late = (Guest.planted(platform) for _ in range(3))
    user = host.user
    more = {
        "description": "Agenda:\n- fees & funds\n- next steps",
        "meetingInformation": "Ring twice.\nAsk for Ana.",
        "meetingLink": "https://meet.example.com/x?a=1&b=2",
    }
    meeting = await user.creates(
        title="Made", externalAttendees=[first.invitee, second.invitee], **times(5) | more, locationDetail="Room 5"
    )
    for guest in (first, second):
        await guest.mailed(is_titled("Made"), "the invitation")
    await host.retouches(meeting)
    for guest in (first, second):
        await guest.answers()

    await user.changes(meeting, title="Changed", meetingInformation="Ring thrice.")
    await first.mailed(is_titled("Changed"), "the change")
    await host.retouches(meeting)

    await user.changes(meeting, **times(6))
    await second.mailed(is_of(6), "the new time")
    await host.retouches(meeting)

    await user.changes(meeting, externalAttendees=[first.invitee, second.invitee, late.invitee])
    await late.mailed(is_of(6), "the invitation")
    await host.retouches(meeting)
    await late.answers()

    await user.changes(meeting, externalAttendees=[first.invitee, late.invitee])
    await second.mailed(is_cancellation, "that they are out")
    await host.retouches(meeting)

    before = len(await first.mails())
    resent: Any = done(await user.post(f"{path_of(meeting)}/resend"))
    assert {one["email"] for one in resent} == {first.email, late.email}

    async def mailed_again() -> bool:
        return len(await first.mails()) > before

    await until(mailed_again, what="the invitation is sent again", within=60)
    await host.retouches(meeting)
    await first.answers()

    await user.cancels(meeting)
    for guest in (first, late):
        await guest.mailed(is_cancellation, "the cancellation")
    await host.owner.outside.shows(host.owner.email, within=60)

    guests = [first, second, late]
    for guest in guests:
        said = "\n".join([*(mail.everything() for mail in await guest.mails()), *guest.pages]).casefold()
        assert all(trace in said for trace in guest.traces[:1]), "guests are called by their own name"
        others = [trace for other in guests if other is not guest for trace in other.traces]
        assert not [trace for trace in others if trace in said]
    assert any("Typed1" in mail.everything() for mail in await first.mails()), "what the host wrote reaches guests"
    assert not [trace for guest in guests for trace in guest.traces if trace in "\n".join(host.copies).casefold()]
