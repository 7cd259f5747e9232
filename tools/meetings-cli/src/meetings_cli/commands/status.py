"""``meetings status``."""

from typing import Annotated

import typer

from meetings_cli.console import awaited, err, local, out, table
from meetings_cli.settings import Settings
from meetings_cli.status import Status, ask_status
from meetings_cli.stores import MailLimitsStatus

commands = typer.Typer()


@commands.command()
@awaited
async def status(
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: everything, as one JSON object.")] = False,
) -> None:
    """How everything stands. Exit status 1 when something is wrong, and the last line says what.

    Asks the services, the broker and the databases, and changes nothing.
    """
    found = await ask_status(Settings())
    if as_json:
        print(found.model_dump_json(indent=2))
    else:
        _show(found)
    if found.wrong:
        err.print(f"wrong: {'; '.join(found.wrong)}", style="bold red")
        raise typer.Exit(1)
    if not as_json:
        out.print("all is well", style="bold green")


def _show(found: Status) -> None:
    table(
        "Services",
        ("service", "alive", "ready", "problems", "at"),
        (
            (
                service.name,
                _yes(service.alive),
                _yes(service.ready),
                "; ".join(f"{name}: {problem}" for name, problem in service.problems.items()),
                service.url,
            )
            for service in found.services
        ),
    )
    if found.lags is not None:
        table(
            "Consumer lag", ("group", "topic", "records"), ((lag.group, lag.topic, lag.records) for lag in found.lags)
        )
    if found.dead_letters:
        table(
            "Dead letters",
            ("topic", "open", "replayed"),
            ((count.topic, count.open, count.replayed) for count in found.dead_letters),
        )
    elif found.dead_letters is not None:
        out.print("No dead letters\n", style="bold")
    if found.outboxes is not None:
        table(
            "Outboxes",
            ("service", "collection", "pending", "overdue s"),
            ((outbox.service, outbox.collection, outbox.pending, f"{outbox.overdue:.0f}") for outbox in found.outboxes),
        )
    _show_jobs(found)


def _show_jobs(found: Status) -> None:
    if found.jobs is not None:
        table(
            "Jobs",
            ("kind", "due", "later", "leased", "interrupted", "blocked", "discarded", "overdue s"),
            (
                (
                    job.kind,
                    job.stats.due,
                    job.stats.later,
                    job.stats.leased,
                    job.stats.interrupted,
                    job.stats.blocked,
                    job.stats.discarded,
                    f"{job.stats.overdue:.0f}",
                )
                for job in found.jobs
            ),
        )
    if found.calendars is not None:
        connections = ", ".join(f"{count} {name}" for name, count in found.calendars.connections.items())
        table(
            "Calendars",
            ("connections", "read", "watched by a channel", "oldest pull"),
            [(connections, found.calendars.feeds, found.calendars.watched, local(found.calendars.oldest_pull))],
        )
    if found.mail_limits is not None:
        _show_mail_limits(found.mail_limits)
    for reason in found.unknown.values():
        out.print(f"unknown: {reason}", style="yellow")


def _show_mail_limits(limits: MailLimitsStatus) -> None:
    if limits.held_back:
        out.print(f"{limits.held_back} mails wait because their mailbox has had too many")
    if limits.budgets:
        table(
            "Mails caused",
            ("tenant", "user", "an hour", "used", "refused", "last"),
            (
                (
                    budget.tenant_uuid,
                    budget.user_id or "all",
                    budget.limit,
                    f"{budget.used:.0%}",
                    budget.refused,
                    local(budget.refused_at) if budget.refused_at else "",
                )
                for budget in limits.budgets
            ),
        )


def _yes(it_is: bool) -> str:
    return "yes" if it_is else "NO"
