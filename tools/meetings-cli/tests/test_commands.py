"""The command as the shell runs it: what it prints, what it asks before, and what it says when something is away."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from chassis.http.app import service_app
from chassis.http.internal_queries import query_routes
from chassis.kafka.publisher import open_publisher
from chassis.kafka.records import OutgoingRecord
from chassis.provision import ProvisioningSettings, provision
from chassis.telemetry.health import Health
from contracts.api.calendar import CalendarSyncResult, ReencryptedPage, ReencryptSecrets, ResyncCalendar, SyncRunStatus
from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.replies import Outcome, Reply
from contracts.transport.topics import INVITATIONS, MEETING_EVENTS
from contracts.values.ids import uuid7_hex
from contracts.values.times import utc_now
from fastapi import FastAPI
from meetings_cli.settings import Settings
from pydantic import SecretStr
from pymongo import MongoClient
from simulators.common.serve import running

from .conftest import Meetings

SECRET = "a secret of the tests that is long enough"
AWAY = "127.0.0.1:1"


class CalendarSync:
    """Answers operators: three pages of connections, and one calendar that can be read."""

    def __init__(self) -> None:
        self.reencrypted = [[5, 5, 1], [0, 0, 0]]
        """In each look through, the secrets of each page."""
        self.unreadable = 0
        self.asked: list[ReencryptSecrets] = []
        self.pull = CalendarSyncResult(status=SyncRunStatus.COMPLETED, imported=3, updated=2, removed=1)

    async def reseal(self, question: ReencryptSecrets) -> Reply:
        self.asked.append(question)
        page = int(question.after or 0)
        look = [one.after for one in self.asked].count("") - 1
        last = None if page == 2 else str(page + 1)
        count = self.reencrypted[look][page]
        data = ReencryptedPage(total=30, seen=10, reencrypted=count, unreadable=self.unreadable, last=last)
        return Reply(outcome=Outcome.OK, data=data)

    async def resync(self, question: ResyncCalendar) -> Reply:
        if question.user_id != "TS1":
            raise ApiError(ErrorCode.CALENDAR_NOT_CONNECTED)
        return Reply(outcome=Outcome.OK, data=self.pull)


@pytest.fixture
def calendar_sync(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CalendarSync]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield

    calendar, app = CalendarSync(), service_app(Health(), lifespan)
    settings = Settings(internal_token=SecretStr("internal"))
    app.router.routes.extend(
        query_routes(settings, {ReencryptSecrets: calendar.reseal, ResyncCalendar: calendar.resync})
    )
    with running(app) as url:
        monkeypatch.setenv("CALENDAR_SYNC_URL", url)
        monkeypatch.setenv("INTERNAL_TOKEN", "internal")
        yield calendar


# --- having calendar-sync do something ----------------------------------------------------------------------------


def test_a_calendar_is_read_anew(calendar_sync: CalendarSync, meetings: Meetings) -> None:
    assert meetings("calendar", "resync", "T1", "TS1").out == "read: 3 imported, 2 updated, 1 removed\n"
    calendar_sync.pull = CalendarSyncResult(status=SyncRunStatus.IN_PROGRESS)
    assert "goes on by itself" in meetings("calendar", "resync", "T1", "TS1").out
    refused = meetings("calendar", "resync", "T1", "TS2")
    assert (refused.status, refused.out) == (2, "")
    assert "No calendar is connected (BE0426)" in refused.err


def test_keys_are_rotated_page_by_page_and_looked_at_once_more(calendar_sync: CalendarSync, meetings: Meetings) -> None:
    ran = meetings("keys", "rotate")
    assert ran.status == 0
    assert "11 secrets sealed anew" in ran.out
    assert "The others can be taken out" in ran.out
    assert [question.after for question in calendar_sync.asked] == ["", "1", "2"] * 2


def test_old_keys_stay_while_somebody_seals_with_them(calendar_sync: CalendarSync, meetings: Meetings) -> None:
    calendar_sync.reencrypted = [[5, 5, 1], [0, 2, 0]]
    ran = meetings("keys", "rotate")
    assert ran.status == 1
    assert "2 more were sealed with an old key meanwhile" in ran.out
    assert "NOT finished" in ran.out


def test_old_keys_stay_while_secrets_cannot_be_opened(calendar_sync: CalendarSync, meetings: Meetings) -> None:
    calendar_sync.reencrypted, calendar_sync.unreadable = [[0, 0, 0]], 1
    ran = meetings("keys", "rotate")
    assert ran.status == 1
    assert "3 secrets open with none of the keys" in ran.out


@pytest.mark.parametrize("words", [("calendar", "resync", "T1", "TS1"), ("keys", "rotate")])
def test_what_stands_in_the_way_is_said_in_a_sentence(
    calendar_sync: CalendarSync, meetings: Meetings, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("INTERNAL_TOKEN", "wrong")
    refused = meetings(*words)
    assert (refused.status, "calendar-sync does not know this INTERNAL_TOKEN." in refused.err) == (2, True)
    monkeypatch.setenv("CALENDAR_SYNC_URL", f"http://{AWAY}")
    away = meetings(*words)
    assert (away.status, f"calendar-sync at http://{AWAY} does not answer" in away.err) == (2, True)


# --- what is away -------------------------------------------------------------------------------------------------


@pytest.fixture
def all_away(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", AWAY)
    monkeypatch.setenv("MONGODB_URI", f"mongodb://operator:a-password@{AWAY}")
    for service in ("API_GATEWAY", "WEBHOOK_INGEST", "MEETING_CORE", "INVITATIONS", "CALENDAR_SYNC"):
        monkeypatch.setenv(f"{service}_URL", f"http://{AWAY}")


@pytest.mark.usefixtures("all_away")
def test_status_says_all_that_is_wrong_and_fails(meetings: Meetings) -> None:
    ran = meetings("status", "--json")
    assert ran.status == 1
    found = json.loads(ran.out)
    assert [(one["name"], one["alive"]) for one in found["services"]] == [
        (name, False) for name in ("api-gateway", "webhook-ingest", "meeting-core", "invitations", "calendar-sync")
    ]
    assert (found["lags"], found["dead_letters"], found["jobs"]) == (None, None, None)
    assert set(found["unknown"]) == {"broker", "database"}
    assert ran.err.startswith("wrong: api-gateway is down: process does not answer (ConnectError); webhook-ingest")
    assert "a-password" not in ran.out + ran.err


@pytest.mark.usefixtures("all_away")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dead-letters", "list"), f"the broker at {AWAY}: KafkaConnectionError. Is it up?"),
        (("jobs", "list"), "the database: ServerSelectionTimeoutError. Is it up? MONGODB_URI says where"),
    ],
)
def test_what_is_away_is_named(meetings: Meetings, words: tuple[str, ...], said: str) -> None:
    ran = meetings(*words)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    assert "a-password" not in ran.err


# --- asking for the right thing -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("all_away")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dead-letters", "list", "--topic", "meetings.events"), "no dead-letter topic"),
        (("jobs", "retry", "delivery"), "say which: ids, or --all"),
        (("jobs", "retry", "delivery", "MP1", "--all"), "say which: ids, or --all"),
        (("jobs", "list", "laundry"), "laundry"),
        (("token",), "say whose"),
        (("token", "--tenant", "T1", "--user", "TS1"), "say whose"),
        (("token", "Valentina"), "There is no local run here"),
        (("token", "--tenant", "T1", "--user", "TS1", "--email", "a@example.com"), "JWT_HS256_SECRET"),
    ],
)
def test_what_is_not_understood_is_refused(meetings: Meetings, words: tuple[str, ...], said: str) -> None:
    ran = meetings(*words)
    assert ran.status == 2
    assert said in ran.err.replace("│ ", "")


# --- doing it, on a real broker and a real database ---------------------------------------------------------------

LETTERS = MEETING_EVENTS.dead_letters(INVITATIONS)


def answering(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{answer}\n"))


async def park(settings: Settings, count: int) -> None:
    """There are dead letters with somebody's name in them."""
    await provision(ProvisioningSettings(kafka_bootstrap_servers=settings.kafka_bootstrap_servers))
    headers = [("dlt-group", INVITATIONS.encode()), ("dlt-error", b"ZeroDivisionError: a bug")]
    async with open_publisher(settings) as publisher:
        for _ in range(count):
            await publisher.publish(OutgoingRecord(LETTERS.name, b"M1", b'{"name": "Jane Roe"}', headers))


