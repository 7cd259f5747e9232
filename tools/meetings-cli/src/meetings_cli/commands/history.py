"""``meetings history``."""

from collections.abc import AsyncIterator
from typing import Annotated

import typer
from contracts.history import HistoryEntry

from meetings_cli.console import awaited, local, out
from meetings_cli.history import Histories, RecordedMeeting
from meetings_cli.problem import Problem, database_errors
from meetings_cli.settings import Settings
from meetings_cli.stores import open_stores

commands = typer.Typer(help="Who changed a meeting, and whether that record was changed.", no_args_is_help=True)

Meeting = Annotated[str, typer.Argument(help="The meeting's id.")]
OneMeeting = Annotated[str | None, typer.Option("--meeting", help="Only this meeting.")]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Only the meetings of this tenant.")]
Values = Annotated[bool, typer.Option("--values", help="Old and new values too, also what is personal.")]


@commands.command()
@awaited
async def verify(tenant: Tenant = None, meeting: OneMeeting = None) -> None:
    """Check that every version of every meeting has its entry, and that none was changed.

    What is broken is named, one line each, and the exit status is 1. With --meeting the
    last line is the last hash: keep it elsewhere to see a history that was written anew as a whole.
    """
    checked = versions = broken = 0
    last_hash = ""
    with database_errors():
        async with open_stores(Settings()) as stores:
            histories = stores.histories()
            async for found in _chosen(histories, tenant, meeting):
                problems = await histories.problems(found)
                for problem in problems:
                    out.print(f"{found.meeting_uuid}: {problem}")
                checked, versions, broken = checked + 1, versions + found.version, broken + bool(problems)
                last_hash = found.last_hash
    if broken:
        out.print(f"BROKEN: {broken} of {checked} histories", style="bold red")
        raise typer.Exit(1)
    out.print(f"{checked} histories with {versions} versions are as they were written")
    if meeting is not None:
        out.print(f"last hash: {last_hash}")


async def _chosen(histories: Histories, tenant: str | None, meeting: str | None) -> AsyncIterator[RecordedMeeting]:
    if meeting is None:
        async for found in histories.meetings(tenant):
            yield found
        return
    one = await histories.find(meeting)
    if one is None or tenant not in (None, one.tenant_uuid):
        raise Problem(f"there is no meeting {meeting}" + (f" of {tenant}" if tenant else ""))
    yield one


@commands.command()
@awaited
async def show(meeting: Meeting, values: Values = False) -> None:
    """One line for each version: when, who, by which way, and which fields changed."""
    with database_errors():
        async with open_stores(Settings()) as stores:
            histories = stores.histories()
            found = await histories.find(meeting)
            if found is None:
                raise Problem(f"there is no meeting {meeting}")
            async for document in histories.entries(found):
                _print(HistoryEntry.model_validate(document), values=values)


def _print(entry: HistoryEntry, *, values: bool) -> None:
    actor = entry.actor
    what = entry.event_type.removeprefix("meetings.").removesuffix(".v1")
    out.print(f"{entry.version:>4}  {local(entry.at)}  {what}  by {actor.type} {actor.id} by way of {actor.way}")
    for group in entry.changes:
        whose = f"{group.participant_uuid} " if group.participant_uuid else ""
        if group.fields is None:
            out.print(f"      {whose}erased")
        for change in group.fields or ():
            shown = "withheld" if change.withheld else f"{change.old!r} → {change.new!r}"
            out.print(f"      {whose}{change.field}" + (f": {shown}" if values else ""))
