"""Answering by a mailed link, with stand-ins for the bus and the core: what is asked, recorded, refused and shown."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from chassis.http.internal_queries import QueryUnavailableError
from chassis.kafka.command_client import BrokerUnavailableError
from contracts.api.errors import ApiError, ErrorCode
from contracts.api.meetings import Invitation
from contracts.messages.replies import Outcome, Reply, ReplyError
from contracts.rsvp_tokens import RsvpKeys, sign
from contracts.values.enums import Language, MeetingStatus, RsvpStatus
from contracts.values.times import utc_now
from invitations.adapters.mail.links import RsvpLinks

from tests.support.gateway import RSVP_TOKEN_KEYS, Gateway, gateway
from tests.support.guests import guest

MEETING, GUEST, TENANT = "M1", "MP1", "T1"
PATH = f"/api/v1/meetings/{MEETING}/participants/{GUEST}/rsvp"
KEYS = RsvpKeys.parse(RSVP_TOKEN_KEYS)
OTHER_KEYS = RsvpKeys.parse("eHh4" * 11)
HOUR = timedelta(hours=1)
ACCEPTED, DECLINED = RsvpStatus.ACCEPTED, RsvpStatus.DECLINED


def token(
    *, meeting: str = MEETING, guest: str = GUEST, lasts: timedelta = HOUR, keys: RsvpKeys = KEYS, tenant: str = TENANT
) -> str:
    return sign(keys, meeting_uuid=meeting, participant_uuid=guest, tenant_uuid=tenant, expires_at=utc_now() + lasts)


TOKEN = token()
BAD_TOKENS = {
    "forged": token(keys=OTHER_KEYS),
    "truncated": TOKEN[:-1],
    "of another meeting": token(meeting="M2"),
    "of another participant": token(guest="MP2"),
    "expired": token(lasts=-HOUR),
    "garbage": "garbage",
    "empty": "",
    "not ASCII": "é" * 40,
}


def invited(**changes: Any) -> Reply:
    """The core's answer: a meeting tomorrow, not answered yet, changed as asked."""
    now = utc_now().replace(tzinfo=None)
    given: dict[str, Any] = {
        "start_date_time": now + timedelta(days=1),
        "end_date_time": now + timedelta(days=1, hours=1),
        "timezone": "America/Santiago",
        "title": "Portfolio review",
        "ends_at": utc_now() + timedelta(days=1, hours=4),
        "status": MeetingStatus.ACTIVE,
        "host_name": "Valentina Rojas",
        "language": Language.ENGLISH,
        "rsvp_status": RsvpStatus.UNKNOWN,
    }
    return Reply(outcome=Outcome.OK, version=1, data=Invitation(**given | changes).model_dump(mode="json"))


def refusing(code: ErrorCode) -> Reply:
    return Reply(outcome=Outcome.REJECTED, error=ReplyError.of(ApiError(code)))


@asynccontextmanager
async def public(**limits: Any) -> AsyncIterator[Gateway]:
    """A gateway behind which there is an invitation, and a client that is not logged in."""
    async with gateway(**limits) as running:
        running.core.outcome = invited()
        running.client.headers = httpx.Headers()
        yield running


@pytest.fixture
async def api() -> AsyncIterator[Gateway]:
    async with public() as running:
        yield running


async def opened(api: Gateway, *, confirm: bool = False, language: str = "", **query: str) -> httpx.Response:
    asked = {"status": "ACCEPTED", "token": TOKEN} | query | ({"confirm": "1"} if confirm else {})
    return await api.client.get(PATH, params=asked, headers={"accept-language": language})


async def sent(api: Gateway, **form: str) -> httpx.Response:
    return await api.client.post(PATH, data={"status": "ACCEPTED", "token": TOKEN} | form)


async def put(api: Gateway, query: dict[str, str] | None = None, status: str = "ACCEPTED") -> httpx.Response:
    return await api.client.put(PATH, params=query, json={"status": status})


