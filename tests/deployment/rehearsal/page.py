"""The commands of docs/how-to/deploy.md, as a newcomer copies them."""

import os
import re
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.deployment.rehearsal.compose import Stack
from tests.deployment.rehearsal.errors import RehearsalError
from tests.deployment.rehearsal.shell import run
from tests.support.deployment import ROOT

PAGE = ROOT / "docs/how-to/deploy.md"
_PROGRAM = """#!/bin/sh
[ "$1" = compose ] || exec /usr/bin/docker "$@"
shift 3
[ "$1" = up ] || exec {words} "$@"
"""
"""Takes the place of docker, so that Debian's docker-compose will do; the demonstration is up already."""
_MARK = "<!-- followed by make rehearsal -->"


def commands() -> str:
    """The shell block of the page that is marked as followed."""
    (block,) = re.findall(re.escape(_MARK) + r"\n+```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(block)


def follow(demo: Stack) -> None:
    """Run them, where the demonstration is up already, with its compose for ``docker compose``.

    Raises:
        RehearsalError: they fail, or the last line that they print is not 201.
    """
    with TemporaryDirectory() as folder:
        program = Path(folder) / "docker"
        words = " ".join(f"'{word}'" for word in demo.command)
        program.write_text(_PROGRAM.format(words=words), encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        env = demo.engine.env | {"PATH": f"{folder}:{os.environ['PATH']}"}
        printed = run(demo.engine.inside("bash", "-euc", commands()), env=env, cwd=ROOT)
    if printed.rstrip().rpartition("\n")[2] != "201":
        raise RehearsalError(f"the commands of {PAGE.name} print:\n{printed}")
