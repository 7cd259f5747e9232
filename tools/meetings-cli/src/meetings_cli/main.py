"""Entry point: ``meetings``. Exit status 0: done; 1: something is wrong; 2: it could not be done, or not so."""

import logging
import sys

import structlog
import typer
from pydantic import ValidationError

from meetings_cli.commands import calendar, dead_letters, history, jobs, keys, status, token
from meetings_cli.console import err
from meetings_cli.problem import Problem

app = typer.Typer(
    help="Operate the Meetings platform. Addresses and secrets come from the environment, under the names that the "
    "services use (docs/how-to/operate.md); beside a local run nothing needs to be set.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(status.commands)
app.add_typer(dead_letters.commands, name="dead-letters")
app.add_typer(jobs.commands, name="jobs")
app.add_typer(calendar.commands, name="calendar")
app.add_typer(keys.commands, name="keys")
app.add_typer(history.commands, name="history")
app.add_typer(token.commands)


def main() -> None:
    # What the libraries report is said in a sentence instead.
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        app()
    except (Problem, ValidationError, ValueError) as problem:
        err.print(str(problem), style="bold red")
        sys.exit(2)


if __name__ == "__main__":
    main()
