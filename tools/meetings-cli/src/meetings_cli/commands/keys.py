"""``meetings keys``."""

import typer

from meetings_cli.calendar_client import CalendarClient, open_calendar_client
from meetings_cli.console import awaited, out, progress
from meetings_cli.settings import Settings

commands = typer.Typer(help="Keys that seal what calendar providers gave us.", no_args_is_help=True)


@commands.callback()
def keys() -> None:
    """Keys that seal what calendar providers gave us."""


@commands.command()
@awaited
async def rotate() -> None:
    """Seal every grant anew with the first key of TOKEN_ENCRYPTION_KEYS, so that the others can be taken out.

    First put the new key in front and restart every replica of calendar-sync. This may be broken off and repeated at
    any time. At the end it says whether the old keys can go.
    """
    async with open_calendar_client(Settings()) as calendar:
        reencrypted, unreadable = await _look_through(calendar, "sealing anew")
        out.print(f"{reencrypted} secrets sealed anew")
        late, unreadable = await _look_through(calendar, "looking once more") if reencrypted else (0, unreadable)
    if unreadable:
        out.print(
            f"{unreadable} secrets open with none of the keys. Put the key back that sealed them, or have their users "
            "connect again; the log of calendar-sync names the connections."
        )
    if late:
        out.print(f"{late} more were sealed with an old key meanwhile: a replica does not have the new one yet.")
    if late or unreadable:
        out.print("NOT finished: leave the old keys in and repeat this.", style="bold red")
        raise typer.Exit(1)
    out.print("Every secret is sealed with the first key. The others can be taken out, if every replica has this one.")


async def _look_through(calendar: CalendarClient, what: str) -> tuple[int, int]:
    """How many secrets had to be sealed anew, and how many cannot be opened."""
    reencrypted = unreadable = 0
    with progress() as shown:
        bar = shown.add_task(what, total=None)
        async for page in calendar.reseal():
            reencrypted, unreadable = reencrypted + page.reencrypted, unreadable + page.unreadable
            shown.update(bar, total=page.total, advance=page.seen)
    return reencrypted, unreadable
