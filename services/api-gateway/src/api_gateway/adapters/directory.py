"""The platform's directory: who a contact or staff id is, asked with the caller's own authority."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

import httpx
from cachetools import LRUCache, TTLCache
from chassis.fair_gate import FairGate
from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.command import Actor
from contracts.model import Contract
from contracts.values.enums import Language, ParticipantType, UserType
from contracts.values.limits import MAX_NAME
from contracts.values.meeting import Invitee
from contracts.values.text import deliverable_address, email_address, sanitize_line
from pydantic import ValidationError

from api_gateway.domain.caller import Caller

_STAFF_TYPES = {"TS": ParticipantType.TENANT_STAFF, "PS": ParticipantType.PARTNER_STAFF}
_MAX_CACHED = 20_000
_FAILURES_TO_OPEN = 5
_OPEN_SECONDS = 5.0

Found = TypeVar("Found")
Reader = Callable[[str, bytes], Invitee | None]
"""Reads who an id is from the directory's answer."""


class _Person(Contract):
    first_name: str | None = None
    middle_name: str | None = None
    paternal_last_name: str | None = None
    maternal_last_name: str | None = None

    @property
    def name(self) -> str | None:
        parts = (self.first_name, self.middle_name, self.paternal_last_name, self.maternal_last_name)
        return sanitize_line(" ".join(part for part in parts if part), max_length=MAX_NAME) or None


class _Contact(_Person):
    preferred_email: str | None = None
    primary_email: str | None = None
    preferred_contact_language: str | None = None


class _Staff(_Person):
    tenant_uuid: str | None = None
    email: str | None = None
    user_email: str | None = None
    platform_language: str | None = None
    is_active: bool | None = True


