"""Who is calling: the headers are claims by the caller, the token is the proof."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.api.errors import ApiError, ErrorCode
from contracts.messages.command import Actor
from contracts.values.enums import Language, UserType
from contracts.values.ids import ForeignId
from contracts.values.limits import MAX_EMAIL
from contracts.values.text import email_key, sanitize_line
from pydantic import TypeAdapter, ValidationError

_foreign_id = TypeAdapter(ForeignId)


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """How the platform's login names its claims."""

    tenant: str
    user: str
    email: str
    user_type: str
    partner: str
    firm: str = "tenantCode"


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller, with what is needed to act on their behalf towards the platform's directory."""

    tenant_uuid: str
    user_id: str
    email: str
    user_type: UserType
    firm: str
    """What their firm is called, as the token says; else its id."""
    platform_headers: Sequence[tuple[bytes, bytes]]
    """As they came, to be sent on as they are."""

    @property
    def key(self) -> tuple[str, str]:
        """Tells them from every other caller."""
        return self.tenant_uuid, self.user_id

    def actor(self, name: str | None = None, language: Language | None = None) -> Actor:
        return Actor(
            tenant_uuid=self.tenant_uuid,
            user_id=self.user_id,
            user_type=self.user_type,
            email=self.email,
            name=name,
            language=language,
        )


_REQUIRED = ("x-tenant-uuid", "x-user-id", "x-user-email", "x-user-type")
HEADERS = (*_REQUIRED, "x-tenant-code", "x-partner-uuid", "authorization")
"""The headers that say who is calling; they are forwarded to the directory."""
_PLAIN = ("x-tenant-code", "x-partner-uuid")
MAX_HEADER = 255
_BLANKS = " \t"
"""No part of a header's value (RFC 9110 section 5.6.3)."""


def identify(headers: Mapping[str, str], claims: Mapping[str, Any], names: ClaimNames) -> Caller:
    """The caller that these headers name and these verified claims prove.

    Raises:
        ApiError: 400 for a missing or malformed header, 401 for a token that lacks a claim, 403 where they differ.
    """
    missing = [f"{name}: is required" for name in _REQUIRED if not headers.get(name, "").strip(_BLANKS)]
    if missing:
        raise ApiError(ErrorCode.HEADER_MISSING, details=missing)
    unreadable = [f"{name}: must be visible ASCII" for name in _PLAIN if not _is_plain(headers.get(name, ""))]
    if unreadable:
        raise ApiError(ErrorCode.HEADER_MISSING, details=unreadable)
    tenant, user, email, user_type = (headers[name].strip(_BLANKS) for name in _REQUIRED)
    email = _decoded(email)
    try:
        caller = Caller(
            tenant_uuid=_foreign_id.validate_python(tenant),
            user_id=_foreign_id.validate_python(user),
            email=email,
            user_type=UserType(user_type),
            firm=sanitize_line(str(claims.get(names.firm) or "")) or tenant,
            platform_headers=[(name.encode(), headers[name].encode("latin-1")) for name in HEADERS if name in headers],
        )
    except (ValidationError, ValueError) as error:
        raise ApiError(ErrorCode.HEADER_MISSING, details=["headers: an id or the user type is malformed"]) from error
    if len(email) > MAX_EMAIL or "@" not in email or sanitize_line(email) != email:
        raise ApiError(ErrorCode.HEADER_MISSING, details=["x-user-email: must be an e-mail address"])
    _prove(caller, headers.get("x-partner-uuid"), claims, names)
    return caller


def _prove(caller: Caller, partner: str | None, claims: Mapping[str, Any], names: ClaimNames) -> None:
    said_and_proved = (
        (caller.tenant_uuid, claims.get(names.tenant)),
        (caller.user_id, claims.get(names.user)),
        (email_key(caller.email), _email_key(claims.get(names.email))),
        (caller.user_type, _user_type(claims.get(names.user_type))),
    )
    if any(proved is None for _, proved in said_and_proved):
        raise ApiError(ErrorCode.AUTHENTICATION_REQUIRED, details=["token: a claim about the user is missing"])
    proved_partner = claims.get(names.partner)
    partner_differs = partner is not None and proved_partner is not None and partner != proved_partner
    if partner_differs or any(said != proved for said, proved in said_and_proved):
        raise ApiError(ErrorCode.IDENTITY_MISMATCH)


def _email_key(claim: Any) -> str | None:
    return email_key(claim) if isinstance(claim, str) else None


def _is_plain(value: str) -> bool:
    return len(value) <= MAX_HEADER and all(" " <= letter <= "~" for letter in value)


def _decoded(value: str) -> str:
    """A header's bytes as UTF-8, as browsers and most clients send them, or else as the Latin-1 that RFC 9110 names."""
    raw = value.encode("latin-1")
    try:
        return unicodedata.normalize("NFC", raw.decode())
    except UnicodeDecodeError:
        return value


def _user_type(claim: Any) -> UserType | None:
    try:
        return UserType(claim)
    except ValueError:
        return None
