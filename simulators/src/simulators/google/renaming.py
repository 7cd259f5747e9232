"""A new primary address for an account: its id stays (OpenID Connect ``sub``), its primary calendar is called anew."""

from simulators.google.state import AccessToken, Account, Code, Json, RefreshToken
from simulators.google.world import World


def rename(world: World, account: Account, email: str) -> Account:
    """Give the account this address, wherever the old one stood; its channels end."""
    state, old = world.state, account.email
    state.accounts[email] = state.accounts.pop(old)
    account.email = email
    state.calendars[email] = state.calendars.pop(old)
    state.calendars[email].id = email
    state.events[email] = state.events.pop(old)
    for calendar in state.calendars.values():
        calendar.owner = email if calendar.owner == old else calendar.owner
    for events in state.events.values():
        for event in events.values():
            event.calendar_id = email if event.calendar_id == old else event.calendar_id
            event.resource = _renamed(event.resource, old, email)
    held: list[RefreshToken | AccessToken | Code] = [*state.refresh_tokens.values(), *state.access_tokens.values()]
    for token in [*held, *state.codes.values()]:
        token.account = email if token.account == old else token.account
    state.channels = {key: one for key, one in state.channels.items() if one.account != old}
    state.consents = {key.replace(f" {old}", f" {email}"): scopes for key, scopes in state.consents.items()}
    world.changes += 1
    return account


def _renamed(resource: Json, old: str, email: str) -> Json:
    def person(one: Json) -> Json:
        return one | {"email": email} if one.get("email") == old else one

    people: Json = {role: person(resource[role]) for role in ("creator", "organizer") if role in resource}
    if "attendees" in resource:
        people["attendees"] = [person(one) for one in resource["attendees"]]
    return resource | people
