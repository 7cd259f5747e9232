"""``meetings jobs``."""

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
from meetings_cli.stores import JOB_KINDS, JobKind, open_stores

commands = typer.Typer(
    help="Calls to mail servers and calendar providers.\n\n"
    + "\n\n".join(f"{kind.name}: {kind.description}." for kind in JOB_KINDS.values()),
    no_args_is_help=True,
)
KindName = Enum("KindName", {name: name for name in JOB_KINDS}, type=str)  # type: ignore[misc] # typer wants an enum
_PAGE = 500
_json = TypeAdapter(dict[str, Any])


@commands.command("list")
@awaited
async def list_(
    kind: Annotated[KindName | None, typer.Argument(help="Only this kind.")] = None,
    overdue: Annotated[float, typer.Option(help="Seconds that a due job may wait.")] = 120,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of each kind.")] = 50,
) -> None:
    """Discarded and blocked jobs, jobs that have been due for long, and failed ones that are retried later.

    Ids and kinds of errors only; `show` says more.
    """
    due_before = utc_now() - timedelta(seconds=overdue)
    rows: list[tuple[str, ...]] = []
    with database_errors():
        async with open_stores(Settings()) as stores:
            for job_kind in _kinds(kind):
                found = await stores.job_admin(job_kind).list_stuck(limit, due_before=due_before)
                rows += (_row(job_kind, document) for document in found)
                if len(found) == limit:
                    rows.append((job_kind.name, "…", f"the first {limit}; --limit shows more", "", ""))
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
    """One job with its last error, as JSON. It may hold personal data."""
    [job_kind] = _kinds(kind)
    with database_errors():
        async with open_stores(Settings()) as stores:
            document = await stores.job_admin(job_kind).find(key, projection=job_kind.context_fields)
    if document is None:
        raise Problem(f"There is no {job_kind.name} job of {key}.")
    out.print(_json.dump_json(document, indent=2, fallback=str).decode(), soft_wrap=True)


@commands.command()
@awaited
async def retry(
    kind: Annotated[KindName, typer.Argument(help="As `list` shows it.")],
    keys: Annotated[list[str] | None, typer.Argument(metavar="ID", help="As `list` shows them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All discarded jobs of this kind.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Make discarded jobs, and jobs that are retried later, due now. Running jobs are left alone."""
    if everything == bool(keys):
        raise typer.BadParameter("say which: ids, or --all")
    [job_kind] = _kinds(kind)
    with database_errors():
        async with open_stores(Settings()) as stores:
            admin = stores.job_admin(job_kind)
            total = (await admin.stats()).discarded if everything else len(keys or [])
            if not yes and total:
                typer.confirm(f"Retry {total} × {job_kind.description}?", abort=True)
            retried = 0
            with progress() as shown:
                bar = shown.add_task("retrying", total=total)
                while retried < total if everything else not retried:
                    done = await (admin.retry_discarded(_PAGE) if everything else admin.retry(keys or []))
                    if not done:
                        break
                    retried += done
                    shown.update(bar, completed=retried)
    out.print(f"{retried} × {job_kind.name} due now")
    if retried < total:
        raise Problem(f"{total - retried} are not stuck: done, running, or never scheduled.")


def _kinds(kind: KindName | None) -> list[JobKind]:
    return list(JOB_KINDS.values()) if kind is None else [JOB_KINDS[kind.value]]


def _row(kind: JobKind, document: Document) -> tuple[str, ...]:
    job = document[kind.name]
    attempts, due_at = str(job.get("attempts", 0)), job.get("dueAt")
    discarded, blocked = job.get("discarded"), job.get("blocked")
    key = str(document["_id"])
    if due_at is None and discarded is not None:
        return kind.name, key, f"discarded: {_error_kind(discarded)}", attempts, local(discarded["at"])
    if blocked is not None:
        return kind.name, key, f"blocked: {_error_kind(blocked)}", attempts, local(blocked["since"])
    state = "retried later" if due_at is not None and due_at > utc_now() else "overdue"
    return kind.name, key, state, attempts, local(due_at)


def _error_kind(failed: Document) -> str:
    """The kind of error alone: its text may quote what it is about."""
    return str(failed.get("error", "")).partition(":")[0]
