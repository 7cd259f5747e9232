"""What people do while the platform is being hurt: lives of meetings, from creation to oblivion, as callers live them.

Callers are as good as clients are: most repeat under their key until they know, some give up after one attempt, a few
send no key at all. Everything is written down; what is against the contract at first sight, too.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.chaos.guests_mail import GuestsMail
from tests.chaos.history import UNDECIDED, Attempt, History, Json, MailReply, Operation, Outcome
from tests.support.callers import MEETINGS, Caller
from tests.support.gateway import body

PAUSE = 0.5
"""Seconds between two steps of one meeting, on average."""
_PATIENCE = 150.0
"""Seconds for which a caller who wants to know asks again: longer than any outage that is inflicted, and its end."""
_HURRIED, _CALM = 3.0, 20.0
"""Seconds after which callers give a request up: sooner than the gateway does, and later."""
_AGAIN = 0.5
_MAX_STEPS = 8
_STEPS = {
    "retitle": 4, "move": 3, "note": 1, "exchange": 2, "conditional": 3, "stale": 1, "same": 1, "guest_answers": 4,
    "guest_replies": 3, "colleague_answers": 2, "resend": 1, "resend_one": 1, "read": 4, "trespass": 1, "list": 1,
    "search": 2, "availability": 1,
}  # fmt: skip
_NONE: frozenset[int] = frozenset()
_BESIDE = ("guest_answers", "colleague_answers", "read")
"""What others may do while the host does one of the next."""
_NOT_ALONE = frozenset({"retitle", "move", "note", "conditional"})


@dataclass
class Workload:
    """Hosts, a stranger to them, and a guest without an account; all that they do."""

    hosts: Sequence[Caller]
    stranger: Caller
    """Of another tenant."""
    guests: httpx.AsyncClient
    """Without any identity, as whoever follows a mailed link."""
    mails: httpx.AsyncClient
    """The guests' mail server."""
    staff: Sequence[str]
    contacts: Sequence[str]
    seed: int
    run: str
    history: History = field(default_factory=History)
    _ending: bool = False
    _numbers: Any = field(default_factory=itertools.count)

    async def work(self, clients: int) -> None:
        """So many lives at once, one after the other, until the end is near; those begun are lived to their end."""
        await asyncio.gather(*(self._client(f"client {number}") for number in range(clients)))

    async def burst(self, clients: int, until: float, name: str) -> None:
        """So many more at once, for a while; ``until`` is monotonic."""
        await asyncio.gather(*(self._client(f"{name} {number}", until) for number in range(clients)))

    def end(self) -> None:
        self._ending = True

    async def _client(self, name: str, until: float | None = None) -> None:
        for number in itertools.count():
            if self._ending or (until is not None and time.monotonic() > until):
                return
            chance = random.Random(f"{self.seed} {name} {number}")
            await _Life(self, chance, next(self._numbers)).live(until)

    # --- asking -------------------------------------------------------------------------------------------------

    async def write(
        self,
        http: httpx.AsyncClient,
        chance: random.Random,
        operation: Operation,
        method: str,
        path: str,
        json: Any = None,
        *,
        may_refuse: frozenset[int] = _NONE,
        if_match: int | None = None,
    ) -> Operation:
        """Ask for a change; what the history says of it is kept, whatever comes of it."""
        self.history.writes.append(operation)
        manner = chance.random()
        headers = {"x-correlation-id": operation.correlation}
        headers |= {"if-match": f'"{if_match}"'} if if_match is not None else {}
        headers |= {"idempotency-key": operation.correlation} if manner > 0.05 else {}
        once = manner < 0.15
        await self._ask(http, chance, operation, method, path, json, headers, 0.0 if once else _PATIENCE)
        self._judge(operation, may_refuse)
        if operation.outcome is Outcome.DONE and manner > 0.9:
            await self._repeat(http, chance, operation, method, path, json, headers)
        return operation

    async def read(
        self,
        caller: Caller,
        chance: random.Random,
        operation: Operation,
        method: str,
        path: str,
        json: Any = None,
        *,
        may_refuse: frozenset[int] = _NONE,
    ) -> Operation:
        """Ask a question until it is answered."""
        self.history.reads.append(operation)
        headers = {"x-correlation-id": operation.correlation}
        await self._ask(caller.http, chance, operation, method, path, json, headers, _PATIENCE)
        self._judge(operation, may_refuse)
        return operation

    def problem(self, operation: Operation, what: str) -> None:
        self.history.problems.append(f"{operation.kind} {operation.correlation} of {operation.meeting}: {what}")

    async def _ask(
        self,
        http: httpx.AsyncClient,
        chance: random.Random,
        operation: Operation,
        method: str,
        path: str,
        json: Any,
        headers: dict[str, str],
        patience: float,
    ) -> None:
        deadline = time.monotonic() + patience
        while True:
            timeout = _HURRIED if chance.random() < 0.2 else _CALM
            asked_at = time.monotonic()
            try:
                answer = await http.request(method, path, json=json, headers=headers, timeout=timeout)
            except httpx.TransportError:
                operation.attempts.append(Attempt(asked_at, time.monotonic(), None))
            else:
                operation.attempts.append(Attempt(asked_at, time.monotonic(), answer.status_code))
                self._note(operation, answer)
                if answer.status_code not in UNDECIDED:
                    return
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(chance.uniform(0, 2 * _AGAIN))  # a good client's pause, nothing waits for it

    async def _repeat(
        self,
        http: httpx.AsyncClient,
        chance: random.Random,
        operation: Operation,
        method: str,
        path: str,
        json: Any,
        headers: dict[str, str],
    ) -> None:
        """The same under the same key once more, which must be answered as before and change nothing."""
        status, known = operation.attempts[-1].status, _meeting_of(operation.body)
        await self._ask(http, chance, operation, method, path, json, headers, _PATIENCE)
        if operation.outcome is Outcome.DONE and (status, known) != (
            operation.attempts[-1].status,
            _meeting_of(operation.body),
        ):
            self.problem(operation, f"was answered {status} {known}, and then {operation.attempts[-1].status}")
        elif operation.outcome is Outcome.REFUSED:
            self.problem(operation, f"was answered {status}, and then {operation.attempts[-1].status}")

    def _note(self, operation: Operation, answer: httpx.Response) -> None:
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        operation.body = answer.json() if is_json else None
        etag = answer.headers.get("etag", "")
        operation.version = int(etag.strip('"')) if etag else None
        operation.meeting = operation.meeting or _meeting_of(operation.body)
        if answer.status_code == 503 and "retry-after" not in answer.headers:
            self.problem(operation, "503 without Retry-After")
        if answer.status_code >= 400 and not (is_json and "errorCode" in operation.body):
            self.problem(operation, f"{answer.status_code} without the platform's error body")

    def _judge(self, operation: Operation, may_refuse: frozenset[int]) -> None:
        status = operation.attempts[-1].status
        if status is None or status in (200, 201, 204, *UNDECIDED) or status in may_refuse:
            return
        self.problem(operation, f"{status} {operation.body}")


