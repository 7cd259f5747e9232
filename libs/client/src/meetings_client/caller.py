"""On whose behalf the API is called."""

from dataclasses import dataclass, field

from contracts.values.enums import UserType


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A user of the platform with their access token, as the platform's login answered."""

    token: str = field(repr=False)
    tenant_uuid: str
    user_id: str
    email: str
    user_type: UserType
    partner_uuid: str | None = None
    """Of partner staff."""

    @property
    def headers(self) -> dict[str, str]:
        """The headers that every request carries."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "x-tenant-uuid": self.tenant_uuid,
            "x-user-id": self.user_id,
            "x-user-email": self.email,
            "x-user-type": self.user_type.value,
        }
        return headers if self.partner_uuid is None else headers | {"x-partner-uuid": self.partner_uuid}