def heading(answer: httpx.Response) -> str:
    [text] = re.findall(r"<h1[^>]*>(.*?)</h1>", answer.text)
    return str(text)


# --- what is recorded --------------------------------------------------------------------------------------------


async def test_the_mailed_form_asks_and_records_nothing(api: Gateway) -> None:
    answer = await opened(api, confirm=True)
    assert (answer.status_code, heading(answer)) == (200, "Do you accept this invitation?")
    assert api.bus.commands == []


@pytest.mark.parametrize("query", ["", "&confirm=1", "&confirm=0"])
async def test_head_records_nothing(api: Gateway, query: str) -> None:
    answer = await api.client.head(f"{PATH}?status=ACCEPTED&token={TOKEN}{query}")
    assert answer.status_code == 200
    assert api.bus.commands == []


def damaged(link: str) -> Iterator[str]:
    """Every way in which mail programs and scanners are known to damage or wrap a link."""
    yield from (link[:end] for end in range(len("http://gateway/"), len(link)))
    for entity in ("&amp;", "&#38;", "&amp;amp;", "%26", ";", "&&", " & ", "%0D%0A&"):
        yield link.replace("&", entity)
    for equals in ("%3D", "=3D", "&#61;", " = "):
        yield link.replace("=", equals)
    for name in ("confirm", "token", "status"):
        yield link.replace(f"{name}=", f"amp;{name}=")
        yield link.replace(f"{name}=", f"{name.upper()}=")
        yield link.replace(f"{name}=", f" {name}=")
    yield from (link.lower(), link.upper(), link.title(), link.swapcase(), link.replace("?", "%3F"))
    yield from (f"{link} ", f"{link}%20", f"{link}.", f"{link}>", f"{link})", f"{link}%0D%0A", link.replace("?", "? "))
    yield from (f"{link}&utm_source=mail", f"{link}&data=05%7C01", f"{link}#x", link.replace("?", "?url=x&"))
    yield f"{link}&status=ACCEPTED"
    recording = link.replace("confirm=1&", "")
    yield from (f"{recording}&utm_source=mail", f"{recording}&amp;confirm=1", f"{recording}&status=DECLINED")


@pytest.mark.parametrize("status", [ACCEPTED, DECLINED])
async def test_no_damaged_form_of_a_mailed_link_records_anything(status: RsvpStatus) -> None:
    """Not even where a token may be missing."""
    links = RsvpLinks("http://gateway", KEYS, grace=HOUR).of(
        guest().model_copy(update={"meeting_uuid": MEETING, "participant_uuid": GUEST}), now=utc_now()
    )
    async with public(per_guest=0, per_address=0) as api:
        assert heading(await api.client.get(links[status])).startswith("Do you ")
        for link in damaged(links[status]):
            answer = await api.client.get(link)
            assert api.bus.commands == [], link
            assert answer.status_code in (200, 400, 401, 403, 404), link
        assert (await api.client.get(f"{PATH}?status={status}")).status_code == 200
        assert [command.status for command in api.bus.commands] == [status]


@pytest.mark.parametrize("name", ["t", "tok", "amp;token", "Token", " token", "%20TOKEN", "amp%3Btoken"])
async def test_a_put_whose_token_arrives_damaged_records_nothing(api: Gateway, name: str) -> None:
    answer = await api.client.put(f"{PATH}?{name}={TOKEN}", json={"status": "ACCEPTED"})
    assert (answer.status_code, api.bus.commands) == (403, [])
    assert (await api.client.put(f"{PATH}?theme=dark", json={"status": "ACCEPTED"})).status_code == 200


async def test_options_records_nothing(api: Gateway) -> None:
    answer = await api.client.options(f"{PATH}?status=ACCEPTED&token={TOKEN}")
    assert answer.status_code == 405
    assert api.bus.commands == []


