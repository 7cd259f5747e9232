"""``meetings dead-letters``."""

from collections.abc import AsyncIterator
from typing import Annotated

import typer
from chassis.kafka.records import Record

from meetings_cli.console import awaited, out, progress, table
from meetings_cli.dead_letters import TOPICS, DeadLetter, DeadLetterBox, State, chosen, open_dead_letter_box
from meetings_cli.problem import Problem, broker_errors
from meetings_cli.settings import Settings

commands = typer.Typer(
    help="Records that could not be handled. They are kept for 30 days; nothing else waits for them.",
    no_args_is_help=True,
)


def _known(topic: str | None) -> str | None:
    if topic is not None and topic not in TOPICS:
        raise typer.BadParameter(f"no dead-letter topic; `meetings dead-letters list` shows them, as {TOPICS[0]}")
    return topic


Topic = Annotated[str | None, typer.Option("--topic", "-t", callback=_known, help="Only this dead-letter topic.")]
Offsets = Annotated[list[int], typer.Argument(help="Which of the topic, as `list` shows them.")]
MaybeOffsets = Annotated[list[int] | None, typer.Argument(help="Which of the topic, as `list` shows them.")]
Everything = Annotated[bool, typer.Option("--all", help="All that are open; with --topic, all of that topic.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@commands.command("list")
@awaited
async def list_(topic: Topic = None) -> None:
    """One line for each, without contents. Those that were discarded are not shown."""
    settings = Settings()
    with broker_errors(settings):
        async with open_dead_letter_box(settings) as box:
            letters = await box.letters(topic)
    if not letters:
        out.print("no dead letters")
        return
    table(
        "",
        ("topic", "offset", "state", "since", "type", "from", "error"),
        (
            (
                letter.topic,
                letter.offset,
                " ".join(filter(None, (letter.state.value, letter.done_at))),
                letter.header("dlt-at"),
                letter.kind,
                letter.origin,
                letter.header("dlt-error"),
            )
            for letter in letters
        ),
    )


@commands.command()
@awaited
async def show(offsets: Offsets, topic: Topic = None) -> None:
    """Headers and body. The body may hold personal data."""
    settings = Settings()
    with broker_errors(settings):
        async with open_dead_letter_box(settings) as box:
            letters = await _choose(box, topic, offsets, everything=False)
            async for letter, record in box.records(letters):
                _print_whole(letter, record)


@commands.command()
@awaited
async def replay(
    offsets: MaybeOffsets = None, topic: Topic = None, everything: Everything = False, yes: Yes = False
) -> None:
    """Have the group that could not handle them, and no other, handle them again. Mend the cause first.

    Handlers are idempotent: replaying twice is harmless, and old news is dropped. What fails again comes back as a new
    dead letter.
    """
    settings = Settings()
    with broker_errors(settings):
        async with open_dead_letter_box(settings) as box:
            letters = await _choose(box, topic, offsets, everything=everything)
            able = [letter for letter in letters if letter.retry_topic is not None]
            if len(able) < len(letters):
                out.print(
                    f"{len(letters) - len(able)} cannot be replayed: no request waits for their outcome any more."
                )
            _confirm(f"Replay {_counted(able)}?", able, yes=yes)
            await _carry_out("replaying", len(able), box.replay(able))
    out.print(f"replayed {_counted(able)}")


@commands.command()
@awaited
async def discard(
    offsets: MaybeOffsets = None, topic: Topic = None, everything: Everything = False, yes: Yes = False
) -> None:
    """Put them away: they are not listed and not replayed any more.

    Kafka cannot delete one record, so the bytes stay in the topic until its retention ends.
    """
    settings = Settings()
    with broker_errors(settings):
        async with open_dead_letter_box(settings) as box:
            letters = await _choose(box, topic, offsets, everything=everything)
            _confirm(f"Discard {_counted(letters)}? There is no way back.", letters, yes=yes)
            await _carry_out("discarding", len(letters), box.discard(letters))
    out.print(f"discarded {_counted(letters)}")


async def _choose(
    box: DeadLetterBox, topic: str | None, offsets: list[int] | None, *, everything: bool
) -> list[DeadLetter]:
    if everything == bool(offsets):
        raise typer.BadParameter("say which: offsets with --topic, or --all")
    if everything:
        return [letter for letter in await box.letters(topic) if letter.state is State.OPEN]
    if topic is None:
        raise typer.BadParameter("offsets are those of one topic: add --topic")
    try:
        return chosen(await box.letters(topic), set(offsets or []))
    except LookupError as missing:
        raise Problem(f"{topic} has {missing}.") from missing


def _confirm(question: str, letters: list[DeadLetter], *, yes: bool) -> None:
    if not letters:
        raise Problem("There are none.")
    if not yes:
        typer.confirm(question, abort=True)


async def _carry_out(what: str, total: int, done: AsyncIterator[DeadLetter]) -> None:
    with progress() as shown:
        bar = shown.add_task(what, total=total)
        async for _ in done:
            shown.advance(bar)


def _print_whole(letter: DeadLetter, record: Record) -> None:
    out.print(f"{letter.topic} {letter.offset} ({letter.state.value})", style="bold")
    for name, value in letter.headers:
        out.print(f"{name}: {value.decode(errors='replace')}", soft_wrap=True)
    out.print()
    out.print((record.value or b"").decode(errors="backslashreplace"), soft_wrap=True)


def _counted(letters: list[DeadLetter]) -> str:
    return f"{len(letters)} dead letter{'' if len(letters) == 1 else 's'}"
