"""``meetings token``."""

from datetime import timedelta
from typing import Annotated

import typer
from contracts.values.enums import UserType
from contracts.values.times import utc_now

from meetings_cli.settings import Settings, local_run
from meetings_cli.tokens import login_token, signed_token, token_of

commands = typer.Typer()
_PERSON = "One of the local run's people, by a part of the name; beside compose, by e-mail address."
_DEMO_PASSWORD = "demo"  # noqa: S105 everybody's in the simulated platform


@commands.command()
def token(  # noqa: PLR0917 options are called by their names
    person: Annotated[str | None, typer.Argument(help=_PERSON)] = None,
    tenant: Annotated[str | None, typer.Option(help="The tenant's id.")] = None,
    user: Annotated[str | None, typer.Option(help="The user's id.")] = None,
    email: Annotated[str | None, typer.Option(help="The user's e-mail address.")] = None,
    user_type: Annotated[UserType, typer.Option("--type", help="The kind of user.")] = UserType.TENANT_STAFF,
    partner: Annotated[str | None, typer.Option(help="Partner staff's firm.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=24, help="How long it is good.")] = 1,
) -> None:
    """An access token for development, alone on standard output: of a person of the local run, or with given claims.

    Signed with JWT_HS256_SECRET, or the local run's; a gateway that takes keys from JWT_JWKS_URL alone refuses it.
    """
    settings = Settings()
    if person is not None:
        login = settings.login_url
        print(token_of(local_run(), person) if login is None else login_token(login, person, _DEMO_PASSWORD))
        return
    if tenant is None or user is None or email is None:
        raise typer.BadParameter("say whose: a person of the local run, or --tenant, --user and --email")
    signed = signed_token(
        settings,
        tenant=tenant,
        user=user,
        email=email,
        user_type=user_type,
        partner=partner,
        now=utc_now(),
        lifetime=timedelta(hours=hours),
    )
    print(signed)
