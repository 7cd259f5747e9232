"""Who can try the platform at once: the demo people, logged in."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from simulators.platform import seed
from simulators.platform.people import Contact, Staff

from localrun.problem import LocalRunError

# The first is the person of the first curl; the others make every kind of caller, and one of another tenant.
_CALLERS: list[Staff | Contact] = [seed.VALENTINA, seed.DANIEL, seed.CAMILA, seed.ANA, seed.INGRID]


@dataclass(frozen=True, kw_only=True)
class Person:
    """A caller with a token that is good for a day."""

    name: str
    user_id: str
    email: str
    user_type: str
    tenant_uuid: str
    token: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that the gateway requires of this caller."""
        return {
            "Authorization": f"Bearer {self.token}",
            "x-tenant-uuid": self.tenant_uuid,
            "x-user-id": self.user_id,
            "x-user-email": self.email,
            "x-user-type": self.user_type,
        }


def log_in(directory: str) -> list[Person]:
    """Log every caller in at the simulated platform. Raises `LocalRunError` when it refuses."""
    return [log_in_as(directory, caller) for caller in _CALLERS]


def contact_ids() -> list[str]:
    """The contacts of the first caller's tenant."""
    return [contact.uuid for contact in seed.CONTACTS if contact.tenant_uuid == _CALLERS[0].tenant_uuid]


def staff_ids() -> list[str]:
    """The active staff of the first caller's tenant; the caller last, because a host is no participant."""
    members = [member for member in seed.STAFF if member.is_active and member.tenant_uuid == _CALLERS[0].tenant_uuid]
    return [member.uuid for member in sorted(members, key=lambda member: member is _CALLERS[0])]


def log_in_as(directory: str, caller: Staff | Contact) -> Person:
    """Log one in; `directory` is the base URL of the simulated platform. Raises `LocalRunError` when it refuses."""
    connection = http.client.HTTPConnection(urlsplit(directory).netloc, timeout=10)
    try:
        body = json.dumps({"username": caller.username, "password": seed.PASSWORD})
        connection.request("POST", "/api/auth/login", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise LocalRunError(f"The simulated platform did not log {caller.name} in: {error}") from error
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise LocalRunError(f"The simulated platform did not log {caller.name} in: {answer.get('message')}")
    return Person(
        name=caller.name,
        user_id=answer["userUuid"],
        email=answer["username"],
        user_type=answer["userType"],
        tenant_uuid=answer["tenantUuid"],
        token=answer["token"],
    )
