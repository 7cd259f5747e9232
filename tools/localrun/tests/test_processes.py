"""Children start, get ready, fail and end as the runner must know them."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from localrun.ports import free_port
from localrun.processes import Process, ProcessFailedError, accepts_connections, answers_ok, stop_all

MakeProcess = Callable[..., Process]

LISTEN = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("up", flush=True)
time.sleep(600)
"""
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{LISTEN}"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeProcess]:
    """Makes processes that run a line of Python and are gone after the test."""
    made: list[Process] = []

    def make_process(code: str, *arguments: object, ready: Callable[[], bool] = lambda: True) -> Process:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        process = Process(f"child-{len(made)}", command, log=tmp_path / f"{len(made)}.log", ready=ready)
        made.append(process)
        return process

    yield make_process
    for process in made:
        process.kill()


def listening(make: MakeProcess, code: str = LISTEN) -> tuple[Process, int]:
    port = free_port()
    process = make(code, port, ready=lambda: accepts_connections(port))
    process.start()
    process.wait_ready()
    return process, port


def test_a_child_is_ready_when_its_condition_holds_and_stops_at_sigterm(make: MakeProcess) -> None:
    process, port = listening(make)
    process.stop()
    assert process.returncode == -signal.SIGTERM
    assert not accepts_connections(port)
    assert process.log.read_text() == "up\n"


def test_a_child_leads_its_own_group_so_that_ctrl_c_does_not_reach_it(make: MakeProcess) -> None:
    process, _ = listening(make)
    assert os.getpgid(process.pid) == process.pid != os.getpgid(0)


def test_an_early_end_is_noticed_at_once_and_told_with_the_end_of_the_log(make: MakeProcess) -> None:
    process = make("print('one'); print('cannot find the moon'); raise SystemExit(3)", ready=lambda: False)
    process.start()
    with pytest.raises(ProcessFailedError, match=r"(?s)ended with status 3 .*0\.log:.*cannot find the moon"):
        process.wait_ready(timeout=30)


def test_a_child_that_never_gets_ready_is_given_up(make: MakeProcess) -> None:
    process = make("import time; time.sleep(600)", ready=lambda: False)
    process.start()
    with pytest.raises(ProcessFailedError, match="not ready after 0 s"):
        process.wait_ready(timeout=0.1)
    assert process.running


def test_a_command_that_does_not_exist_says_so(tmp_path: Path) -> None:
    process = Process("moon", ["/no/such/moon"], log=tmp_path / "moon.log", ready=lambda: False)
    process.start()
    with pytest.raises(ProcessFailedError, match="/no/such/moon: No such file or directory"):
        process.wait_ready(timeout=30)


def test_who_does_not_stop_in_time_is_killed(make: MakeProcess) -> None:
    stubborn, _ = listening(make, STUBBORN)
    willing, _ = listening(make)
    stop_all([stubborn, willing], grace=0.5)
    assert stubborn.returncode == -signal.SIGKILL
    assert willing.returncode == -signal.SIGTERM


def test_a_killed_child_can_be_started_again_with_the_same_command(make: MakeProcess) -> None:
    process, port = listening(make)
    first = process.pid
    process.kill(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    process.restart()
    assert process.running
    assert process.pid != first
    assert accepts_connections(port)
    assert process.log.read_text() == "up\nup\n"


COUNT = """
import threading, time
def count():
    while True:
        print(".", end="", flush=True)
threading.Thread(target=count, daemon=True).start()
count()
"""


def test_a_paused_child_does_nothing_and_goes_on_afterwards(
    make: MakeProcess, eventually: Callable[..., object]
) -> None:
    process = make(COUNT)
    process.start()
    eventually(lambda: process.log.exists() and process.log.stat().st_size > 0)
    with process.paused():
        written = process.log.stat().st_size
        for _ in range(1_000):
            assert process.log.stat().st_size == written
    eventually(lambda: process.log.stat().st_size > written)


def test_stopping_and_killing_what_has_ended_does_nothing(make: MakeProcess) -> None:
    process, _ = listening(make)
    process.stop()
    process.stop()
    process.kill()
    assert process.returncode == -signal.SIGTERM


def test_children_outlive_the_thread_that_started_them(make: MakeProcess) -> None:
    """The parent-death signal goes by thread, so this is where a child would be lost."""
    port = free_port()
    process = make(LISTEN, port, ready=lambda: accepts_connections(port))
    starter = threading.Thread(target=process.start)
    starter.start()
    starter.join()
    process.wait_ready()
    assert process.running


def test_children_die_with_a_runner_that_is_killed(tmp_path: Path, eventually: Callable[..., object]) -> None:
    runner_code = f"""
import time
from pathlib import Path
from localrun.processes import Process
child = Process("child", ["sleep", "600"], log=Path({str(tmp_path / "child.log")!r}))
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", runner_code], stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        child = int(runner.stdout.readline())
        assert is_alive(child)
        runner.kill()
    eventually(lambda: not is_alive(child))


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended without a wait for it does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


HTTP = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(self.path[1:])); self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_only_200_counts_and_proxies_do_not(make: MakeProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    _, port = listening(make, HTTP)
    assert answers_ok(f"http://127.0.0.1:{port}/200")
    assert not answers_ok(f"http://127.0.0.1:{port}/503")
    assert not answers_ok(f"http://127.0.0.1:{free_port()}/200")