@pytest.mark.parametrize("how", [opened, sent, put])
@pytest.mark.parametrize("status", [ACCEPTED, DECLINED])
async def test_an_answer_is_recorded_for_the_participant_and_tenant_of_the_link(
    api: Gateway, how: Any, status: RsvpStatus
) -> None:
    answer = await (put(api, {"token": TOKEN}, status) if how is put else how(api, status=status))
    assert answer.status_code == 200
    [command] = api.bus.commands
    assert (command.meeting_uuid, command.participant_uuid) == (MEETING, GUEST)
    assert (command.tenant_uuid, command.actor, command.status) == (TENANT, None, status)


async def test_the_page_asks_the_core_with_the_proven_tenant(api: Gateway) -> None:
    await opened(api, confirm=True)
    [question] = api.core.queries
    assert (question.meeting_uuid, question.participant_uuid, question.tenant_uuid) == (MEETING, GUEST, TENANT)


async def test_a_put_is_repeatable_and_takes_if_match(api: Gateway) -> None:
    headers = {"Idempotency-Key": "once", "If-Match": '"7"'}
    for _ in range(2):
        await api.client.put(PATH, params={"token": TOKEN}, json={"status": "ACCEPTED"}, headers=headers)
    other = PATH.replace(GUEST, "MP2")
    await api.client.put(other, json={"status": "ACCEPTED"}, headers=headers)
    first, second, others = api.bus.commands
    assert first.command_id == second.command_id != others.command_id
    assert first.expected_versions == [7]


@pytest.mark.parametrize("status", ["UNKNOWN", "MAYBE", "accepted", ""])
async def test_a_wrong_status_is_400_everywhere(api: Gateway, status: str) -> None:
    answers = [await opened(api, status=status), await sent(api, status=status), await put(api, status=status)]
    answers.append(await opened(api, status=status, confirm=True))
    assert [answer.status_code for answer in answers] == [400] * 4
    assert api.bus.commands == []


async def test_a_missing_status_is_400_everywhere(api: Gateway) -> None:
    answers = [
        await api.client.get(PATH, params={"token": TOKEN}),
        await api.client.post(PATH, data={"token": TOKEN}),
        await api.client.post(PATH),
        await api.client.put(PATH, params={"token": TOKEN}, json={}),
    ]
    assert [answer.status_code for answer in answers] == [400] * 4
    assert heading(answers[0]) == "This link is incomplete"


async def test_a_put_must_be_json(api: Gateway) -> None:
    answer = await api.client.put(PATH, data={"status": "ACCEPTED"})
    assert (answer.status_code, answer.json()["errorCode"]) == (415, "BE0415")


# --- who may answer ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", BAD_TOKENS.values(), ids=BAD_TOKENS)
@pytest.mark.parametrize("policy", ["optional", "required"])
async def test_a_token_that_does_not_hold_is_403_and_reaches_nobody(bad: str, policy: str) -> None:
    async with public(token_required=policy == "required") as asked:
        page, confirm = await opened(asked, token=bad), await opened(asked, token=bad, confirm=True)
        answer = await put(asked, {"token": bad})
    assert [one.status_code for one in (page, confirm, answer)] == [403] * 3
    assert heading(page) == "This link is not valid"
    assert answer.json()["errorCode"] == "BE0408"
    assert asked.bus.commands == asked.core.queries == []


@pytest.mark.parametrize("bad", [bad for bad in BAD_TOKENS.values() if bad])
async def test_a_form_with_a_token_that_does_not_hold_is_403(api: Gateway, bad: str) -> None:
    assert (await sent(api, token=bad)).status_code == 403
    assert api.bus.commands == []


async def test_every_bad_token_is_refused_in_the_same_shape(api: Gateway) -> None:
    pages = [await opened(api, token=bad) for bad in BAD_TOKENS.values()]
    api.core.outcome = refusing(ErrorCode.PARTICIPANT_NOT_FOUND)
    pages.append(await opened(api, confirm=True))  # a sound token whose participant is gone
    bodies = [await put(api, {"token": bad}) for bad in BAD_TOKENS.values()]
    api.bus.outcome = refusing(ErrorCode.PARTICIPANT_NOT_FOUND)
    bodies.append(await put(api, {"token": TOKEN}))
    api.bus.outcome = refusing(ErrorCode.MEETING_NOT_FOUND)
    bodies.append(await put(api, {"token": TOKEN}))
    assert len({page.text for page in pages}) == 1
    assert len({tuple(sorted((body.json() | {"timestamp": ""}).items(), key=str)) for body in bodies}) == 1
    for answers in (pages, bodies):
        varying = {"x-correlation-id"}
        assert len({str(sorted((k, v) for k, v in one.headers.items() if k not in varying)) for one in answers}) == 1


