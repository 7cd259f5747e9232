"""Access tokens on API requests."""

from starlette.requests import Request

from simulators.google.calendar.errors import ApiError
from simulators.google.state import AccessToken, Account
from simulators.google.world import World


def authorised(world: World, request: Request) -> tuple[Account, AccessToken]:
    """Whose request this is. Raises ApiError 401 without a token in force."""
    header = request.headers.get("authorization", "")
    value = header[7:].strip() if header[:7].lower() == "bearer " else request.query_params.get("oauth_token", "")
    token = world.state.access_tokens.get(value)
    if value and token is not None and world.clock.now() < token.expires_at:
        return world.state.accounts[token.account], token
    challenge = 'Bearer realm="https://accounts.google.com/"'
    where = {"location": "Authorization", "location_type": "header"}
    if not value:
        raise ApiError(401, "required", "Login Required.", headers={"WWW-Authenticate": challenge}, **where)
    headers = {"WWW-Authenticate": f'{challenge}, error="invalid_token"'}
    raise ApiError(401, "authError", "Invalid Credentials", headers=headers, **where)
