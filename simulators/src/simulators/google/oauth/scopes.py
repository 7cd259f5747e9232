"""The scopes that can be asked for: those of the discovery document, and those of OpenID Connect."""

from simulators.google.discovery.document import document

IDENTITY = frozenset(
    {
        "openid",
        "email",
        "profile",
        "https://www.googleapis.com/auth/userinfo.email",
        "https://www.googleapis.com/auth/userinfo.profile",
    }
)
"""Granted with the sign-in itself: they have no check-box on the consent page."""


def explain(scope: str) -> str | None:
    """What the consent page says about a scope; None for one that does not exist."""
    if scope in IDENTITY:
        return "Know who you are on Google"
    described = document()["auth"]["oauth2"]["scopes"].get(scope)
    return None if described is None else str(described["description"])
