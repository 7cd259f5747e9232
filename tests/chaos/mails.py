"""The campaign against mail: guests are invited, updated and canceled on while the invitations service and the mail
server die by SIGKILL at random points; in the end nobody misses a mail, and what came twice was the same mail.

    python -m tests.chaos.mails --meetings 200 --seed 1

starts a platform of its own, runs 200 meetings of five guests each, and prints what happened. One seed gives the same
meetings; when the kills strike depends on the machine.
"""

import argparse
import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts.values.ids import uuid7_hex
from localrun.platform import Platform

from tests.support.callers import MEETINGS, Caller, calling, path_of
from tests.support.crowd import NO_MAIL_LIMITS, NO_MAILBOX_LIMIT
from tests.support.gateway import body
from tests.support.mails import CalendarProgram, ReadMail
from tests.support.waiting import until

ENVIRONMENT = {
    "meeting-core": NO_MAIL_LIMITS,
    "invitations": {
        "DELIVERY_LEASE": "3",
        "DELIVERY_RETRY_INITIAL": "0.2",
        "DELIVERY_RETRY_MAX": "2",
        "UPDATE_WINDOW": "1",
        **NO_MAILBOX_LIMIT,
    },
}
GUESTS = 5
_CLIENTS = 4
_KILLED = ("invitations", "mail")
_PATIENCE = 60.0
_PAUSE = 1.0
Json = dict[str, Any]