@pytest.mark.integration
def test_dead_letters_are_looked_at_replayed_and_discarded_when_the_operator_says_yes(
    settings: Settings, meetings: Meetings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", settings.kafka_bootstrap_servers)
    asyncio.run(park(settings, 2))
    meetings("dead-letters", "discard", "--all", "--yes")
    meetings("dead-letters", "discard", "--topic", LETTERS.name, "--all", "--yes")
    asyncio.run(park(settings, 3))

    listed = meetings("dead-letters", "list").out
    rows = [line.split() for line in listed.splitlines() if line.startswith(LETTERS.name) and " open " in line]
    offsets = [row[1] for row in rows]
    assert len(offsets) == 3
    assert "ZeroDivisionError" in listed
    assert "Jane" not in listed
    assert '{"name": "Jane Roe"}' in meetings("dead-letters", "show", "--topic", LETTERS.name, offsets[0]).out

    answering(monkeypatch, "n")
    assert meetings("dead-letters", "discard", "--topic", LETTERS.name, *offsets).status == 1
    assert meetings("dead-letters", "list").out == listed
    answering(monkeypatch, "y")
    replayed = meetings("dead-letters", "replay", "--topic", LETTERS.name, offsets[0])
    assert (replayed.status, "replayed 1 dead letter" in replayed.out) == (0, True)
    assert "replayed" in meetings("dead-letters", "list", "--topic", LETTERS.name).out
    gone = meetings("dead-letters", "discard", "--topic", LETTERS.name, *offsets, "-y")
    assert "discarded 3 dead letters" in gone.out
    again = meetings("dead-letters", "discard", "--topic", LETTERS.name, offsets[0], "-y")
    assert (again.status, f"has no dead letter at {offsets[0]}" in again.err) == (2, True)


@pytest.mark.integration
def test_work_that_gave_up_is_found_understood_and_made_due(
    settings: Settings, meetings: Meetings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = f"invitations_{uuid7_hex()}"
    monkeypatch.setenv("MONGODB_URI", settings.mongodb_uri)
    monkeypatch.setenv("INVITATIONS_DATABASE", database)
    with MongoClient[dict[str, Any]](settings.mongodb_uri) as client:
        guests = client[database]["guests"]
        assert meetings("jobs", "list").out == "nothing is stuck\n"
        discarded = {"at": utc_now(), "error": "ValueError: jane@example.com"}
        guests.insert_one(
            {"_id": "MP1", "person": "Jane", "domain": "example.com", "delivery": {"discarded": discarded}}
        )
        listed = meetings("jobs", "list", "delivery").out
        assert "MP1" in listed
        assert "discarded: ValueError" in listed
        assert "jane@" not in listed
        shown = json.loads(meetings("jobs", "show", "delivery", "MP1").out)
        assert shown["delivery"]["discarded"]["error"] == "ValueError: jane@example.com"
        assert shown["domain"] == "example.com"
        assert "person" not in shown
        assert meetings("jobs", "show", "delivery", "MP2").status == 2

        answering(monkeypatch, "n")
        assert meetings("jobs", "retry", "delivery", "MP1").status == 1
        assert "discarded" in guests.find_one({"_id": "MP1"})["delivery"]  # type: ignore[index]
        answering(monkeypatch, "y")
        assert "1 × delivery due now" in meetings("jobs", "retry", "delivery", "MP1").out
        assert set(guests.find_one({"_id": "MP1"})["delivery"]) == {"dueAt"}  # type: ignore[index]
        partly = meetings("jobs", "retry", "delivery", "MP1", "MP2", "--yes")
        assert (partly.status, "1 are not stuck" in partly.err) == (2, True)


# --- a local run --------------------------------------------------------------------------------------------------


def local_run(folder: Path, **run: Any) -> None:
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "keys.json").write_text(json.dumps({"internal_token": "i", "jwt_hs256_secret": SECRET}))


def test_beside_a_local_run_nothing_needs_to_be_set(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local_run(
        nowhere, kafka="kafka:1", mongodb="mongodb://m", services={"calendar-sync": "http://c", "new": "http://n"}
    )
    settings = Settings()
    assert (settings.kafka_bootstrap_servers, settings.mongodb_uri) == ("kafka:1", "mongodb://m")
    assert settings.internal_token.get_secret_value() == "i"
    assert settings.services["calendar-sync"] == "http://c"
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "another:1")
    assert Settings().kafka_bootstrap_servers == "another:1", "the environment wins"


def test_a_token_is_alone_on_standard_output(nowhere: Path, meetings: Meetings) -> None:
    local_run(nowhere, people=[{"name": "Valentina", "token": "her.own.token"}])
    assert meetings("token", "valentina").out == "her.own.token\n"
    made = meetings("token", "--tenant", "T1", "--user", "TS1", "--email", "a@example.com", "--type", "CLIENT")
    assert made.status == 0
    assert jwt.decode(made.out.strip(), SECRET, ["HS256"])["userType"] == "CLIENT"


def test_a_local_run_that_cannot_be_read_is_said(nowhere: Path, meetings: Meetings) -> None:
    (nowhere / "run.json").write_text("{half")
    ran = meetings("status")
    assert (ran.status, "run.json cannot be read" in ran.err) == (2, True)
