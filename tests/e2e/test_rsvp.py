"""Guests are invited, answer by the link in their mail, and are mailed again, through the running platform."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from contracts.rsvp_tokens import RsvpKeys, sign
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from localrun.platform import Platform

from tests.support.callers import Caller, Json, done, path_of, refused
from tests.support.inbox import Elements, Inbox
from tests.support.topics import TopicLog
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

ANA = "C019B9D0FD0E5772F9E8ED189895D40C4"
SOON = {"startDateTime": "2031-06-16T15:00:00", "endDateTime": "2031-06-16T15:45:00"}
PAST = {"startDateTime": "2024-06-17T15:00:00", "endDateTime": "2024-06-17T15:45:00"}


@dataclass(frozen=True)
class Invited:
    """A meeting with one outside guest, who has their mail, and the guest's own browser."""

    host: Caller
    meeting: Json
    inbox: Inbox
    browser: httpx.AsyncClient
    keys: RsvpKeys

    @property
    def participant(self) -> str:
        return str(self.meeting["participants"][0]["participantUuid"])

    @property
    def path(self) -> str:
        return f"{path_of(self.meeting)}/participants/{self.participant}/rsvp"

    @property
    def token(self) -> str:
        return self.sign()

    def sign(self, **changes: Any) -> str:
        """A token of this guest's link, changed as asked."""
        said = {
            "meeting_uuid": self.meeting["meetingUuid"],
            "participant_uuid": self.participant,
            "tenant_uuid": self.meeting["tenantUuid"],
            "expires_at": utc_now() + timedelta(hours=1),
        }
        return sign(changes.pop("keys", self.keys), **(said | changes))

    async def answer(self) -> str:
        """What the host sees of the guest's answer."""
        return str((await self.host.sees(self.meeting))["participants"][0]["rsvpStatus"])

    async def state(self) -> tuple[str, str | None]:
        """The answer, and the version of the meeting."""
        seen = await self.host.get(path_of(self.meeting))
        return done(seen)["participants"][0]["rsvpStatus"], seen.headers.get("etag")

    async def open(
        self, status: str = "ACCEPTED", *, token: str | None = None, confirm: bool = False
    ) -> httpx.Response:
        query = (
            {"status": status} | ({"token": token} if token is not None else {}) | ({"confirm": "1"} if confirm else {})
        )
        return await self.browser.get(self.path, params=query)

    async def put(self, status: str = "ACCEPTED", *, token: str | None = None, **headers: str) -> httpx.Response:
        query = {} if token is None else {"token": token}
        return await self.browser.put(self.path, params=query, json={"status": status}, headers=headers)

    async def press(self, page: httpx.Response, status: str) -> httpx.Response:
        """Send the page's form by one of its buttons."""
        [form] = Elements("form", page.text).found
        assert form["method"] == "post"
        assert status in Elements("button", page.text).values_of("value")
        hidden = {one["name"]: one["value"] for one in Elements("input", page.text).found}
        return await self.browser.post(page.url.join(form["action"]), data={"status": status, **hidden})