@pytest.mark.parametrize(("required", "status", "tenants"), [(False, 200, [None] * 3), (True, 403, [])])
async def test_without_a_token_the_policy_decides(*, required: bool, status: int, tenants: list[None]) -> None:
    async with public(token_required=required) as asked:
        answers = [
            await asked.client.get(PATH, params={"status": "ACCEPTED"}),
            await asked.client.post(PATH, data={"status": "ACCEPTED"}),
            await put(asked),
        ]
    assert [answer.status_code for answer in answers] == [status] * 3
    assert [command.tenant_uuid for command in asked.bus.commands] == tenants


async def test_without_a_token_an_unknown_invitation_is_404(api: Gateway) -> None:
    api.core.outcome = api.bus.outcome = refusing(ErrorCode.MEETING_NOT_FOUND)
    page = await api.client.get(PATH, params={"status": "ACCEPTED"})
    assert (page.status_code, heading(page)) == (404, "We cannot find this invitation")
    assert (await put(api)).json()["errorCode"] == "BE0411"


async def test_one_address_can_ask_only_so_often() -> None:
    async with public(per_address=2) as running:
        answers = [await opened(running, token="x") for _ in range(3)] + [await put(running)]
    assert [answer.status_code for answer in answers] == [403, 403, 429, 429]
    assert answers[2].headers["retry-after"] == answers[3].headers["retry-after"] == "30"
    assert heading(answers[2]) == "Too many requests"
    assert answers[3].json()["errorCode"] == "BE0429"


async def test_one_guests_link_can_be_used_only_so_often_and_strangers_do_not_use_it_up() -> None:
    async with public(per_guest=2) as running:
        strangers = [await opened(running, token="x") for _ in range(5)]
        guests = [await opened(running) for _ in range(3)]
    assert {answer.status_code for answer in strangers} == {403}
    assert [answer.status_code for answer in guests] == [200, 200, 429]
    assert len(running.bus.commands) == 2


async def test_who_comes_without_a_token_does_not_use_up_what_the_guest_may_ask() -> None:
    async with public(per_guest=2) as running:
        tokenless = [await put(running) for _ in range(3)]
        guests = [await put(running, {"token": TOKEN}) for _ in range(3)]
    assert [answer.status_code for answer in tokenless] == [200, 200, 429]
    assert [answer.status_code for answer in guests] == [200, 200, 429]


# --- what is shown -----------------------------------------------------------------------------------------------


async def test_a_page_shows_text_in_the_order_in_which_it_was_written(api: Gateway) -> None:
    api.core.outcome = invited(title="invoice\u202egpj.exe \u2066", host_name="Ana\u202d\u200f")
    answer = await opened(api, confirm=True)
    assert "<bdi>invoicegpj.exe</bdi>" in answer.text
    assert "<bdi>Ana\u200f</bdi>" in answer.text


async def test_a_recorded_answer_is_shown_with_the_way_to_change_it(api: Gateway) -> None:
    answer = await sent(api)
    assert (answer.status_code, heading(answer)) == (200, "You have accepted")
    assert "Portfolio review" in answer.text
    assert "America/Santiago" in answer.text
    assert '<button name="status" value="DECLINED">' in answer.text
    assert f'<input type="hidden" name="token" value="{TOKEN}">' in answer.text


async def test_a_changed_answer_is_said_to_be_changed(api: Gateway) -> None:
    api.core.outcome = invited(rsvp_status=ACCEPTED)
    assert "earlier answer has been changed" in (await sent(api, status="DECLINED")).text
    assert "earlier answer has been changed" not in (await sent(api, status="ACCEPTED")).text


