"""The failure campaign: people work with the platform while any part of it is killed, paused, cut off or refused its
disk; in the end everything that was promised must be true.

    make chaos ARGS="--minutes 30 --seed 7 --kafka apache"

starts a platform of its own, prints a report, and ends with status 1 and the evidence when a promise is broken. One
seed draws the same faults and the same deeds of each caller; how they meet depends on the machine.
"""

import argparse
import asyncio
import math
import os
import platform as machine
import shlex
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
from contracts.values.ids import uuid7_hex

from tests.chaos.checker import Copies, Log, Mailbox, broken_promises, parked, unsaid, untold
from tests.chaos.faults import Spell, draw, full, small
from tests.chaos.grounds import Grounds, grounds
from tests.chaos.neighbours import Neighbour, felt
from tests.chaos.report import AFTERMATH, Result, markdown
from tests.chaos.tormentor import Tormentor
from tests.chaos.workload import Workload
from tests.support.callers import calling
from tests.support.newcomers import directory_of
from tests.support.outside import outsides
from tests.support.waiting import until

_DATABASES = ("meeting_core", "invitations", "calendar_sync")
_SETTLED_WITHIN = 300.0
_BETWEEN_LOOKS = 1.0


@dataclass
class Campaign:
    """One platform, one seed."""

    grounds: Grounds
    workload: Workload
    copies: Sequence[Copies]
    tormentor: Tormentor
    log: Log = field(default_factory=Log)
    settled_after: float = 0.0
    """Seconds until the last look began."""
    last_to_settle: list[str] = field(default_factory=list)
    """What was still missing at the last look before all was well, or the end of patience."""

    def __post_init__(self) -> None:
        self.mailbox = Mailbox(self.grounds.platform.state_dir / "mail")

    async def rage(self, spells: Iterable[Spell], seconds: float = math.inf) -> None:
        """Work and torment until the spells, or so many seconds, are over, and all that was begun."""
        working = asyncio.create_task(self.workload.work(self.tormentor.clients))
        try:
            await self.tormentor.torment(spells, seconds)
        finally:
            self.workload.end()
            await working

    async def problems(self, within: float = _SETTLED_WITHIN) -> list[str]:
        """What is not as was promised once everything has calmed down; empty when all is well."""
        calm = time.monotonic()

        async def kept() -> bool:
            self.settled_after = time.monotonic() - calm
            if not (found := await self._problems()):
                return True
            self.last_to_settle = found
            await asyncio.sleep(_BETWEEN_LOOKS)  # a look costs much; nothing waits for it
            return False

        try:
            await until(kept, what="every promise is kept", within=within)
        except AssertionError:
            return self.last_to_settle
        return []

    async def _problems(self) -> list[str]:
        await self.log.read_on(self.grounds.bootstrap)
        await asyncio.to_thread(self.mailbox.read_on)
        hosts: dict[str, httpx.AsyncClient] = {
            caller.user_id: caller.http for caller in (*self.workload.hosts, self.workload.stranger)
        }
        return [
            *await broken_promises(self.workload.history, self.log, self.mailbox, self.copies, hosts),
            *felt(self.workload.history.operations(), self.tormentor.inflicted, AFTERMATH),
            *await parked(self.grounds.bootstrap),
            *await asyncio.to_thread(unsaid, self.grounds.mongodb, _DATABASES),
        ]

    @property
    def counts(self) -> dict[str, int]:
        history = self.workload.history
        return {
            "meetings": len(self.log.events),
            "writes asked for": len(history.writes),
            "questions asked": len(history.reads),
            "requests made for both": sum(len(one.attempts) for one in history.operations()),
            "answers by mail": len(history.replies),
            "attempts at them": sum(reply.attempts for reply in history.replies),
            "events told": sum(map(len, self.log.events.values())),
            "events told again, under the same id": self.log.repeats,
            "mails": len(self.mailbox.mails),
            "mails that came again, under the same Message-ID": self.mailbox.repeats,
            "mails not told as delivered, because their sender died and newer ones followed": untold(
                self.log, self.mailbox
            ),
            "events in Google's calendar": len(self.copies[0].outside.events(self.copies[0].email)),
            "events in Outlook's calendar": len(self.copies[1].outside.events(self.copies[1].email)),
        }


