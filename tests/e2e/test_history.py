"""The history of a meeting names who changed it, by every way by which a change comes, through the running platform."""

from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest
from contracts.api.history import HistoryEntryView, MeetingHistoryPage
from contracts.values.enums import Way
from contracts.values.ids import uuid7_hex
from localrun.platform import Platform

from tests.support.callers import Caller, Json, done, path_of, refused
from tests.support.inbox import Inbox
from tests.support.newcomers import hired
from tests.support.outside import disconnect, outsides, sees_sync
from tests.support.owners import LENGTH, Owner, in_days
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
async def olivia(platform: Platform) -> AsyncIterator[Caller]:
    async with hired(platform, "Olivia") as caller:
        yield caller
        with suppress(AssertionError):
            await disconnect(caller)


async def history(reader: Caller, meeting: Json) -> list[HistoryEntryView]:
    """The whole history, which must be without gaps and chained."""
    first = MeetingHistoryPage.model_validate(done(await reader.get(f"{path_of(meeting)}/history", size=100)))
    entries = first.content
    assert [entry.version for entry in entries] == list(range(1, first.total_elements + 1))
    assert [entry.previous_hash for entry in entries[1:]] == [entry.hash for entry in entries[:-1]]
    return entries


async def last_by(reader: Caller, meeting: Json, way: Way) -> HistoryEntryView:
    """The newest change that came by this way, once there is one."""

    async def found() -> HistoryEntryView | None:
        return next((entry for entry in reversed(await history(reader, meeting)) if entry.actor.way is way), None)

    return await until(found, what=f"a change by {way}", within=60)


def said(entry: HistoryEntryView) -> dict[str, tuple[object, object]]:
    return {change.field: (change.old, change.new) for change in entry.changes}


async def test_every_change_says_who_made_it_and_what_it_changed(platform: Platform, olivia: Caller) -> None:
    with outsides(platform) as providers:
        owner = Owner(providers["google"], f"{uuid7_hex().lower()}@example.org")
        await providers["google"].connect(olivia, owner.email)
        address = f"guest-{uuid7_hex().lower()}@example.com"
        start = in_days(3)
        meeting = await olivia.creates(
            title="Review",
            startDateTime=f"{start:%Y-%m-%dT%H:%M:%S}",
            endDateTime=f"{start + LENGTH:%Y-%m-%dT%H:%M:%S}",
            timezone="UTC",
            internalNotes="first note",
            contactIds=[],
            staffIds=[],
            externalAttendees=[{"email": address, "name": "Jane Roe"}],
        )
        guest = str(meeting["participants"][0]["participantUuid"])
        inbox = Inbox(platform.addresses.mail, address)
        [mail] = await inbox.mails(1)

        await olivia.changes(meeting, internalNotes="second note", meetingPassword="tulips")
        edited = await last_by(olivia, meeting, Way.GATEWAY)
        assert (edited.actor.id, edited.actor.type) == (olivia.user_id, "TENANT_STAFF")
        assert said(edited)["internalNotes"] == ("first note", "second note")
        assert said(edited)["meetingPassword"] == (None, None)

        link = httpx.URL((await inbox.rsvp_links())["ACCEPTED"])
        async with httpx.AsyncClient(trust_env=False) as browser:
            query = {"token": link.params["token"]}
            answered = await browser.put(link.copy_with(query=None), params=query, json={"status": "ACCEPTED"})
            assert answered.status_code == 200, answered.text
            by_link = await last_by(olivia, meeting, Way.MAIL_LINK)
            assert (by_link.actor.id, by_link.actor.type) == (guest, "GUEST")
            assert said(by_link) == {"rsvpStatus": ("UNKNOWN", "ACCEPTED")}

            reply = {"program": "gmail", "action": "no"}
            await browser.post(f"{platform.addresses.mail}/api/messages/{mail['id']}/reply", json=reply)
        by_mail = await last_by(olivia, meeting, Way.MAIL_REPLY)
        assert (by_mail.actor.id, by_mail.actor.type) == (guest, "GUEST")
        assert said(by_mail) == {"rsvpStatus": ("ACCEPTED", "DECLINED")}

        await sees_sync(olivia, meeting, "SYNCED")
        owner.renames(owner.copy_of(meeting), "Portfolio review")
        by_provider = await last_by(olivia, meeting, Way.PROVIDER)
        assert (by_provider.actor.id, by_provider.actor.type) == (olivia.user_id, "TENANT_STAFF")
        assert said(by_provider)["title"] == ("Review", "Portfolio review")
        by_services = await last_by(olivia, meeting, Way.SYSTEM)
        assert by_services.actor.type == "SYSTEM"
        assert "tulips" not in "".join(entry.model_dump_json() for entry in await history(olivia, meeting))


async def test_only_staff_of_the_meeting_read_its_history(
    valentina: Caller, camila: Caller, ana: Caller, ingrid: Caller
) -> None:
    meeting = await valentina.creates(contactIds=[ana.user_id], staffIds=[])
    path = f"{path_of(meeting)}/history"
    for stranger in (ana, camila):
        refused(await stranger.get(path), 403, "BE0403")
    refused(await ingrid.get(path), 404, "BE0411")
    page = done(await valentina.get(path, page=1, size=1))
    assert (page["page"], page["size"], page["totalElements"] >= 1) == (1, 1, True)
    refused(await valentina.get(path, size=0), 400, "BE0201")