def _meeting_of(answer: Any) -> str | None:
    return answer.get("meetingUuid") if isinstance(answer, dict) else None


class _Life:
    """One meeting, from its creation on, by its host and its guests."""

    def __init__(self, workload: Workload, chance: random.Random, number: int) -> None:
        self._work = workload
        self._chance = chance
        self._name = f"{workload.run}-{number}"
        self._host = chance.choice(workload.hosts)
        self._asked = itertools.count()
        self._meeting: Json = {}
        """As the host's last answered change left it."""
        self._meeting_version: int | None = None
        self._sure = True
        """Whether every change so far was answered: then what the meeting says is known."""
        self._answers: dict[str, str] = {}
        self._unsure_answers: set[str] = set()
        self._replied = False
        """Whether a guest has replied by mail: the meeting may change at any time."""
        self._before: int | None = None
        """A version before the host's last answered change."""

    async def live(self, until: float | None) -> None:
        if not await self._create():
            return
        for _ in range(self._chance.randint(1, _MAX_STEPS)):
            if until is not None and time.monotonic() > until:
                return
            await self._pause()
            (step,) = self._chance.choices(list(_STEPS), list(_STEPS.values()))
            if step in _NOT_ALONE and self._chance.random() < 0.4:
                beside = self._chance.choice(_BESIDE)
                await asyncio.gather(self._do(step, alone=False), self._do(beside, alone=False))
            else:
                await self._do(step, alone=True)
        if self._chance.random() < 0.4:
            await self._pause()
            await self._call_off()

    async def _do(self, step: str, *, alone: bool) -> None:
        if step == "conditional":
            await self._conditional(alone=alone)
        else:
            await getattr(self, f"_{step}")()

    async def _pause(self) -> None:
        await asyncio.sleep(self._chance.uniform(0, 2 * PAUSE))  # a pace, nothing waits for it

    # --- the host -----------------------------------------------------------------------------------------------

    async def _create(self) -> bool:
        guests = [self._new_guest() for _ in range(self._chance.randint(0, 3))]
        others = [one for one in self._work.staff if one != self._host.user_id]
        given = body(
            title=self._title(),
            timezone="UTC",
            externalAttendees=guests,
            staffIds=self._chance.sample(others, self._chance.randint(0, 1)),
            contactIds=self._chance.sample(self._work.contacts, self._chance.randint(0, 1)),
            **self._time(),
        )
        made = await self._write("create", "POST", MEETINGS, given, title=given["title"], changes=True)
        if made.outcome is not Outcome.DONE:
            return False
        self._meeting, self._meeting_version = made.body, made.version
        return True

    async def _retitle(self) -> None:
        title = self._title()
        self._took(await self._change("update", {"title": title}, title=title))

    async def _move(self) -> None:
        self._took(await self._change("update", self._time()))

    async def _note(self) -> None:
        self._took(await self._change("update", {"internalNotes": self._title()}))

    async def _exchange(self) -> None:
        """Some guests go, another comes."""
        known = [one["email"] for one in self._meeting["participants"] if one["participantType"] == "EXTERNAL"]
        stay = self._chance.sample(known, self._chance.randint(0, len(known)))
        guests = [{"email": email} for email in stay]
        self._took(await self._change("update", {"externalAttendees": [*guests, self._new_guest()]}))

    async def _conditional(self, *, alone: bool) -> None:
        """Change the version that was just read."""
        read = await self._read()
        if read.version is None:
            return
        sure = alone and self._sure and not self._replied
        title = self._title()
        may_refuse = _NONE if sure else frozenset({412})
        changed = await self._change("update", {"title": title}, title=title, if_match=read.version, refuse=may_refuse)
        self._took(changed)

    async def _stale(self) -> None:
        """Change a version that is long gone."""
        if self._before is None:
            return
        title = self._title()
        asked = await self._change(
            "stale update", {"title": title}, title=title, if_match=self._before, refuse=frozenset({412}), changes=False
        )
        if asked.outcome is Outcome.DONE:
            self._work.problem(asked, f"version {self._before} was stale, and it was changed all the same")

    async def _same(self) -> None:
        """Change nothing."""
        if self._sure:
            await self._change("empty update", {"title": self._meeting["title"]}, changes=False)

    async def _resend(self) -> None:
        self._count_resent(await self._write("resend", "POST", f"{self._path}/resend", changes=None))

    async def _resend_one(self) -> None:
        if self._meeting["participants"]:
            one = self._chance.choice(self._meeting["participants"])["participantUuid"]
            path = f"{self._path}/participants/{one}/resend"
            self._count_resent(await self._write("resend one", "POST", path, changes=None))

    def _count_resent(self, asked: Operation) -> None:
        """Exactly those are mailed of whom the answer says so."""
        if asked.outcome is Outcome.DONE:
            resent = asked.body if isinstance(asked.body, list) else [asked.body]
            asked.changes = any(one["lastInvitationResentAt"] is not None for one in resent)

    async def _call_off(self) -> None:
        canceled = await self._write("cancel", "POST", f"{self._path}/cancel", changes=True)
        if canceled.outcome is not Outcome.DONE:
            return
        if self._chance.random() < 0.4:
            await self._change("late update", {"title": self._title()}, refuse=frozenset({409}), changes=False)
        if self._chance.random() < 0.6:
            hide = f"{self._path}/calendar-visibility"
            hidden = await self._write("hide", "DELETE", hide, changes=True)
            if hidden.outcome is Outcome.DONE and self._chance.random() < 0.3:
                await self._write("hide again", "DELETE", hide, changes=False)

    # --- others -------------------------------------------------------------------------------------------------

    async def _guest_answers(self) -> None:
        """A guest answers by the link in their mail."""
        guests = [one for one in self._meeting["participants"] if one["participantType"] == "EXTERNAL"]
        if guests:
            one = self._chance.choice(guests)["participantUuid"]
            path = f"{self._path}/participants/{one}/rsvp"
            await self._answer(self._work.guests, "answer of a guest", one, path)

    async def _guest_replies(self) -> None:
        """A guest answers by the mail program in which they read the newest mail."""
        guests = [one for one in self._meeting["participants"] if one["participantType"] == "EXTERNAL"]
        if not guests:
            return
        guest, mail = self._chance.choice(guests), GuestsMail(self._work.mails, self._work.history)
        newest = await mail.newest_invitation(guest["email"])
        if newest is None:
            return
        mail_id, version = newest
        participant, self._replied = guest["participantUuid"], True
        self._unsure_answers.add(participant)
        status = self._answers[participant] = self._other_answer(participant)
        await mail.reply(self._chance, mail_id, MailReply(self._meeting["meetingUuid"], participant, status, version))

    async def _colleague_answers(self) -> None:
        """Another member of the staff answers, logged in."""
        for one in self._meeting["participants"]:
            for caller in self._work.hosts:
                if caller.user_id == one["participantEntityUuid"]:
                    path = f"{self._path}/rsvp"
                    await self._answer(caller.http, "answer of a colleague", one["participantUuid"], path)
                    return

    async def _answer(self, http: httpx.AsyncClient, kind: str, participant: str, path: str) -> None:
        """Another answer than the last one, so that it is a change, whenever that is known."""
        status = self._answers[participant] = self._other_answer(participant)
        changes = None if participant in self._unsure_answers else True
        gone = _NONE if self._sure else frozenset({404})
        given = await self._write(kind, "PUT", path, {"status": status}, changes=changes, refuse=gone, http=http)
        if given.outcome is not Outcome.DONE:
            self._unsure_answers.add(participant)

    def _other_answer(self, participant: str) -> str:
        return "DECLINED" if self._answers.get(participant) == "ACCEPTED" else "ACCEPTED"

    async def _trespass(self) -> None:
        """Somebody of another tenant asks for the meeting, which is not there for them."""
        asked = self._operation("trespass")
        await self._work.read(self._work.stranger, self._chance, asked, "GET", self._path, may_refuse=frozenset({404}))
        if asked.outcome is Outcome.DONE:
            self._work.problem(asked, "was shown to another tenant")

    # --- questions ----------------------------------------------------------------------------------------------

    async def _read(self) -> Operation:
        return await self._question("read", "GET", self._path)

    async def _list(self) -> None:
        await self._question("list", "GET", f"{MEETINGS}?size=20")

    async def _search(self) -> None:
        """Search for the meeting by its title, which nobody else uses."""
        title, sure = self._meeting["title"], self._sure
        filters = [{"field": "title", "operator": "EQUALS", "value": title}]
        asked = await self._question("search", "POST", "/api/v2/meetings", {"filters": filters})
        if asked.outcome is Outcome.DONE and sure:
            found = [one["meetingUuid"] for one in asked.body["content"]]
            if found != [self._meeting["meetingUuid"]]:
                self._work.problem(asked, f"{title} was written, and a search finds {found}")

    async def _availability(self) -> None:
        """Ask who has time during the meeting: its host has not."""
        given = {name: self._meeting[name] for name in ("startDateTime", "endDateTime")}
        given |= {"userUuids": [self._host.user_id], "timezone": "UTC"}
        sure = self._sure
        asked = await self._question("availability", "POST", "/api/v1/availability/check", given)
        if asked.outcome is Outcome.DONE and sure and asked.body["availabilities"][0]["status"] != "BUSY":
            self._work.problem(asked, f"the host is told as free at {given['startDateTime']}")

    async def _question(self, kind: str, method: str, path: str, json: Any = None) -> Operation:
        return await self._work.read(self._host, self._chance, self._operation(kind), method, path, json)

    # --- the way there ------------------------------------------------------------------------------------------

    async def _change(
        self,
        kind: str,
        json: Json,
        *,
        title: str | None = None,
        if_match: int | None = None,
        refuse: frozenset[int] = _NONE,
        changes: bool | None = True,
    ) -> Operation:
        return await self._write(
            kind, "PUT", self._path, json, title=title, if_match=if_match, refuse=refuse, changes=changes
        )

    async def _write(
        self,
        kind: str,
        method: str,
        path: str,
        json: Any = None,
        *,
        changes: bool | None,
        title: str | None = None,
        if_match: int | None = None,
        refuse: frozenset[int] = _NONE,
        http: httpx.AsyncClient | None = None,
    ) -> Operation:
        operation = self._operation(kind, title=title, changes=changes)
        await self._work.write(
            http or self._host.http,
            self._chance,
            operation,
            method,
            path,
            json,
            may_refuse=refuse,
            if_match=if_match,
        )
        return operation

    def _operation(self, kind: str, *, title: str | None = None, changes: bool | None = None) -> Operation:
        correlation = f"{self._name}-{next(self._asked)}"
        return Operation(kind, correlation, self._meeting.get("meetingUuid"), title=title, changes=changes)

    def _took(self, asked: Operation) -> None:
        """What is known of the meeting after a change of the host's was asked for."""
        if asked.outcome is Outcome.DONE:
            self._before = self._meeting_version
            self._meeting, self._meeting_version = asked.body, asked.version
        elif asked.outcome is not Outcome.REFUSED:
            self._sure = False

    @property
    def _path(self) -> str:
        return f"{MEETINGS}/{self._meeting['meetingUuid']}"

    def _title(self) -> str:
        return f"{self._name}/{next(self._asked)}"

    def _new_guest(self) -> Json:
        return {"email": f"g{next(self._asked)}-{self._name}@d{self._chance.randrange(9)}.example.com"}

    def _time(self) -> Json:
        """Never the time that it was before."""
        start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0, tzinfo=None)
        start += timedelta(days=self._chance.randint(2, 300), minutes=15 * next(self._asked))
        return {"startDateTime": start.isoformat(), "endDateTime": (start + timedelta(minutes=30)).isoformat()}
