"""Commands, run to their end."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.deployment.rehearsal.errors import RehearsalError

_LINES = 30


def run(
    command: Sequence[str | Path],
    *,
    timeout: float = 120,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run it to its end and return its standard output; ``env`` is added to our own environment.

    Raises:
        RehearsalError: it is not there, failed, or took more than ``timeout`` seconds.
    """
    line = " ".join(map(str, command))
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=os.environ | dict(env or {}),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RehearsalError(f"{line}: took more than {timeout:.0f} s") from error
    except OSError as error:
        raise RehearsalError(f"{line}: {error}") from error
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-_LINES:])
        raise RehearsalError(f"{line}: exit status {done.returncode}\n{tail}")
    return done.stdout