class _CircuitBreaker:
    """Opens after failures in a row: then one caller's look-ups are refused at once for a while instead of piling up.

    Each caller has one of their own, since an id that the directory cannot cope with must not refuse others.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._closed_from = 0.0

    async def call(self, ask: Callable[[], Awaitable[Found]]) -> Found:
        if time.monotonic() < self._closed_from:
            raise ApiError(ErrorCode.SERVICE_UNAVAILABLE)
        try:
            answer = await ask()
        except (httpx.TransportError, httpx.HTTPStatusError, ValidationError) as error:
            self._failures += 1
            if self._failures >= _FAILURES_TO_OPEN:
                self._closed_from = time.monotonic() + _OPEN_SECONDS
            raise ApiError(ErrorCode.SERVICE_UNAVAILABLE) from error
        self._failures = 0
        return answer


class HttpDirectory:
    """Resolves ids to people."""

    def __init__(self, http: httpx.AsyncClient, *, cache_seconds: float, concurrency: int) -> None:
        self._http = http
        self._cache: TTLCache[tuple[str, ...], Invitee | None] = TTLCache(_MAX_CACHED, cache_seconds)
        # Half of the look-ups at once for one tenant, so that no tenant's many keep out another's few.
        self._gate = FairGate(limit=concurrency, per_tenant=max(1, concurrency // 2), per_user=max(1, concurrency // 2))
        self._breakers: LRUCache[tuple[str, str], _CircuitBreaker] = LRUCache(_MAX_CACHED)

    async def people(self, caller: Caller, contact_ids: Sequence[str], staff_ids: Sequence[str]) -> list[Invitee]:
        """The people of these ids.

        Raises:
            ApiError: 400 naming each id that is unknown to this caller; 503 when the directory cannot be asked.
        """
        contacts, staff = await self.contacts(caller, contact_ids), await self.staff(caller, staff_ids)
        unknown = [
            f"{field}: {person_id} is unknown"
            for field, ids, found in (("contactIds", contact_ids, contacts), ("staffIds", staff_ids, staff))
            for person_id, person in zip(ids, found, strict=True)
            if person is None
        ]
        if unknown:
            raise ApiError(ErrorCode.VALIDATION_FAILED, details=unknown)
        return [person for person in (*contacts, *staff) if person is not None]

    async def actor(self, caller: Caller) -> Actor:
        """The caller with name and language; their address is the name of those whom the directory does not know."""
        look_up = self.contacts if caller.user_type is UserType.CLIENT else self.staff
        (person,) = await look_up(caller, [caller.user_id])
        if person is None:
            return caller.actor(caller.email)
        return caller.actor(person.name or caller.email, person.language)

    async def contacts(self, caller: Caller, contact_ids: Sequence[str]) -> list[Invitee | None]:
        """For each id a client of the firm; None where the caller knows no such contact."""
        return await self._resolve(caller, contact_ids, "/api/contacts/", as_contact)

    async def staff(self, caller: Caller, staff_ids: Sequence[str]) -> list[Invitee | None]:
        """For each id a staff member of the tenant or a partner; None where there is none, or none that is active."""
        possible = [staff_id for staff_id in staff_ids if staff_id[:2] in _STAFF_TYPES]
        read = partial(_as_staff, tenant=caller.tenant_uuid)
        found = dict(zip(possible, await self._resolve(caller, possible, "/api/tenant-staff/", read), strict=True))
        return [found.get(staff_id) for staff_id in staff_ids]

    async def _resolve(self, caller: Caller, ids: Sequence[str], path: str, read: Reader) -> list[Invitee | None]:
        """Cached per caller: what one may see, another may not."""
        found: dict[str, Invitee | None] = {}
        for person_id in ids:
            with suppress(KeyError):
                found[person_id] = self._cache[(*caller.key, path + person_id)]
        # Only what is not cached gets a task: hundreds of tasks at once would hold up everybody's requests.
        missing = [person_id for person_id in dict.fromkeys(ids) if person_id not in found]
        asked = await asyncio.gather(*(self._look_up(caller, person_id, path, read) for person_id in missing))
        found |= zip(missing, asked, strict=True)
        return [found[person_id] for person_id in ids]

    async def _look_up(self, caller: Caller, person_id: str, path: str, read: Reader) -> Invitee | None:
        breaker = self._breakers.setdefault(caller.key, _CircuitBreaker())
        async with self._gate.turn(*caller.key):
            found = await breaker.call(lambda: self._ask(caller, path + person_id, partial(read, person_id)))
        self._cache[(*caller.key, path + person_id)] = found
        return found

    async def _ask(self, caller: Caller, path: str, read: Callable[[bytes], Invitee | None]) -> Invitee | None:
        answer = await self._http.get(path, headers=list(caller.platform_headers))
        if answer.status_code in (400, 403, 404):  # the id is the caller's word: what is wrong with it is no failure
            return None
        if answer.status_code == 401:
            raise ApiError(ErrorCode.AUTHENTICATION_REQUIRED)
        answer.raise_for_status()
        return read(answer.content)


def as_contact(contact_id: str, raw: bytes) -> Invitee:
    contact = _Contact.model_validate_json(raw)
    return Invitee(
        participant_type=ParticipantType.CONTACT,
        participant_entity_uuid=contact_id,
        email=_address(contact.preferred_email, contact.primary_email),
        name=contact.name,
        language=_language(contact.preferred_contact_language),
    )


def _as_staff(staff_id: str, raw: bytes, *, tenant: str) -> Invitee | None:
    staff = _Staff.model_validate_json(raw)
    kind = _STAFF_TYPES[staff_id[:2]]
    foreign = kind is ParticipantType.TENANT_STAFF and staff.tenant_uuid != tenant
    if staff.is_active is False or foreign:
        return None
    return Invitee(
        participant_type=kind,
        participant_entity_uuid=staff_id,
        email=_address(staff.email, staff.user_email),
        name=staff.name,
        language=_language(staff.platform_language),
    )


def _address(*candidates: str | None) -> str | None:
    """The first that mail can go to, or else that is an address at all. Without one, the delivery fails visibly."""
    for rule in (deliverable_address, email_address):
        for candidate in candidates:
            with suppress(ValueError):
                rule((candidate or "").strip())
                return email_address((candidate or "").strip())
    return None


def _language(value: str | None) -> Language | None:
    try:
        return Language(value or "")
    except ValueError:
        return None
