"""The folder that keeps a run's state, held by one run at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from localrun.problem import LocalRunError


@contextlib.contextmanager
def lock_state_dir(state_dir: Path, description: str) -> Iterator[None]:
    """Hold the folder, made for this user alone when it does not exist; the kernel lets go when this process ends.

    `description` is what a second run is told about the first. Raises `LocalRunError` when another run holds it.
    """
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (state_dir / "run.lock").open("a+")
    except OSError as error:
        raise LocalRunError(f"{state_dir} cannot be used for state: {error.strerror}. Set STATE_DIR.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise LocalRunError(
                f"The platform is running already with the state in {state_dir} ({lock.read().strip()}). Use that one, "
                "stop it, or start a second copy beside it with STATE_DIR=.local2 PORT_OFFSET=1000"
            ) from None
        lock.truncate(0)
        lock.write(f"pid {os.getpid()}, {description}\n")
        lock.flush()
        yield
