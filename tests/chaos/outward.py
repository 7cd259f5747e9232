"""The campaign against outward sync: hosts work, providers fail in every way they can, calendar-sync dies by SIGKILL at
random points; in the end each calendar shows exactly the platform's meetings, once each.

    python -m tests.chaos.outward --operations 300 --seed 1

starts a platform of its own, runs the same number of operations on Google and on Outlook side by side, and prints what
happened. One seed gives the same operations and faults; when they strike depends on the machine.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
from localrun.platform import Platform

from tests.support.callers import MEETINGS, Caller, calling, path_of
from tests.support.gateway import body
from tests.support.outside import CALENDAR, Json, Outside, Shown, expected, outsides
from tests.support.waiting import until

TIMEOUT = 2.0
"""Seconds that calendar-sync waits for a provider here."""
ENVIRONMENT = {
    "google": {"GOOGLE_QUOTA_PER_MINUTE": "0"},
    "calendar-sync": {
        "CALENDAR_TIMEOUT": str(TIMEOUT),
        "OAUTH_TIMEOUT": str(TIMEOUT),
        "OUTBOUND_LEASE": "3",
        "OUTBOUND_RETRY_INITIAL": "0.2",
        "OUTBOUND_RETRY_MAX": "2",
        "OUTBOX_RELAY_DELAY": "2",
    },
}
_PAUSE = 0.25
_PATIENCE = 180.0
_SETTLED_WITHIN = 180.0

_FAILING: list[Json] = [
    {"kind": "latency", "probability": 0.15, "seconds": 0.3},
    {"kind": "latency", "probability": 0.01, "seconds": TIMEOUT + 0.5},
    {"kind": "error", "probability": 0.05, "status": 503},
    {"kind": "error", "probability": 0.03, "status": 500},
    {"kind": "error", "probability": 0.03, "status": 429, "retryAfter": 1},
    {"kind": "error", "probability": 0.02, "status": 412},
    {"kind": "commit_then_error", "probability": 0.06, "status": 503},
    {"kind": "commit_then_timeout", "probability": 0.03, "seconds": TIMEOUT + 2},
    {"kind": "empty_page", "probability": 0.2},
    {"kind": "notification_loss", "probability": 0.2},
    {"kind": "notification_duplicate", "probability": 0.2},
    {"kind": "notification_reorder", "probability": 0.2, "seconds": 1},
    {"kind": "notification_delay", "probability": 0.2, "seconds": 1},
]
FAULTS: dict[str, list[Json]] = {
    "google": [
        *_FAILING,
        {"kind": "error", "probability": 0.03, "status": 403, "reason": "rateLimitExceeded", "operation": "events.*"},
        {"kind": "sync_before_answer", "probability": 0.5},
        {"kind": "late_stop", "probability": 0.5, "seconds": 1},
        {"kind": "refresh_token_rotation", "probability": 0.5},
        {"kind": "conference_failure", "probability": 0.5},
        {"kind": "freebusy_error", "probability": 0.5},
    ],
    "outlook": [
        *_FAILING,
        {"kind": "error", "probability": 0.02, "status": 409, "operation": "events.*"},
        {"kind": "error", "probability": 0.02, "status": 503, "reason": "MailboxConcurrency", "retryAfter": 1},
        {"kind": "token_death", "probability": 0.02},
        {"kind": "admin_consent", "probability": 0.05},
        {"kind": "repeated_items", "probability": 0.2},
        {"kind": "subscription_gone", "probability": 0.2},
    ],
}


@dataclass
class Campaign:
    """One host, one calendar, one seed."""

    outside: Outside
    caller: Caller
    email: str
    seed: int
    meetings: dict[str, Json] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    operations: ClassVar[Mapping[str, int]] = {
        "create": 34,
        "move": 22,
        "retitle": 22,
        "cancel": 12,
        "reconnect": 4,
        "withdraw": 2,
        "disturb": 4,
    }
    """What is done, and how often among a hundred."""

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.outside.name} {self.seed}")

    async def run(self, operations: int) -> None:
        """Connect, and do so many random things, with every fault in force."""
        await self.begin()
        weights = list(self.operations.values())
        for _ in range(operations):
            (operation,) = self.chance.choices(list(self.operations), weights)
            await getattr(self, f"_{operation}")()
            self.done[operation] += 1
            await asyncio.sleep(self.chance.uniform(0, _PAUSE))  # a pace, nothing waits for it

    async def begin(self) -> None:
        await self._connect()

    async def problems(self) -> list[str]:
        """What is not as it should be once everything has calmed down; empty when all is well."""
        if (await self._connection())["status"] != "CONNECTED":
            await self._connect()
        try:
            await until(self._is_right, what="everything is as it should be", within=_SETTLED_WITHIN)
        except AssertionError:
            return await self._differences()
        return []

    # --- what hosts do ------------------------------------------------------------------------------------------

    async def _create(self) -> None:
        meeting = await self._patiently("POST", MEETINGS, body(timezone="UTC", title=self._title(), **self._time()))
        self.meetings[meeting["meetingUuid"]] = meeting

    async def _move(self) -> None:
        await self._change(**self._time())

    async def _retitle(self) -> None:
        await self._change(title=self._title())

    async def _cancel(self) -> None:
        if meeting := self._some():
            self.meetings[meeting["meetingUuid"]] = await self._patiently("POST", f"{path_of(meeting)}/cancel")

    async def _reconnect(self) -> None:
        await self._patiently("POST", f"{CALENDAR}/disconnect", refused=409)
        await self._connect()

    async def _withdraw(self) -> None:
        """Take access away at the provider; somebody notices and, after a while, connects anew."""
        self.outside.consents.withdraw(self.email)
        await self._reconnect()

    async def _disturb(self) -> None:
        """What providers do by themselves: tokens end early, change keys move."""
        control = self.outside.simulator.control
        if self.outside.name == "google":
            control("POST", f"accounts/{self.email}/expire-access-tokens")
        else:
            for event in control("GET", f"accounts/{self.email}/events"):
                with suppress(httpx.HTTPStatusError):  # removed since it was listed
                    control("POST", f"accounts/{self.email}/events/{event['immutableId']}/touch")

    async def _change(self, **changes: Any) -> None:
        if meeting := self._some():
            self.meetings[meeting["meetingUuid"]] = await self._patiently("PUT", path_of(meeting), changes)

    def _some(self) -> Json | None:
        active = [meeting for meeting in self.meetings.values() if meeting["status"] == "ACTIVE"]
        return self.chance.choice(active) if active else None

    def _title(self) -> str:
        return f"{self.outside.name} {self.chance.randrange(10**6)}"

    def _time(self) -> Json:
        start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0, tzinfo=None)
        start += timedelta(days=self.chance.randint(2, 300), minutes=15 * self.chance.randrange(96))
        end = start + timedelta(minutes=self.chance.choice([15, 30, 60, 1440]))
        return {"startDateTime": start.isoformat(), "endDateTime": end.isoformat()}

    # --- the way there ------------------------------------------------------------------------------------------

    async def _patiently(self, verb: str, path: str, json: Any = None, *, refused: int | None = None) -> Json:
        """One request, repeated under its key until it is known to be done, as a good client does."""
        key = f"{self.chance.getrandbits(64):x}"

        async def answered() -> Json | None:
            answer = await self.caller.http.request(verb, path, json=json, headers={"idempotency-key": key})
            if answer.status_code in (202, 503):
                return None
            assert answer.is_success or answer.status_code == refused, f"{path}: {answer.status_code} {answer.text}"
            found: Json = answer.json()
            return found

        return await until(answered, what=f"{verb} {path}", within=_PATIENCE)

    async def _connection(self) -> Json:
        return await self._patiently("GET", f"{CALENDAR}/connection")

    async def _connect(self) -> None:
        async def connected() -> bool:
            try:
                await self.outside.connect(self.caller, self.email)
            except (AssertionError, KeyError):  # a fault on the way, or a part that is being restarted
                return bool((await self._connection())["status"] == "CONNECTED")
            return True

        await until(connected, what=f"{self.email} is connected", within=_PATIENCE)

    # --- the end ------------------------------------------------------------------------------------------------

    async def _is_right(self) -> bool:
        return not await self._differences()

    async def _differences(self) -> list[str]:
        seen = [await self.caller.sees(meeting) for meeting in self.meetings.values()]
        wanted = {expected(meeting) for meeting in seen if meeting["status"] == "ACTIVE"}
        there: Counter[Shown] = Counter(self.outside.events(self.email))
        told = [
            f"{one['title']} ({one['status']}) is told as {one['externalSyncStatus']} {one['syncFailureReason'] or ''}"
            for one in seen
            if one["externalSyncStatus"] != ("SYNCED" if one["status"] == "ACTIVE" else one["externalSyncStatus"])
            or one["externalSyncStatus"] == "PENDING"
        ]
        return [
            *(f"missing: {one}" for one in sorted(wanted - set(there))),
            *(f"orphan: {one}" for one in sorted(set(there) - wanted)),
            *(f"{count} times: {one}" for one, count in there.items() if count > 1),
            *told,
        ]


@asynccontextmanager
async def killing(platform: Platform, seed: int, *names: str) -> AsyncIterator[Counter[str]]:
    """One of these services dies at random points, and is started again, until this is left."""
    chance, killed = random.Random(seed), Counter[str]()

    async def go_on() -> None:
        while True:
            # The moment is what is random, nothing waits for it. A dead member keeps its consumer group busy for some
            # seconds: with shorter pauses nothing would be read at all.
            await asyncio.sleep(chance.uniform(1, 20) if killed else chance.uniform(1, 4))
            process = platform.processes[chance.choice(names)]
            await asyncio.to_thread(process.kill, signal.SIGKILL)
            killed[process.name] += 1
            await asyncio.to_thread(process.start)
            await asyncio.to_thread(process.wait_ready)

    task = asyncio.create_task(go_on())
    try:
        yield killed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for process in (platform.processes[name] for name in names):
            if not process.running:
                process.start()
            await asyncio.to_thread(process.wait_ready)


def answers(outside: Outside) -> dict[int, int]:
    """How often the provider has answered with each status."""
    counts = Counter[int]()
    for counted in outside.simulator.control("GET", "requests"):
        counts[counted["status"]] += counted["count"]
    return dict(sorted(counts.items()))


@contextmanager
def failing(outside: Outside, seed: int, faults: Iterable[Json]) -> Iterator[None]:
    """The provider fails in these ways, until this is left."""
    outside.simulator.control("POST", "faults/seed", {"seed": seed})
    for fault in faults:
        outside.simulator.fault(**fault)
    try:
        yield
    finally:
        outside.simulator.control("DELETE", "faults")


async def campaigns(platform: Platform, *, operations: int, seed: int) -> dict[str, list[str]]:
    """Run one campaign on each provider, side by side; what is wrong at the end, by provider."""
    emails = {"google": f"host{seed}@gmail.com", "outlook": f"host{seed}@contoso.com"}
    problems: dict[str, list[str]] = {}
    with outsides(platform) as found:
        people = platform.addresses.people
        async with (
            calling(platform.addresses.gateway, people[0]) as one,
            calling(platform.addresses.gateway, people[1]) as other,
        ):
            running = [
                Campaign(outside, caller, emails[name], seed)
                for (name, outside), caller in zip(found.items(), (one, other), strict=True)
            ]
            with ExitStack() as failures:
                for name, outside in found.items():
                    failures.enter_context(failing(outside, seed, FAULTS[name]))
                async with killing(platform, seed, "calendar-sync") as killed:
                    await asyncio.gather(*(campaign.run(operations) for campaign in running))
            ends = await asyncio.gather(*(campaign.problems() for campaign in running))
            for campaign, found_wrong in zip(running, ends, strict=True):
                problems[campaign.outside.name] = found_wrong
                states = Counter(meeting["status"] for meeting in campaign.meetings.values())
                print(f"{campaign.outside.name}: {dict(campaign.done)}; meetings {dict(states)}")
                print(f"  answers of the provider by status: {answers(campaign.outside)}")
            print(f"SIGKILL: {dict(killed)}")
    return problems


def main() -> int:
    """Exit status 0 when all is well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=300, help="on each provider")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=Path, help="a folder that is kept, with the logs; default: a temporary one")
    parser.add_argument("--port-offset", type=int, default=2_000, help="added to the default ports")
    given = parser.parse_args()
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="outward-") as state,
        Platform.start(
            given.state or Path(state), port_offset=given.port_offset, env_overrides=ENVIRONMENT
        ) as platform,
    ):
        problems = asyncio.run(campaigns(platform, operations=given.operations, seed=given.seed))
    for name, found in problems.items():
        print(f"{name}: {'all is well' if not found else f'{len(found)} problems'}")
        for one in found:
            print(f"  {one}")
    print(f"seed {given.seed}, {given.operations} operations on each, {time.monotonic() - began:.0f} s")
    return 1 if any(problems.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
