"""``meetings work``."""

from datetime import timedelta
from enum import Enum
from typing import Annotated, Any

import typer
from chassis.mongo.database import Document
from contracts.values.times import utc_now
from pydantic import TypeAdapter

from meetings_cli.console import awaited, local, out, progress, table
from meetings_cli.problem import Problem, database_errors
from meetings_cli.settings import Settings
from meetings_cli.stores import WORK, Kind, open_stores

commands = typer.Typer(
    help="Work that leaves the house: mails, calendar writes, pulls, push channels, farewells to accounts.\n\n"
    + "\n\n".join(f"{kind.name}: {kind.what}." for kind in WORK.values()),
    no_args_is_help=True,
)
KindName = Enum("KindName", {name: name for name in WORK}, type=str)  # type: ignore[misc] # typer wants an enum
_PAGE = 500
_json = TypeAdapter(dict[str, Any])


@commands.command("list")
@awaited
async def list_(
    kind: Annotated[KindName | None, typer.Argument(help="Only this kind.")] = None,
    overdue: Annotated[float, typer.Option(help="Seconds that due work may wait.")] = 120,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of each kind.")] = 50,
) -> None:
    """What gave up, what finds a dependency away, what is due for long, and what failed and is put off.

    Ids and kinds of errors only; `show` says more.
    """
    due_before = utc_now() - timedelta(seconds=overdue)
    rows: list[tuple[str, ...]] = []
    with database_errors():
        async with open_stores(Settings()) as stores:
            for one in _kinds(kind):
                found = await stores.oversight(one).stuck(limit, due_before=due_before)
                rows += (_row(one, document) for document in found)
                if len(found) == limit:
                    rows.append((one.name, "…", f"the first {limit}; --limit shows more", "", ""))
    if rows:
        table("", ("kind", "id", "state", "attempts", "since / next"), rows)
    else:
        out.print("nothing is stuck")


@commands.command()
@awaited
async def show(
    kind: Annotated[KindName, typer.Argument(help="As `list` shows it.")],
    key: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")],
) -> None:
    """All that is known of one piece of work, with the last error, as JSON. It may hold personal data."""
    [one] = _kinds(kind)
    with database_errors():
        async with open_stores(Settings()) as stores:
            document = await stores.oversight(one).find(key, projection=one.telling)
    if document is None:
        raise Problem(f"There is no {one.name} work of {key}.")
    out.print(_json.dump_json(document, indent=2, fallback=str).decode(), soft_wrap=True)


@commands.command()
@awaited
async def retry(
    kind: Annotated[KindName, typer.Argument(help="As `list` shows it.")],
    keys: Annotated[list[str] | None, typer.Argument(metavar="ID", help="As `list` shows them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of this kind that gave up.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Make work due now that gave up or is put off. What somebody is at is left alone."""
    if everything == bool(keys):
        raise typer.BadParameter("say which: ids, or --all")
    [one] = _kinds(kind)
    with database_errors():
        async with open_stores(Settings()) as stores:
            overseen = stores.oversight(one)
            total = (await overseen.standing()).gave_up if everything else len(keys or [])
            if not yes and total:
                typer.confirm(f"Retry {total} × {one.what}?", abort=True)
            retried = 0
            with progress() as shown:
                bar = shown.add_task("retrying", total=total)
                while retried < total if everything else not retried:
                    done = await (overseen.retry_discarded(_PAGE) if everything else overseen.retry(keys or []))
                    if not done:
                        break
                    retried += done
                    shown.update(bar, completed=retried)
    out.print(f"{retried} × {one.name} due now")
    if retried < total:
        raise Problem(f"{total - retried} are not stuck: done, in hand, or never wanted.")


def _kinds(kind: KindName | None) -> list[Kind]:
    return list(WORK.values()) if kind is None else [WORK[kind.value]]


def _row(kind: Kind, document: Document) -> tuple[str, ...]:
    work = document[kind.name]
    attempts, due_at = str(work.get("attempts", 0)), work.get("dueAt")
    gave_up, waits = work.get("gaveUp"), work.get("waits")
    key = str(document["_id"])
    if due_at is None and gave_up is not None:
        return kind.name, key, f"gave up: {_error_kind(gave_up)}", attempts, local(gave_up["at"])
    if waits is not None:
        return kind.name, key, f"waiting: {_error_kind(waits)}", attempts, local(waits["since"])
    state = "put off" if due_at is not None and due_at > utc_now() else "overdue"
    return kind.name, key, state, attempts, local(due_at)


def _error_kind(failed: Document) -> str:
    """The kind of error alone: its text may quote what it is about."""
    return str(failed.get("error", "")).partition(":")[0]
