"""Which calendars an account sees, and how well."""

from simulators.google.calendar.errors import ApiError, not_found
from simulators.google.state import Account, Calendar, Role
from simulators.google.world import World

RANK: dict[Role, int] = {"freeBusyReader": 1, "reader": 2, "writer": 3, "owner": 4}


def role(calendar: Calendar, email: str) -> Role | None:
    """The account's role on a calendar; None when the calendar is invisible to it."""
    return "owner" if calendar.owner == email else calendar.shares.get(email)


def calendar_for(world: World, account: Account, calendar_id: str, least: Role) -> Calendar:
    """The calendar (``primary`` = the account's own). Raises ApiError 404 when invisible, 403 below ``least``."""
    calendar = world.state.calendars.get(account.email if calendar_id == "primary" else calendar_id)
    held = role(calendar, account.email) if calendar is not None else None
    if calendar is None or held is None:
        raise not_found()
    if RANK[held] < RANK[least]:
        raise ApiError(
            403, "requiredAccessLevel", f"You need to have {least} access to this calendar.", domain="calendar"
        )
    return calendar


def visible(world: World, account: Account) -> list[Calendar]:
    """The calendars on an account's list, the primary one first."""
    seen = [calendar for calendar in world.state.calendars.values() if role(calendar, account.email)]
    return sorted(seen, key=lambda calendar: (not (calendar.primary and calendar.owner == account.email), calendar.id))
