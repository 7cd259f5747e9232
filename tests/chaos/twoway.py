"""The campaign against two-way sync: hosts work on the platform and in their external calendars at once, providers fail
in every way they can, notifications are lost, cursors expire, services die by SIGKILL at random points; in the end
platform and calendars say the same, everybody got the mails they were owed, and nothing is written any more.

    python -m tests.chaos.twoway --operations 500 --seed 1 --provider both --kafka apache

starts a platform of its own, runs the same number of operations on each provider, and prints what happened. One seed
gives the same operations and faults; when they strike depends on the machine.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
from contracts.values.ids import uuid7_hex
from contracts.values.times import Schedule
from localrun.platform import Platform

from tests.chaos import outward
from tests.chaos.outward import answers, failing, killing
from tests.support.callers import MEETINGS, calling, done, path_of
from tests.support.crowd import NO_MAIL_LIMITS, NO_MAILBOX_LIMIT
from tests.support.gateway import body
from tests.support.mails import CalendarProgram, ReadMail
from tests.support.outside import CALENDAR, Json, Shown, expected, outsides
from tests.support.owners import LENGTH, Owner, in_days
from tests.support.views import View, Viewed, view_of
from tests.support.waiting import until

ENVIRONMENT: dict[str, dict[str, str]] = {
    **outward.ENVIRONMENT,
    "invitations": {
        "DELIVERY_LEASE": "3",
        "DELIVERY_RETRY_INITIAL": "0.2",
        "DELIVERY_RETRY_MAX": "2",
        "OUTBOX_RELAY_DELAY": "2",
        "UPDATE_WINDOW": "1",
        **NO_MAILBOX_LIMIT,
    },
    "meeting-core": {"OUTBOX_RELAY_DELAY": "2"} | NO_MAIL_LIMITS,
    "calendar-sync": outward.ENVIRONMENT["calendar-sync"]
    | {
        "POLL_INTERVAL": "4",
        "INBOUND_LEASE": "3",
        "INBOUND_RETRY_MAX": "2",
        "CHANNEL_LEASE": "3",
        "MASS_DELETION_LIMIT": "1000000",  # here everybody means it
    },
}
_CURSORS: dict[str, list[Json]] = {
    "google": [{"kind": "error", "status": 410, "reason": "fullSyncRequired", "operation": "events.list"}],
    "outlook": [{"kind": "error", "status": 410, "reason": "SyncStateNotFound", "operation": "calendarView.delta"}],
}
FAULTS = {
    name: [*outward.FAULTS[name], *(fault | {"probability": 0.05} for fault in _CURSORS[name])] for name in _CURSORS
}
KILLED = ("calendar-sync", "webhook-ingest", "meeting-core")
SEARCH = "/api/v2/meetings"
_AHEAD = 150
"""Days: all that happens stays in the window that the platform looks at."""
_QUIET_READS = 3
_LOOKS_AT_TIMES = 8
_BETWEEN_LOOKS = 1.0
_SETTLED_WITHIN = 240.0
_PATIENCE = 180.0
_WRITES = ("insert", "import", "patch", "update", "delete", "create", "cancel", "move")


@dataclass(kw_only=True)
class Host(outward.Campaign):
    """A host on the platform, and their own hand in the calendar that they have connected."""

    name: str
    """The same in each run, as their address is not."""
    colleague: str
    """The address of another calendar at the same provider."""
    tag: str = field(default_factory=lambda: uuid7_hex().lower()[-12:])
    owed: Counter[str] = field(default_factory=Counter)
    """How many mails each guest may get at most, by address."""
    made: list[str] = field(default_factory=list)
    """The single events of their own, by id."""
    series: list[str] = field(default_factory=list)
    last: dict[str, Json] = field(default_factory=dict)
    """The meetings as they were last seen, by id."""
    number: int = 0
    operations: ClassVar[Mapping[str, int]] = {
        "create": 10,
        "retitle": 6,
        "move": 6,
        "describe": 4,
        "cancel": 2,
        "retitle_by_hand": 8,
        "move_by_hand": 6,
        "place_by_hand": 3,
        "write_by_hand": 4,
        "delete_by_hand": 2,
        "make": 9,
        "make_day": 2,
        "make_private": 2,
        "make_free": 2,
        "make_series": 3,
        "invite": 3,
        "change_event": 8,
        "delete_event": 4,
        "change_instance": 4,
        "delete_instance": 2,
        "forget_cursors": 2,
        "drop_channels": 2,
        "disturb": 2,
        "pull": 3,
        "reconnect": 1,
    }

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.outside.name} {self.name} {self.seed}")
        self.owner = Owner(self.outside, self.email)

    async def begin(self) -> None:
        await super().begin()
        self.view = await self._view()

    def end(self) -> None:
        self.view.close()

    # --- on the platform ----------------------------------------------------------------------------------------

    async def _create(self) -> None:
        guest = f"guest-{len(self.meetings)}-{self.chance.getrandbits(32):x}-{self.tag}@guests.example.com"
        asked = {"title": self._title(), "description": self._title(), "externalAttendees": [{"email": guest}]}
        meeting = await self._patiently("POST", MEETINGS, body(timezone="UTC", **asked, **self._time()))
        self.meetings[meeting["meetingUuid"]] = meeting
        self.owed[guest] += 1

    async def _describe(self) -> None:
        await self._change(description=self._title())

    async def _change(self, **changes: Any) -> None:
        if meeting := self._some():
            self._owe(meeting)
            # Its copy may have been deleted in the calendar just now, which cancels it.
            await self._patiently("PUT", path_of(meeting), changes, refused=409)

    async def _cancel(self) -> None:
        if meeting := self._some():
            self._owe(meeting)
            await self._patiently("POST", f"{path_of(meeting)}/cancel", refused=409)
            meeting["status"] = "CANCELED"

    def _owe(self, meeting: Json) -> None:
        self.owed.update(one["email"] for one in meeting["participants"])

    def _time(self) -> Json:
        start = in_days(self.chance.randint(2, _AHEAD), hour=self.chance.randrange(24))
        length = timedelta(minutes=self.chance.choice([15, 30, 60, 1440]))
        return {
            name: f"{at:%Y-%m-%dT%H:%M:%S}" for name, at in (("startDateTime", start), ("endDateTime", start + length))
        }

    def _title(self) -> str:
        self.number += 1
        return f"{self.email} {self.number}"

    # --- by hand, in the copies ---------------------------------------------------------------------------------

    async def _retitle_by_hand(self) -> None:
        if copy := self._copy():
            with _unless_it_is_gone():
                self.owner.renames(copy[1], self._title())

    async def _move_by_hand(self) -> None:
        if copy := self._copy():
            self._owe(copy[0])
            with _unless_it_is_gone():
                self.owner.moves(copy[1], self._moment())

    async def _place_by_hand(self) -> None:
        if copy := self._copy():
            self._owe(copy[0])
            with _unless_it_is_gone():
                self.owner.places(copy[1], self._title())

    async def _write_by_hand(self) -> None:
        if copy := self._copy():
            there = {one.event_id: one.text for one in await self._viewed()}
            before = there.get(copy[1], "") if self.chance.random() < 0.7 else ""
            with _unless_it_is_gone():
                self.owner.describes(copy[1], f"{self._title()}\n\n{before}")

    async def _delete_by_hand(self) -> None:
        if copy := self._copy():
            self._owe(copy[0])
            with _unless_it_is_gone():
                self.owner.deletes(copy[1])
                copy[0]["status"] = "CANCELED"

    def _copy(self) -> tuple[Json, str] | None:
        """A meeting, and the event that is its copy; None when it is not there just now."""
        if meeting := self._some():
            with suppress(ValueError):
                return meeting, self.owner.copy_of(meeting)
        return None

    # --- by hand, in other events -------------------------------------------------------------------------------

    def _moment(self) -> datetime:
        return in_days(self.chance.randint(2, _AHEAD), hour=self.chance.randrange(24))

    async def _make(self) -> None:
        self.made.append(self.owner.makes(self._title(), self._moment(), place=self._title()))

    async def _make_day(self) -> None:
        self.owner.makes(self._title(), self._moment(), all_day=True)

    async def _make_private(self) -> None:
        self.made.append(self.owner.makes_private(self._title(), self._moment()))

    async def _make_free(self) -> None:
        self.made.append(self.owner.makes_free(self._title(), self._moment()))

    async def _make_series(self) -> None:
        self.series.append(self.owner.makes_daily(self._title(), self._moment(), self.chance.randint(2, 5)))

    async def _invite(self) -> None:
        self.made.append(self.owner.invites(self._title(), self._moment(), [self.colleague]))

    async def _change_event(self) -> None:
        if self.made and self.chance.random() < 0.5:
            self.owner.moves(self.chance.choice(self.made), self._moment())
        elif events := self.made + self.series:
            self.owner.renames(self.chance.choice(events), self._title())

    async def _delete_event(self) -> None:
        events = self.made if self.chance.random() < 0.8 else self.series
        if events:
            self.owner.deletes(events.pop(self.chance.randrange(len(events))))

    async def _change_instance(self) -> None:
        if instance := await self._instance():
            with _unless_it_is_gone():
                if self.chance.random() < 0.5:
                    self.owner.renames(instance.event_id, instance.title + "!")
                else:
                    self.owner.moves(instance.event_id, instance.starts + timedelta(minutes=90))

    async def _delete_instance(self) -> None:
        if instance := await self._instance():
            with _unless_it_is_gone():
                self.owner.deletes(instance.event_id)

    async def _instance(self) -> Viewed | None:
        """One of a series of their own."""
        viewed = await self._viewed()
        titles = Counter(one.title for one in viewed if one.meeting_uuid is None)
        of_series = [one for one in viewed if titles[one.title] > 1 and one.title.startswith(self.email)]
        return self.chance.choice(sorted(of_series, key=lambda one: one.event_id)) if of_series else None

    # --- what else happens --------------------------------------------------------------------------------------

    async def _forget_cursors(self) -> None:
        control = self.outside.simulator.control
        if self.outside.name == "google":
            control("POST", "sync-tokens/expire", {"account": self.email})
        else:
            control("POST", f"accounts/{self.email}/delta/invalidate", {})

    async def _drop_channels(self) -> None:
        control = self.outside.simulator.control
        if self.outside.name == "google":
            control("DELETE", f"channels?account={self.email}")
            return
        for one in control("GET", "subscriptions"):
            if one["email"] == self.email:
                with suppress(httpx.HTTPStatusError):  # it ended by itself
                    control(
                        "POST", f"subscriptions/{one['subscription_id']}/remove", {"notify": self.chance.random() < 0.5}
                    )

    async def _pull(self) -> None:
        """What comes of it is no matter here: the provider may be away."""
        with suppress(httpx.HTTPError):
            await self.caller.post(f"{CALENDAR}/sync")

    async def _view(self) -> View:
        async def opened() -> View | None:
            return await asyncio.to_thread(view_of, self.outside, self.email)

        return await until(opened, what=f"the calendar of {self.email} is open", within=_PATIENCE)

    async def _viewed(self) -> list[Viewed]:
        async def read() -> list[Viewed] | None:
            try:
                return await asyncio.to_thread(self.view.read)
            except (httpx.HTTPError, ValueError):
                self.view.close()
                self.view = await self._view()
                return None

        return await until(read, what=f"the calendar of {self.email} is read", within=_PATIENCE)

    # --- the end ------------------------------------------------------------------------------------------------

    async def reconnects(self) -> None:
        """If a fault or a withdrawn access ended the connection."""
        if (await self._connection())["status"] != "CONNECTED":
            await self._connect()

    async def differences(self) -> list[str]:
        viewed = await self._viewed()
        seen = [await self.caller.sees(meeting) for meeting in self.meetings.values()]
        self.last = {one["meetingUuid"]: one for one in seen}
        return [
            *self._copies_differ(seen, [one for one in viewed if one.meeting_uuid is not None]),
            *self._events_differ(await self.on_calendar(), [one for one in viewed if one.meeting_uuid is None]),
        ]

    def _copies_differ(self, seen: Sequence[Json], viewed: Sequence[Viewed]) -> list[str]:
        active = {one["meetingUuid"]: one for one in seen if one["status"] == "ACTIVE"}
        wanted = {expected(one) for one in active.values()}
        there = Counter(
            Shown(one.meeting_uuid, one.title, one.starts.isoformat(), one.ends.isoformat(), one.place)
            for one in viewed
        )
        words = {one.meeting_uuid: one.text for one in viewed}
        return [
            *(f"missing: {one}" for one in sorted(wanted - set(there))),
            *(f"orphan: {one}" for one in sorted(set(there) - wanted)),
            *(f"{count} times: {one}" for one, count in there.items() if count > 1),
            *(
                f"{one['title']} says {words[uuid]!r}, not {one['description']!r}"
                for uuid, one in active.items()
                if uuid in words and not _begins(words[uuid], one["description"] or "")
            ),
            *(
                f"{one['title']} ({one['status']}) is told as {one['externalSyncStatus']} {one['syncFailureReason']}"
                for one in seen
                if one["externalSyncStatus"]
                not in (["SYNCED"] if one["status"] == "ACTIVE" else ["SYNCED", "NOT_APPLICABLE"])
            ),
        ]

    def _events_differ(self, meetings: Sequence[Json], viewed: Sequence[Viewed]) -> list[str]:
        wanted = Counter(
            (
                *(("Busy", "") if one.private else (one.title, one.place)),
                one.starts.isoformat(),
                one.ends.isoformat(),
                one.all_day,
            )
            for one in viewed
        )
        there = Counter(
            (one["title"], one["locationDetail"] or "", *(at.isoformat() for at in _instants(one)), one["allDay"])
            for one in meetings
            if one["source"] != "INTERNAL"
        )
        return [
            *(f"not imported: {one}" for one in (wanted - there).elements()),
            *(f"imported from nowhere: {one}" for one in (there - wanted).elements()),
        ]

    async def misjudged(self) -> list[str]:
        """Times at which the host is said to be free and is not, or the other way round; of staff only."""
        if self.caller.person.user_type == "CLIENT":
            return []
        viewed = await self._viewed()
        problems = []
        begun = sorted({one.starts for one in viewed})
        times = self.chance.sample(begun, min(_LOOKS_AT_TIMES, len(begun)))
        for at in (*times, *(self._moment() for _ in range(_LOOKS_AT_TIMES))):
            taken = any(one.busy and one.starts < at + LENGTH and one.ends > at for one in viewed)
            asked = {
                "userUuids": [self.caller.user_id],
                "startDateTime": f"{at:%Y-%m-%dT%H:%M:%S}",
                "endDateTime": f"{at + LENGTH:%Y-%m-%dT%H:%M:%S}",
                "timezone": "UTC",
            }
            (one,) = done(await self.caller.post("/api/v1/availability/check", asked))["availabilities"]
            if one["status"] != ("BUSY" if taken else "AVAILABLE"):
                problems.append(f"at {at} {self.email} is said to be {one['status']}, taken: {taken}")
        return problems

    async def on_calendar(self) -> list[Json]:
        """Every meeting on the host's calendar that is not canceled."""
        found: list[Json] = []
        for page in range(1000):
            asked = {"filters": [], "sort": ["startDateTime,asc"], "page": page, "size": 100}
            answer = done(await self.caller.post(SEARCH, asked))
            found += [one for one in answer["content"] if one["status"] == "ACTIVE"]
            if page + 1 >= answer["totalPages"]:
                break
        return found

    def writes(self) -> int:
        """How many events in this calendar were written through the provider's API so far."""
        return sum(
            one["count"]
            for one in self.outside.simulator.control("GET", "requests")
            if one["account"] == self.email and one["operation"] in {f"events.{name}" for name in _WRITES}
        )