@dataclass
class Campaign:
    """One host, many meetings, one seed."""

    platform: Platform
    host: Caller
    seed: int
    run: str = field(default_factory=lambda: uuid7_hex().lower())
    meetings: list[Json] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    """How many mails each guest is owed at most, by address: one for each change of theirs."""
    kills: Counter[str] = field(default_factory=Counter)

    async def rage(self, meetings: int) -> None:
        """Hold so many meetings while processes die."""
        killing = asyncio.create_task(self._kill_for_ever())
        numbers = iter(range(meetings))
        try:
            await asyncio.gather(*(self._client(numbers) for _ in range(_CLIENTS)))
            await until(self._has_hurt, what="a short campaign, too, has its kills", within=_PATIENCE)
        finally:
            killing.cancel()
            await asyncio.gather(killing, return_exceptions=True)
            for name in _KILLED:
                if not self.platform.processes[name].running:
                    await asyncio.to_thread(self.platform.processes[name].start)
                await asyncio.to_thread(self.platform.processes[name].wait_ready)

    async def problems(self, within: float) -> list[str]:
        """What is not as it should be once everything has calmed down; empty when all is well."""

        async def right() -> bool:
            return not await self._problems()

        try:
            await until(right, what="every guest knows", within=within)
        except AssertionError:
            return await self._problems()
        return []

    async def repeats(self) -> int:
        """How many mails came once more than they had to."""
        return sum(
            len(mails) - len({mail.header("Message-ID") for mail in mails}) for mails in (await self._mails()).values()
        )

    async def _has_hurt(self) -> bool:
        return self.kills.total() >= 2

    async def _client(self, numbers: Any) -> None:
        for number in numbers:
            chance = random.Random(f"{self.seed}/{number}")
            await self._hold(number, chance)
            await asyncio.sleep(chance.uniform(0, 2 * _PAUSE))  # a pace, nothing waits for it

    async def _hold(self, number: int, chance: random.Random) -> None:
        """One meeting: created, perhaps changed, perhaps canceled."""
        guests = [{"email": f"g{number}-{guest}-{self.run}@d{guest}.example.com"} for guest in range(GUESTS)]
        meeting = await self._do("POST", MEETINGS, body(title=f"{number}/0", externalAttendees=guests, timezone="UTC"))
        self._ask(meeting)
        for change in range(1, chance.randint(1, 3)):
            meeting = await self._do("PUT", path_of(meeting), {"title": f"{number}/{change}"})
            self._ask(meeting)
        if chance.random() < 0.3:
            meeting = await self._do("POST", f"{path_of(meeting)}/cancel", None)
            self._ask(meeting)
        self.meetings.append(meeting)

    def _ask(self, meeting: Json) -> None:
        self.asked.update(one["email"] for one in meeting["participants"])

    async def _do(self, method: str, path: str, what: Any) -> Json:
        key = uuid7_hex()

        async def accepted() -> Json | None:
            answer = await self.host.http.request(method, path, json=what, headers={"idempotency-key": key})
            return answer.json() if answer.status_code in (200, 201) else None

        return await until(accepted, what=f"{method} {path} is accepted", within=_PATIENCE)

    async def _kill_for_ever(self) -> None:
        chance = random.Random(self.seed)
        while True:
            await asyncio.sleep(chance.uniform(0.5, 7))  # the moment is what is random, nothing waits for it
            name = chance.choice(_KILLED)
            process = self.platform.processes[name]
            await asyncio.to_thread(process.kill, signal.SIGKILL)
            await asyncio.to_thread(process.start)  # which may be killed again before it is ready
            self.kills[name] += 1

    async def _problems(self) -> list[str]:
        mails = await self._mails()
        return [problem for meeting in self.meetings for problem in self._problems_of(meeting, mails)]

    def _problems_of(self, meeting: Json, mails: dict[str, list[ReadMail]]) -> list[str]:
        canceled = meeting["status"] == "CANCELED"
        problems = []
        for address in (one["email"] for one in meeting["participants"]):
            got = mails.get(address, [])
            calendar = CalendarProgram()
            for mail in got:
                calendar.receive(mail.calendar)
            shown = [entry["title"] for entry in calendar.shown]
            if shown != ([] if canceled else [meeting["title"]]):
                problems.append(f"{address} sees {shown}, the truth is {meeting['title']} {meeting['status']}")
            by_identity = {mail.header("Message-ID"): mail.calendar for mail in got}
            if len(by_identity) > self.asked[address]:
                problems.append(f"{address} got {len(by_identity)} mails for {self.asked[address]} changes")
            if any(by_identity[mail.header("Message-ID")] != mail.calendar for mail in got):
                problems.append(f"{address} got two mails under one Message-ID")
        return problems

    async def _mails(self) -> dict[str, list[ReadMail]]:
        """Every mail of this run by its recipient, oldest first, from the sink's own folder: it may be dead."""
        return await asyncio.to_thread(self._read_mails)

    def _read_mails(self) -> dict[str, list[ReadMail]]:
        found: dict[str, list[ReadMail]] = {}
        for envelope in sorted((self.platform.state_dir / "mail").glob("*.json"), key=lambda path: int(path.stem)):
            [recipient] = json.loads(envelope.read_text())["recipients"]
            if self.run in recipient:
                found.setdefault(recipient, []).append(ReadMail.of(envelope.with_suffix(".eml").read_bytes()))
        return found


async def main(meetings: int, seed: int) -> int:
    with (
        tempfile.TemporaryDirectory(prefix="mail-campaign-") as folder,
        Platform.start(Path(folder), env_overrides=ENVIRONMENT, report=print) as platform,
    ):
        assert platform.addresses.gateway is not None
        async with calling(platform.addresses.gateway, platform.addresses.people[0]) as host:
            campaign = Campaign(platform, host, seed)
            started = time.monotonic()
            await campaign.rage(meetings)
            seconds = time.monotonic() - started
            print(f"{meetings} meetings of {GUESTS} guests in {seconds:.0f} s, kills: {dict(campaign.kills)}")
            problems = await campaign.problems(within=180)
            seconds = time.monotonic() - started
            print(f"settled after {seconds:.0f} s; {await campaign.repeats()} mails came twice")
            print("\n".join(problems) or "nobody missed a mail")
            return len(problems)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meetings", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.exit(min(1, asyncio.run(main(given.meetings, given.seed))))
