"""The people of the simulated platform, in the platform's own field names."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class UserType(StrEnum):
    """Who is calling, as the token and the `x-user-type` header say it."""

    TENANT_STAFF = "TENANT_STAFF"
    PARTNER_STAFF = "PARTNER_STAFF"
    CLIENT = "CLIENT"


Language = Literal["ENGLISH", "SPANISH"]


class _Record(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Tenant(_Record):
    """An advisory firm."""

    tenant_uuid: str
    tenant_code: str
    name: str


class PhoneNumber(_Record):
    """Country calling code with its plus sign, and the national number."""

    country_code: str
    number: str


class _Person(_Record):
    tenant_uuid: str
    first_name: str
    middle_name: str | None = None
    paternal_last_name: str
    maternal_last_name: str | None = None

    @property
    def name(self) -> str:
        """First name and paternal last name."""
        return f"{self.first_name} {self.paternal_last_name}"


class Contact(_Person):
    """A client of a tenant, who may log in as `CLIENT` when there is an e-mail address."""

    contact_uuid: str
    preferred_email: str | None = None
    primary_email: str | None = None
    preferred_contact_language: Language
    preferred_phone_number: PhoneNumber | None = None

    @property
    def uuid(self) -> str:
        """The contact's id."""
        return self.contact_uuid

    @property
    def username(self) -> str | None:
        """What they log in with."""
        return self.preferred_email or self.primary_email

    @property
    def user_type(self) -> UserType:
        """Always `CLIENT`."""
        return UserType.CLIENT

    @property
    def active(self) -> bool:
        """Contacts can't be switched off."""
        return True

    @property
    def partner(self) -> str | None:
        """Contacts belong to no partner."""
        return None


class Staff(_Person):
    """A member of a tenant's staff, or of a partner's when `partner_uuid` is set. `time_zone` is an IANA name."""

    tenant_staff_uuid: str
    partner_uuid: str | None = None
    user_email: str
    email: str
    time_zone: str
    platform_language: Language
    is_active: bool = True

    @property
    def uuid(self) -> str:
        """The staff member's id."""
        return self.tenant_staff_uuid

    @property
    def username(self) -> str | None:
        """What they log in with."""
        return self.user_email

    @property
    def user_type(self) -> UserType:
        """Partner staff belong to a partner."""
        return UserType.PARTNER_STAFF if self.partner_uuid else UserType.TENANT_STAFF

    @property
    def active(self) -> bool:
        """Whether they may log in."""
        return self.is_active

    @property
    def partner(self) -> str | None:
        """The partner firm they work for."""
        return self.partner_uuid


class People:
    """Everybody the platform knows, by id and by login name."""

    def __init__(self, tenants: list[Tenant], contacts: list[Contact], staff: list[Staff]) -> None:
        self.tenants = {tenant.tenant_uuid: tenant for tenant in tenants}
        self.contacts = {contact.contact_uuid: contact for contact in contacts}
        self.staff = {member.tenant_staff_uuid: member for member in staff}

    def with_login(self, username: str) -> Contact | Staff | None:
        """Who logs in with this e-mail address, however it is capitalised."""
        wanted = username.casefold()
        everybody: list[Contact | Staff] = [*self.staff.values(), *self.contacts.values()]
        return next((one for one in everybody if one.username and one.username.casefold() == wanted), None)