def _unless_it_is_gone() -> suppress:
    """The platform may have removed the event since it was looked for."""
    return suppress(httpx.HTTPStatusError)


def _begins(text: str, words: str) -> bool:
    """Whether a copy's text is these words, and after them at most what the platform adds."""
    return text == words or text.startswith(f"{words}\n\n") or not words


def _instants(meeting: Json) -> tuple[datetime, datetime]:
    """Of an all-day meeting, its dates as midnights in UTC."""
    start, end = (datetime.fromisoformat(meeting[name]) for name in ("startDateTime", "endDateTime"))
    if meeting["allDay"]:
        return start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)
    schedule = Schedule(start, end, meeting["timezone"])
    return schedule.starts_at, schedule.ends_at


@dataclass
class TwoWay:
    """Several hosts at one or both providers, one seed."""

    platform: Platform
    hosts: Sequence[Host]
    seed: int
    killed: Counter[str] = field(default_factory=Counter)
    last_seen: list[str] = field(default_factory=list)
    mails: int = 0

    async def rage(self, operations: int) -> None:
        """Each provider sees so many operations, shared by its hosts."""
        outsides_ = {host.outside.name: host.outside for host in self.hosts}
        shares = Counter(host.outside.name for host in self.hosts)
        with ExitStack() as failures:
            for name, outside in outsides_.items():
                failures.enter_context(failing(outside, self.seed, FAULTS[name]))
            async with killing(self.platform, self.seed, *KILLED) as self.killed:
                await asyncio.gather(*(host.run(operations // shares[host.outside.name]) for host in self.hosts))

    async def problems(self) -> list[str]:
        """What is not as it should be; empty when all is well, and stays so while nobody does anything."""
        for host in self.hosts:
            await host.reconnects()

        async def right() -> bool:
            self.last_seen = [*await self._differences(), *self._mails()]
            if self.last_seen:
                await asyncio.sleep(_BETWEEN_LOOKS)  # a look costs much; nothing waits for it
            return not self.last_seen

        try:
            await until(right, what="platform and calendars say the same", within=_SETTLED_WITHIN)
        except AssertionError:
            return self.last_seen
        unrest = await self._unrest()
        busy = [f"{host.email}: {one}" for host in self.hosts for one in await host.misjudged()]
        return [*unrest, *await self._differences(), *self._mails(), *busy]

    async def _differences(self) -> list[str]:
        return [f"{host.email}: {one}" for host in self.hosts for one in await host.differences()] + await self._split()

    async def _split(self) -> list[str]:
        """Events that are in two calendars and are two meetings."""
        meetings: dict[tuple[str, str], set[str]] = {}
        for host in self.hosts:
            for one in await host.on_calendar():
                if one["source"] != "INTERNAL" and one["title"] != "Busy":
                    meetings.setdefault((one["title"], one["startDateTime"]), set()).add(one["meetingUuid"])
        return [f"{title} is {len(found)} meetings" for (title, _), found in meetings.items() if len(found) > 1]

    async def _unrest(self) -> list[str]:
        """What is written while the calendars are read again and again, and once more on request."""
        await self._reads_again()  # the mail that the last change owes may still be on its way
        before, mails = {host.email: host.writes() for host in self.hosts}, len(self._sent())
        await self._reads_again()
        for host in self.hosts:
            pulled = done(await host.caller.post(f"{CALENDAR}/sync"))
            if (pulled["imported"], pulled["updated"], pulled["removed"]) != (0, 0, 0):
                self.last_seen.append(f"{host.email}: a pull of nothing did {pulled}")
        written = [
            f"{host.email}: {host.writes() - before[host.email]} writes while nobody did anything"
            for host in self.hosts
            if host.writes() != before[host.email]
        ]
        more = len(self._sent()) - mails
        return [*self.last_seen, *written, *([f"{more} mails while nobody did anything"] if more else [])]

    async def _reads_again(self) -> None:
        """Wait until every calendar was read several times."""
        reads = {host.email: host.owner.reads() for host in self.hosts}

        async def read_again() -> bool:
            return all(host.owner.reads() >= reads[host.email] + _QUIET_READS for host in self.hosts)

        await until(read_again, what="calendars are read by themselves", within=_PATIENCE)

    def _mails(self) -> list[str]:
        """Nobody but our guests was mailed, no guest more often than something happened, and the last mail is true."""
        sent = self._sent()
        self.mails = len(sent)
        owed = sum((host.owed for host in self.hosts), Counter[str]())
        problems = [f"{address} was mailed" for address in {address for address, _ in sent} - set(owed)]
        for host in self.hosts:
            for meeting in host.meetings.values():
                (guest,) = (one["email"] for one in meeting["participants"])
                mails = [mail for address, mail in sent if address == guest]
                problems += self._mails_of(guest, mails, owed[guest], host.last[meeting["meetingUuid"]])
        return problems

    def _mails_of(self, guest: str, mails: Sequence[ReadMail], owed: int, meeting: Json) -> list[str]:
        calendar = CalendarProgram()
        for mail in mails:
            calendar.receive(mail.calendar)
        shown = [one["start"].isoformat() for one in calendar.shown]
        truth = [_instants(meeting)[0].isoformat()] if meeting["status"] == "ACTIVE" else []
        count = len({mail.header("Message-ID") for mail in mails})
        return [
            *([f"{guest} got {count} mails and was owed {owed}"] if count > owed else []),
            *([f"{guest} sees {shown}, the truth is {truth}"] if shown != truth else []),
        ]

    def _sent(self) -> list[tuple[str, ReadMail]]:
        """Every mail of this run by its recipient, oldest first."""
        found = []
        for envelope in sorted((self.platform.state_dir / "mail").glob("*.json"), key=lambda path: int(path.stem)):
            [recipient] = json.loads(envelope.read_text())["recipients"]
            found.append((recipient, ReadMail.of(envelope.with_suffix(".eml").read_bytes())))
        return found


async def campaigns(
    platform: Platform, *, operations: int, seed: int, providers: Sequence[str] = ("google", "outlook")
) -> list[str]:
    """Run two hosts at each of these providers, all at once; what is wrong at the end."""
    addresses, run = platform.addresses, uuid7_hex().lower()[-8:]
    people = iter(addresses.people)
    async with AsyncExitStack() as opened:
        found = opened.enter_context(outsides(platform))
        hosts = []
        for name in providers:
            emails = {who: f"{who}-{run}@{_DOMAINS[name]}" for who in ("one", "other")}
            for who, colleague in (("one", "other"), ("other", "one")):
                caller = await opened.enter_async_context(calling(addresses.gateway, next(people)))
                hosts.append(Host(found[name], caller, emails[who], seed, name=who, colleague=emails[colleague]))
        campaign = TwoWay(platform, hosts, seed)
        await campaign.rage(operations)
        for host in hosts:
            opened.callback(host.end)
        problems = await campaign.problems()
        for host in hosts:
            states = Counter(one["status"] for one in host.last.values())
            print(f"{host.email}: {dict(host.done)}; meetings {dict(states)}, {host.writes()} writes by the platform")
        for name in providers:
            print(f"{name}: answers by status: {answers(found[name])}")
        print(f"SIGKILL: {dict(campaign.killed)}; {campaign.mails} mails")
    return problems


_DOMAINS = {"google": "gmail.com", "outlook": "contoso.com"}


def main() -> int:
    """Exit status 0 when all is well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=500, help="at each provider")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--provider", choices=[*_DOMAINS, "both"], default="both")
    parser.add_argument("--kafka", choices=("tansu", "apache"), default="apache")
    parser.add_argument("--state", type=Path, help="a folder that is kept, with the logs; default: a temporary one")
    parser.add_argument("--port-offset", type=int, default=3_000, help="added to the default ports")
    given = parser.parse_args()
    providers = list(_DOMAINS) if given.provider == "both" else [given.provider]
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="twoway-") as state,
        Platform.start(
            given.state or Path(state), kafka=given.kafka, port_offset=given.port_offset, env_overrides=ENVIRONMENT
        ) as platform,
    ):
        problems = asyncio.run(campaigns(platform, operations=given.operations, seed=given.seed, providers=providers))
    print("\n".join(problems) or "all is well")
    print(f"seed {given.seed}, {given.operations} operations at each of {providers}, {time.monotonic() - began:.0f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
