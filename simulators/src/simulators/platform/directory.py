"""The directory: one contact, one staff member, for callers of the same tenant."""

from typing import Annotated

import jwt
from fastapi import APIRouter, Depends, HTTPException, Request

from simulators.platform.people import Contact, People, Staff
from simulators.platform.tokens import Tokens

_CLAIM_OF_HEADER = {
    "x-tenant-uuid": "tenantUuid",
    "x-user-id": "userUuid",
    "x-user-email": "username",
    "x-user-type": "userType",
}


def directory_router(people: People, tokens: Tokens) -> APIRouter:
    """The two look-ups of the platform's directory (product contract, section 2.7)."""
    router = APIRouter(prefix="/api", tags=["directory"])

    def tenant_of_caller(request: Request) -> str:
        return _tenant_of_caller(request, tokens)

    caller = Depends(tenant_of_caller)

    @router.get("/contacts/{contact_uuid}")
    async def contact(contact_uuid: str, tenant: Annotated[str, caller]) -> Contact:
        found = people.contacts.get(contact_uuid)
        if found is None or found.tenant_uuid != tenant:
            raise HTTPException(404, "Contact not found")
        return found

    @router.get("/tenant-staff/{staff_uuid}")
    async def staff(staff_uuid: str, tenant: Annotated[str, caller]) -> Staff:
        found = people.staff.get(staff_uuid)
        if found is None or found.tenant_uuid != tenant:
            raise HTTPException(404, "Staff member not found")
        return found

    return router


def _tenant_of_caller(request: Request, tokens: Tokens) -> str:
    """The caller's tenant, after the token was checked and the headers were found to say the same as the token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        claims = tokens.read(token.strip()) if scheme.lower() == "bearer" else None
    except jwt.InvalidTokenError:
        claims = None
    if claims is None:
        raise HTTPException(401, "Missing or invalid access token", {"WWW-Authenticate": "Bearer"})
    for header, claim in _CLAIM_OF_HEADER.items():
        value = request.headers.get(header)
        if value is None:
            raise HTTPException(400, f"Header {header} is missing")
        if value.casefold() != str(claims[claim]).casefold():
            raise HTTPException(403, f"Header {header} contradicts the access token")
    return str(claims["tenantUuid"])
