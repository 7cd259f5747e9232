"""`make run`: the platform in the foreground, until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.markup import escape

from localrun.greeting import FIRST_MEETING, first_meeting, greeting
from localrun.parent_death import die_with_parent
from localrun.paths import REPOSITORY
from localrun.platform import Platform
from localrun.ports import Ports, variable
from localrun.problem import LocalRunError
from localrun.process_factory import KafkaKind

_SETTINGS = """\
settings, all from the environment (make passes them on, as in: make run KAFKA=apache)
  KAFKA                    tansu (default: a small broker in memory) or apache (Apache Kafka on the JVM)
  STATE_DIR                where data, logs and run.json are kept (default: .local in the repository)
  PORT_OFFSET              shifts all default ports, for a second copy beside the first
  KAFKA_BOOTSTRAP_SERVERS  a broker of your own; then none is started
  MONGODB_URI              a MongoDB of your own (a replica set); then none is started

ports on 127.0.0.1
"""

_REVIVE_SECONDS = 0.5


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Run until Ctrl-C, SIGTERM or SIGHUP; the exit status. What stands in the way goes to standard error."""
    parser = argparse.ArgumentParser(
        prog="make run",
        description="Runs the whole platform on this machine.",
        epilog=_SETTINGS + "\n".join(f"  {variable(name):<24} {port}" for name, port in Ports().by_name().items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--with-parent", action="store_true", help="stop when the process that started this one ends")
    arguments = parser.parse_args()
    try:
        _require_linux()
        if arguments.with_parent:
            die_with_parent(signal.SIGTERM)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        _run(environ)
    except KeyboardInterrupt:
        return 0
    except LocalRunError as problem:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print("\nThe platform cannot run here like this.", style="bold red")
        console.print(str(problem), markup=False)
        return 1
    return 0


def _require_linux() -> None:
    system = os.uname().sysname
    if system != "Linux":
        raise LocalRunError(
            f"The local run needs Linux, and this is {system}. Use docker compose up, or a Linux machine."
        )


def _run(environ: Mapping[str, str]) -> None:
    kafka = _kafka(environ)
    state_dir = Path(environ.get("STATE_DIR") or REPOSITORY / ".local")
    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()

    def report(text: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {text}", markup=False)

    status = console.status("starting")
    status.start()
    try:
        with Platform.start(
            state_dir, kafka=kafka, environ=environ, report=report, waiting=lambda text: status.update(escape(text))
        ) as platform:
            status.stop()
            script = platform.state_dir / FIRST_MEETING
            script.touch(mode=0o600)  # there is a token in it
            script.write_text(first_meeting(platform.addresses))
            console.print(greeting(platform.addresses, _shortest(platform.state_dir)), markup=False)
            while True:
                platform.restart_exited()
                time.sleep(_REVIVE_SECONDS)
    finally:
        status.stop()


def _shortest(path: Path) -> Path:
    """A path as a person in the repository would type it."""
    return path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path


def _kafka(environ: Mapping[str, str]) -> KafkaKind:
    chosen = environ.get("KAFKA") or "tansu"
    for kind in get_args(KafkaKind):
        if chosen == kind:
            return kind  # type: ignore[no-any-return]
    raise LocalRunError(f"KAFKA must be {' or '.join(get_args(KafkaKind))}, not {chosen!r}.")
