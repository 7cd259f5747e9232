"""``meetings calendar``."""

from typing import Annotated

import typer
from contracts.api.calendar import SyncRunStatus

from meetings_cli.calendar_client import open_calendar_client
from meetings_cli.console import awaited, err, out
from meetings_cli.settings import Settings

commands = typer.Typer(help="Connected calendars.", no_args_is_help=True)


@commands.callback()
def calendar() -> None:
    """Connected calendars."""


@commands.command()
@awaited
async def resync(
    tenant: Annotated[str, typer.Argument(help="The tenant's id.")],
    user: Annotated[str, typer.Argument(help="The user's id.")],
) -> None:
    """Read all of a user's calendar anew, not only what changed: what was missed is found, what is gone is removed."""
    with err.status("reading the calendar"):
        async with open_calendar_client(Settings()) as calendar:
            pulled = await calendar.resync(tenant, user)
    if pulled.status is SyncRunStatus.IN_PROGRESS:
        out.print("it takes long and goes on by itself; `meetings status` shows the oldest pull")
    else:
        out.print(f"read: {pulled.imported} imported, {pulled.updated} updated, {pulled.removed} removed")