@pytest.fixture
async def browser(gateway_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway_url, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def keys(platform: Platform) -> RsvpKeys:
    return RsvpKeys.parse(json.loads((platform.state_dir / "keys.json").read_text())["rsvp_token_keys"])


async def invite(
    platform: Platform, host: Caller, browser: httpx.AsyncClient, keys: RsvpKeys, **changes: Any
) -> Invited:
    """A new meeting with a guest of its own; returns when the mail is there and counted."""
    address = f"guest-{uuid7_hex().lower()}@example.com"
    guest = {"email": address, "name": "Jane Roe", "language": "ENGLISH"}
    meeting = await host.creates(**({"title": "Portfolio review", "externalAttendees": [guest]} | SOON | changes))
    assert platform.addresses.mail is not None
    inbox = Inbox(platform.addresses.mail, address)
    await inbox.mails(1)
    return Invited(host, meeting, inbox, browser, keys)


@pytest.fixture
async def invited(platform: Platform, valentina: Caller, browser: httpx.AsyncClient, keys: RsvpKeys) -> Invited:
    return await invite(platform, valentina, browser, keys)


async def quiet(invited: Invited) -> tuple[str, str | None]:
    """The guest's answer and the meeting's version, once the news of the delivered mail is part of it."""

    async def settled() -> tuple[str, str | None] | None:
        first = await invited.state()
        return first if first[1] != '"1"' else None

    return await until(settled, what="the delivery is noted in the meeting")


# --- by the link in the mail ----------------------------------------------------------------------------------------


async def test_a_scanner_that_opens_every_link_in_every_way_changes_nothing(invited: Invited) -> None:
    before = await quiet(invited)
    links = await invited.inbox.links()
    assert len([link for link in links if "/rsvp?" in link]) >= 2
    for link in links:
        for method in ("GET", "HEAD", "OPTIONS"):
            if urlsplit(link).netloc == urlsplit(str(invited.browser.base_url)).netloc:
                answer = await invited.browser.request(method, link)
                assert answer.status_code == (405 if method == "OPTIONS" else 200), (method, link)
    assert await invited.state() == before == ("UNKNOWN", before[1])


async def test_head_of_the_recording_form_changes_nothing(invited: Invited) -> None:
    before = await quiet(invited)
    answer = await invited.browser.head(invited.path, params={"status": "ACCEPTED", "token": invited.token})
    assert (answer.status_code, answer.content) == (200, b"")
    assert await invited.state() == before


async def test_a_guest_accepts_sees_it_recorded_and_changes_it(invited: Invited, told: TopicLog) -> None:
    links = await invited.inbox.rsvp_links()
    asked = await invited.browser.get(links["ACCEPTED"])
    assert "Portfolio review" in asked.text
    assert await invited.answer() == "UNKNOWN"

    recorded = await invited.press(asked, "ACCEPTED")
    assert recorded.status_code == 200
    assert "You have accepted" in recorded.text
    assert await invited.answer() == "ACCEPTED"

    changed = await invited.press(recorded, "DECLINED")
    assert "Your earlier answer has been changed" in changed.text
    assert await invited.answer() == "DECLINED"

    key = invited.meeting["meetingUuid"].encode()
    answers = await told.some(
        2,
        lambda record: record.key == key and dict(record.headers)["ce_type"] == b"meetings.participant.responded.v1",
        what="both answers are told",
    )
    assert [json.loads(record.value or b"")["rsvpStatus"] for record in answers] == ["ACCEPTED", "DECLINED"]
    assert all(json.loads(record.value or b"")["participantUuid"] == invited.participant for record in answers)
    assert invited.token[:8].encode() not in b"".join(record.value or b"" for record in answers)


async def test_the_documented_get_records_at_once(invited: Invited) -> None:
    page = await invited.open("DECLINED", token=invited.token)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "You have declined" in page.text
    assert await invited.answer() == "DECLINED"


async def test_a_program_answers_with_put_and_gets_the_participant(invited: Invited) -> None:
    for token in (invited.token, None):
        participant = done(await invited.put("ACCEPTED" if token else "DECLINED", token=token))
        assert participant["participantUuid"] == invited.participant
        assert participant["rsvpStatus"] == await invited.answer() == ("ACCEPTED" if token else "DECLINED")


async def test_the_pages_speak_the_guests_language(
    platform: Platform, valentina: Caller, browser: httpx.AsyncClient, keys: RsvpKeys
) -> None:
    address = f"guest-{uuid7_hex().lower()}@example.com"
    guest = {"email": address, "language": "SPANISH"}
    meeting = await valentina.creates(externalAttendees=[guest], **SOON)
    invited = Invited(valentina, meeting, Inbox("", address), browser, keys)
    page = await invited.open(token=invited.token, confirm=True)
    assert page.headers["content-language"] == "es"
    assert "lunes, 16 de junio de 2031, 15:00 – 15:45 (hora estándar de Chile, America/Santiago)" in page.text


# --- links that do not hold -----------------------------------------------------------------------------------------


async def test_a_token_for_anything_else_changes_nothing_and_every_refusal_is_alike(
    platform: Platform, valentina: Caller, browser: httpx.AsyncClient, invited: Invited
) -> None:
    other = await invite(platform, valentina, browser, invited.keys)
    token = invited.token
    tokens = [
        token[:-1],
        token[:10],
        token[1:],
        token.swapcase(),
        "forged",
        other.token,
        invited.sign(participant_uuid=other.participant),
        invited.sign(meeting_uuid=other.meeting["meetingUuid"]),
        invited.sign(expires_at=utc_now() - timedelta(seconds=1)),
        invited.sign(tenant_uuid="T019A16FF372A70B5A9307B00CE85E4DB"),
        invited.sign(keys=RsvpKeys.parse("eHh4" * 11)),
    ]
    before = await quiet(invited)
    bodies, pages = set(), set()
    for bad in tokens:
        error = refused(await invited.put(token=bad), 403, "BE0408")
        bodies.add(json.dumps(error | {"timestamp": ""}))
        for confirm in (False, True):
            page = await invited.open(token=bad, confirm=confirm)
            assert page.status_code == 403, bad
            pages.add(page.text)
        form = await browser.post(invited.path, data={"status": "ACCEPTED", "token": bad})
        assert form.status_code == 403
        pages.add(form.text)
    assert (len(bodies), len(pages)) == (1, 1)
    assert await invited.state() == before


async def test_a_removed_guests_link_is_void_also_when_they_are_invited_anew(
    invited: Invited, valentina: Caller
) -> None:
    guest = {"email": invited.meeting["participants"][0]["email"]}
    await valentina.changes(invited.meeting, externalAttendees=[])
    assert (await invited.open(token=invited.token, confirm=True)).status_code == 403
    refused(await invited.put(token=invited.token), 403, "BE0408")
    refused(await invited.put(), 404, "BE0412")
    assert (await invited.open()).status_code == 404
    again = await valentina.changes(invited.meeting, externalAttendees=[guest])
    assert again["participants"][0]["participantUuid"] != invited.participant
    refused(await invited.put(token=invited.token), 403, "BE0408")
    assert await invited.answer() == "UNKNOWN"


async def test_what_was_never_there_is_404_without_a_token(browser: httpx.AsyncClient, invited: Invited) -> None:
    nowhere = invited.path.replace(invited.meeting["meetingUuid"], "M019A16FF372A70B5A9307B00CE85E4DA")
    refused(await browser.put(nowhere, json={"status": "ACCEPTED"}), 404, "BE0411")
    assert (await browser.get(nowhere, params={"status": "ACCEPTED"})).status_code == 404


@pytest.mark.parametrize("status", ["UNKNOWN", "TENTATIVE", ""])
async def test_a_wrong_status_is_400(invited: Invited, status: str) -> None:
    refused(await invited.put(status, token=invited.token), 400, "BE0201")
    assert (await invited.open(status, token=invited.token)).status_code == 400
    assert (await invited.open(status, token=invited.token, confirm=True)).status_code == 400
    assert await invited.answer() == "UNKNOWN"


async def test_a_canceled_meeting_is_answered_by_nobody(invited: Invited, valentina: Caller) -> None:
    await valentina.cancels(invited.meeting)
    for confirm in (True, False):
        page = await invited.open(token=invited.token, confirm=confirm)
        assert page.status_code == 409
        assert "has been canceled" in page.text
    refused(await invited.put(token=invited.token), 409, "BE0420")
    assert await invited.answer() == "UNKNOWN"


async def test_after_the_meeting_the_mailed_link_still_works_and_says_that_it_is_over(
    platform: Platform, valentina: Caller, browser: httpx.AsyncClient, keys: RsvpKeys
) -> None:
    invited = await invite(platform, valentina, browser, keys, **PAST)
    page = await browser.get((await invited.inbox.rsvp_links())["DECLINED"])
    assert "already over" in page.text
    assert "already over" in (await invited.press(page, "DECLINED")).text
    assert await invited.answer() == "DECLINED"


async def test_while_the_core_is_away_pages_say_so_and_an_accepted_answer_is_carried_out_later(
    platform: Platform, invited: Invited
) -> None:
    with platform.processes["meeting-core"].paused():
        page, body = await asyncio.gather(
            invited.open(token=invited.token), invited.put("DECLINED", token=invited.token)
        )
    assert page.status_code == 503
    assert page.headers["retry-after"]
    assert "Nothing was recorded" in page.text
    assert done(body, 202) == {"meetingUuid": invited.meeting["meetingUuid"], "status": "ACCEPTED"}

    async def declined() -> bool:
        return await invited.answer() == "DECLINED"

    await until(declined, what="the accepted answer is recorded")


# --- by people who are logged in ------------------------------------------------------------------------------------


async def test_a_participant_answers_as_who_they_are(valentina: Caller, ana: Caller, daniel: Caller) -> None:
    meeting = await valentina.creates(contactIds=[ANA])
    answer = await ana.put(f"{path_of(meeting)}/rsvp", {"status": "ACCEPTED"})
    participant = done(answer)
    assert (participant["participantEntityUuid"], participant["rsvpStatus"]) == (ANA, "ACCEPTED")
    assert (await valentina.sees(meeting))["participants"][0]["rsvpStatus"] == "ACCEPTED"
    refused(await valentina.put(f"{path_of(meeting)}/rsvp", {"status": "ACCEPTED"}), 403, "BE0403")
    refused(await daniel.put(f"{path_of(meeting)}/rsvp", {"status": "ACCEPTED"}), 403, "BE0403")
    refused(await ana.put(f"{path_of(meeting)}/rsvp", {"status": "UNKNOWN"}), 400, "BE0201")


async def test_an_answer_takes_if_match_and_can_be_repeated(valentina: Caller, ana: Caller) -> None:
    meeting = await valentina.creates(contactIds=[ANA])
    refused(await ana.put(f"{path_of(meeting)}/rsvp", {"status": "ACCEPTED"}, if_match='"99"'), 412, "BE0430")
    key = uuid7_hex()
    first = await ana.put(f"{path_of(meeting)}/rsvp", {"status": "ACCEPTED"}, idempotency_key=key)
    done(await ana.put(f"{path_of(meeting)}/rsvp", {"status": "DECLINED"}))
    again = await ana.put(f"{path_of(meeting)}/rsvp", {"status": "ACCEPTED"}, idempotency_key=key)
    assert first.status_code == again.status_code == 200
    assert again.json()["rsvpStatus"] == "DECLINED"  # the repeat did nothing; it shows what is true now
    refused(await ana.put(f"{path_of(meeting)}/rsvp", {"status": "DECLINED"}, idempotency_key=key), 409, "BE0424")


# --- mailed again -----------------------------------------------------------------------------------------------------


async def test_a_guest_is_mailed_again_once_within_the_cooldown(invited: Invited, valentina: Caller) -> None:
    email = invited.meeting["participants"][0]["email"]
    one = f"{path_of(invited.meeting)}/participants/{invited.participant}/resend"
    sent = done(await valentina.post(one))
    assert sent["email"] == email
    assert sent["lastInvitationResentAt"] is not None
    [participant] = (await valentina.sees(invited.meeting))["participants"]
    assert participant["lastInvitationResentAt"] == sent["lastInvitationResentAt"]
    assert done(await valentina.post(one)) == {"email": email, "lastInvitationResentAt": None}
    skipped: Any = done(await valentina.post(f"{path_of(invited.meeting)}/resend"))
    assert skipped == [{"email": email, "lastInvitationResentAt": None}]
    first, second = await invited.inbox.mails(2)
    assert first["messageId"] != second["messageId"]
    page = await invited.browser.get((await invited.inbox.rsvp_links(2))["ACCEPTED"])
    assert (await invited.press(page, "ACCEPTED")).status_code == 200
    assert await invited.answer() == "ACCEPTED"
    assert len(await invited.inbox.mails(2)) == 2


async def test_a_resend_is_repeatable(invited: Invited, valentina: Caller) -> None:
    key = uuid7_hex()
    first: Any = done(await valentina.post(f"{path_of(invited.meeting)}/resend", idempotency_key=key))
    again: Any = done(await valentina.post(f"{path_of(invited.meeting)}/resend", idempotency_key=key))
    assert first == again
    assert [one["lastInvitationResentAt"] is not None for one in again] == [True]


async def test_a_resend_needs_a_meeting_and_a_participant_that_are_there(invited: Invited, valentina: Caller) -> None:
    unknown = f"{path_of(invited.meeting)}/participants/MP019A16FF372A70B5A9307B00CE85E4DA/resend"
    refused(await valentina.post(unknown), 404, "BE0412")
    await valentina.cancels(invited.meeting)
    refused(await valentina.post(f"{path_of(invited.meeting)}/resend"), 409, "BE0420")