@asynccontextmanager
async def campaign(ground: Grounds, *, seed: int, clients: int) -> AsyncIterator[Campaign]:
    """Three hosts, of whom two have connected their calendars, a stranger, and guests."""
    running, addresses = ground.platform, ground.platform.addresses
    run = uuid7_hex().lower()[-12:]
    async with AsyncExitStack() as opened:
        found = opened.enter_context(outsides(running))
        *hosts, _, stranger = [
            await opened.enter_async_context(calling(addresses.gateway, person)) for person in addresses.people
        ]
        guests = await opened.enter_async_context(httpx.AsyncClient(base_url=addresses.gateway, trust_env=False))
        mails = await opened.enter_async_context(
            httpx.AsyncClient(base_url=addresses.mail, trust_env=False, timeout=30)
        )
        copies = [
            Copies(outside, f"host-{run}@{domain}", host.user_id)
            for outside, domain, host in zip(found.values(), ("gmail.com", "contoso.com"), hosts, strict=False)
        ]
        for one, host in zip(copies, hosts, strict=False):
            await one.outside.connect(host, one.email)
        workload = Workload(hosts, stranger, guests, mails, addresses.staff, addresses.contacts, seed, run)
        neighbour = Neighbour(stranger, directory_of(running), workload)
        yield Campaign(ground, workload, copies, Tormentor(ground, workload, neighbour, clients))


async def _main(given: argparse.Namespace, ground: Grounds) -> Result:
    seconds = given.minutes * 60
    targets = small() if given.small else full(given.kafka, given.members)
    async with campaign(ground, seed=given.seed, clients=given.clients) as running:
        began = time.monotonic()
        print("tormenting", flush=True)
        await running.rage(draw(given.seed, targets), seconds)
        tormented = time.monotonic()
        print("waiting until every promise is kept", flush=True)
        findings = await running.problems()
        return Result(
            command=f"make chaos ARGS={shlex.quote(_decisive(given))}",
            seed=given.seed,
            kafka=given.kafka,
            machine=f"{os.cpu_count()} cores ({machine.machine()}), Python {machine.python_version()}",
            date=datetime.now(UTC).date().isoformat(),
            began=began,
            tormented=tormented - began,
            settled=running.settled_after,
            history=running.workload.history,
            inflicted=running.tormentor.inflicted,
            ended_by_itself=running.tormentor.ended_by_itself,
            counts=running.counts,
            last_to_settle=running.last_to_settle,
            findings=findings,
        )


def _decisive(given: argparse.Namespace) -> str:
    """The options that decide what a campaign does."""
    options = [f"--{name} {getattr(given, name):g}" for name in ("minutes", "seed", "clients")]
    members = ["--members 3"] if given.members > 1 else []
    return " ".join([*options, f"--kafka {given.kafka}", *members, *(["--small"] if given.small else [])])


def main() -> int:
    """Exit status 0 when every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kafka", choices=("tansu", "apache"), default="apache")
    parser.add_argument(
        "--clients", type=int, default=6, help="how many meetings live at once; bursts are ten times more"
    )
    parser.add_argument("--members", type=int, choices=(1, 3), default=1, help="of MongoDB's replica set")
    parser.add_argument("--small", action="store_true", help="only the faults of the small campaign in CI")
    parser.add_argument("--state", type=Path, help="a folder that is kept, with the logs; default: a temporary one")
    parser.add_argument("--report", type=Path, help="where to write the report, too")
    parser.add_argument("--port-offset", type=int, default=3_000, help="added to the default ports")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="campaign-") as folder,
        grounds(
            given.state or Path(folder),
            kafka=given.kafka,
            members=given.members,
            port_offset=given.port_offset,
            report=print,
        ) as ground,
    ):
        result = asyncio.run(_main(given, ground))
    page = markdown(result)
    print(page)
    if given.report:
        given.report.write_text(page)
    return 1 if result.findings else 0


if __name__ == "__main__":
    sys.exit(main())