@pytest.mark.parametrize("confirm", [True, False])
async def test_after_the_meeting_an_answer_still_counts_and_the_page_says_so(api: Gateway, *, confirm: bool) -> None:
    api.core.outcome = invited(ends_at=utc_now() - timedelta(seconds=1))
    answer = await opened(api, confirm=confirm)
    assert answer.status_code == 200
    assert "already over" in answer.text
    assert len(api.bus.commands) == (0 if confirm else 1)


@pytest.mark.parametrize("confirm", [True, False])
async def test_a_canceled_meeting_is_409_without_a_form(api: Gateway, *, confirm: bool) -> None:
    api.core.outcome = invited(status=MeetingStatus.CANCELED)
    api.bus.outcome = refusing(ErrorCode.MEETING_CANCELED)
    answer = await opened(api, confirm=confirm)
    assert (answer.status_code, heading(answer)) == (409, "This meeting has been canceled")
    assert "<form" not in answer.text
    assert (await put(api, {"token": TOKEN})).status_code == 409


async def test_a_meeting_canceled_at_the_last_moment_is_409(api: Gateway) -> None:
    api.bus.outcome = refusing(ErrorCode.MEETING_CANCELED)
    assert (await sent(api)).status_code == 409


async def test_an_outcome_that_is_late_is_202(api: Gateway) -> None:
    api.bus.outcome = None
    page, body = await sent(api), await put(api, {"token": TOKEN})
    assert (page.status_code, heading(page)) == (202, "Your answer is on its way")
    assert (body.status_code, body.json()) == (202, {"meetingUuid": MEETING, "status": "ACCEPTED"})


@pytest.mark.parametrize("away", ["bus", "core"])
async def test_what_is_away_is_503_and_nothing_was_recorded(api: Gateway, away: str) -> None:
    if away == "bus":
        api.bus.outcome = BrokerUnavailableError()
    else:
        api.core.outcome = QueryUnavailableError()
    answer = await sent(api)
    assert (answer.status_code, heading(answer)) == (503, "Temporarily unavailable")
    assert answer.headers["retry-after"] == "2"
    assert "Nothing was recorded" in answer.text


@pytest.mark.parametrize(
    ("guests", "browsers", "expected"),
    [(Language.SPANISH, "en", "es"), (Language.ENGLISH, "es", "en"), (None, "es-CL", "es"), (None, "de", "en")],
)
async def test_the_page_speaks_the_guests_language_or_else_the_browsers(
    api: Gateway, guests: Language | None, browsers: str, expected: str
) -> None:
    api.core.outcome = invited(language=guests)
    answer = await opened(api, confirm=True, language=browsers)
    assert answer.headers["content-language"] == expected
    assert f'lang="{expected}"' in answer.text


async def test_a_refusal_speaks_the_browsers_language(api: Gateway) -> None:
    assert heading(await opened(api, token="x", language="es")) == "Este enlace no es válido"


async def test_hostile_texts_stay_texts(api: Gateway) -> None:
    hostile = "</dd></title><script>alert(1)</script>\"'{{ 1234567 * 7654321 }}"
    api.core.outcome = invited(title=hostile, host_name=hostile)
    answer = await opened(api, confirm=True)
    assert "<script" not in answer.text
    assert "9449772114007" not in answer.text, "which no token can hold by chance"
    assert answer.text.count("&lt;script&gt;") == 3


@pytest.mark.parametrize("way", [opened, sent])
async def test_pages_are_kept_by_nobody_and_lead_nowhere(api: Gateway, way: Any) -> None:
    for answer in (await way(api), await way(api, token="x"), await way(api, status="x")):
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-robots-tag"] == "noindex"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")


async def test_a_form_that_is_too_large_is_refused_as_a_page(api: Gateway) -> None:
    answer = await api.client.post(PATH, data={"status": "ACCEPTED", "more": "x" * 300_000})
    assert answer.status_code == 413
    assert api.bus.commands == []
