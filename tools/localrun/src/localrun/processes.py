"""Child processes: started in their own group, ready on a condition, stopped for certain."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from localrun import parent_death
from localrun.problem import LocalRunError

GRACE_SECONDS = 30.0
"""How long a child may take to stop after SIGTERM; services drain within 25 s."""

READY_SECONDS = 120.0
"""How long a child may take to become ready: generous, because a cold disk or a busy machine is no failure."""

_POLL_SECONDS = 0.02

# The parent-death signal goes out when the *thread* that forked ends, not the process (prctl(2)), so children are all
# forked from this one thread, which lives as long as the interpreter.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="localrun-spawner")


class ProcessFailedError(LocalRunError):
    """A child ended early or did not become ready; the message carries the end of its log."""


class Process:
    """One child process and how to know that it is ready. Its log is appended to, one file per process."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        ready: Callable[[], bool] = lambda: True,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """`ready` must be quick and must not raise; `env` is the child's whole environment (default: our own)."""
        self.name = name
        self.log = log
        self._command = [*command]
        self.env = None if env is None else dict(env)
        self._ready = ready
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the newest start; also the id of the child's process group."""
        return self._started.pid

    @property
    def returncode(self) -> int | None:
        """Exit status (negative: the signal that ended it), None while it runs."""
        return self._started.poll()

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start the child; it dies with this process, however this process ends."""
        if self.running:
            raise RuntimeError(f"{self.name} is running already")
        self._child = _spawner.submit(self._spawn).result()

    def wait_ready(self, timeout: float = READY_SECONDS) -> None:
        """Wait until the child is ready. Raises `ProcessFailedError` when it ends first or `timeout` seconds pass."""
        deadline = time.monotonic() + timeout
        while not self._ready():
            try:
                status = self._started.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    raise ProcessFailedError(f"{self.name} was not ready after {timeout:.0f} s.{self.tail()}") from None
            else:
                early = f"{self.name} ended with {describe_exit(status)} before it was ready."
                raise ProcessFailedError(early + self.tail())

    def wait(self, timeout: float) -> int:
        """Wait for a child to end by itself; its exit status. Raises `ProcessFailedError` after `timeout` seconds."""
        try:
            return self._started.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ProcessFailedError(f"{self.name} has not ended after {timeout:.0f} s.{self.tail()}") from None

    def kill(self, signal_number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the child's process group; with SIGKILL, also wait until it is gone."""
        if not self.running:
            return
        os.killpg(self.pid, signal_number)
        if signal_number == signal.SIGKILL:
            self._started.wait()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, it answers nothing and loses nothing: it has stopped when this is entered, and goes on when left."""
        self.kill(signal.SIGSTOP)
        try:
            while self.running and not self._is_stopped():
                time.sleep(_POLL_SECONDS)
            yield
        finally:
            self.kill(signal.SIGCONT)

    def _is_stopped(self) -> bool:
        """Whether every thread has taken notice of a SIGSTOP (proc(5), state T)."""
        threads = Path(f"/proc/{self.pid}/task").glob("*/stat")
        return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads)

    def stop(self, grace: float = GRACE_SECONDS) -> None:
        """SIGTERM, up to `grace` seconds to end in good order, then SIGKILL. Does nothing when it is not running."""
        stop_all([self], grace)

    def restart(self, timeout: float = READY_SECONDS) -> None:
        """Stop it if it runs, start it again with the same command and environment, wait until it is ready."""
        self.stop()
        self.start()
        self.wait_ready(timeout)

    def tail(self, lines: int = 15) -> str:
        """The last lines of the log, as an appendix to a message."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        last = [f"\n    {_shortened(line)}" for line in text.rstrip().splitlines()[-lines:]]
        return f" The end of {self.log}:{''.join(last)}" if last else f" {self.log} is empty."

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._child

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", parent_death.__file__, str(os.getpid()), *self._command],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C at the terminal reaches the runner alone, which stops us in order
            )


def _shortened(line: str) -> str:
    """A log line that a terminal can bear; JSON logs carry whole tracebacks, whose end tells most."""
    return line if len(line) <= 400 else f"{line[:150]} ... {line[-250:]}"


def stop_all(processes: Iterable[Process], grace: float = GRACE_SECONDS) -> None:
    """Stop several children at once: SIGTERM to all, then up to `grace` seconds for the slowest, then SIGKILL."""
    stopping = [process for process in processes if process.running]
    for process in stopping:
        process.kill(signal.SIGTERM)
    deadline = time.monotonic() + grace
    for process in stopping:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except ProcessFailedError:
            process.kill()


def describe_exit(status: int) -> str:
    """An exit status in words: `status 1`, or `signal SIGKILL`."""
    return f"status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"


def accepts_connections(port: int) -> bool:
    """Whether something on this machine accepts TCP connections at `port`."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def answers_ok(url: str) -> bool:
    """Whether a GET of this http URL is answered 200. Proxy settings of the environment do not apply."""
    target = urlsplit(url)
    connection = http.client.HTTPConnection(target.netloc, timeout=2)
    try:
        connection.request("GET", target.path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
