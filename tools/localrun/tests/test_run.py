"""The whole platform as a person or a program starts it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from localrun.platform import Platform
from localrun.ports import Ports

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

Eventually = Callable[..., Any]
OFFSET = 2100  # away from a run at the default ports
PATIENCE = 240.0


def children(runner: int) -> list[int]:
    """The processes that a runner started and that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == runner and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@contextmanager
def running(state: Path, eventually: Eventually, offset: int = OFFSET) -> Iterator[tuple[int, dict[str, Any]]]:
    """`python -m localrun` in the background: its process id and its run.json."""
    environ = {"PATH": os.environ["PATH"], "STATE_DIR": str(state), "PORT_OFFSET": str(offset)}
    with (state.parent / "output").open("ab") as output:
        runner = subprocess.Popen([sys.executable, "-m", "localrun"], env=environ, stdout=output, stderr=output)
        try:
            run_json = state / "run.json"
            eventually(lambda: run_json.exists() or runner.poll() is not None, PATIENCE)
            assert runner.poll() is None, (state.parent / "output").read_text()
            yield runner.pid, json.loads(run_json.read_text())
            if runner.poll() is None:
                runner.terminate()
                assert runner.wait(60) == 0
        finally:
            runner.kill()
            runner.wait()


def headers(person: Mapping[str, str]) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {person['token']}",
        "x-tenant-uuid": person["tenantUuid"],
        "x-user-id": person["userId"],
        "x-user-email": person["email"],
        "x-user-type": person["userType"],
    }


def accepts_a_token_of_a_key_pair(client: httpx.Client, run: dict[str, Any]) -> bool:
    login = {"username": run["people"][0]["email"], "password": "demo", "algorithm": "ES256"}
    token = client.post(f"http://127.0.0.1:{Ports().platform + OFFSET}/api/auth/login", json=login).json()["token"]
    caller = headers(run["people"][0] | {"token": token})
    return client.get(f"{run['gateway']}/api/v1/meetings", headers=caller).status_code == 200


def check_first_request(state: Path) -> None:
    """The script that the greeting names does what README says."""
    script = state / "first-meeting.sh"
    assert script.stat().st_mode & 0o077 == 0
    ran = subprocess.run(["sh", str(script)], capture_output=True, text=True, check=True, timeout=60)
    meeting, status = ran.stdout.splitlines()
    assert status == "201", ran.stdout
    assert json.loads(meeting)["attendeeCount"] == 3


def check_greeting(printed: str, run: Mapping[str, Any]) -> None:
    """It fits a screen and begins with the console."""
    greeting = printed[printed.index("The platform is running.") :]
    assert greeting.splitlines()[2].strip() == run["console"]
    assert len(greeting.splitlines()) <= 24


def test_a_run_serves_stops_in_order_and_the_next_one_has_the_meetings(tmp_path: Path, eventually: Eventually) -> None:
    state = tmp_path / "state"
    meeting = {
        "title": "Review",
        "startDateTime": "2031-06-16T15:00:00",
        "endDateTime": "2031-06-16T15:45:00",
        "timezone": "America/Santiago",
        "locationType": "ONLINE",
    }
    with running(state, eventually) as (runner, run), httpx.Client(trust_env=False, timeout=30) as client:
        types = [(person["userType"], person["tenantUuid"]) for person in run["people"]]
        tenant = types[0][1]
        assert types[0] == types[1] == ("TENANT_STAFF", tenant)
        assert {("PARTNER_STAFF", tenant), ("CLIENT", tenant)} < set(types)
        assert any(kind == "TENANT_STAFF" and other != tenant for kind, other in types)
        for person in run["people"]:
            listed = client.get(f"{run['gateway']}/api/v1/meetings", headers=headers(person))
            assert listed.status_code == 200, listed.text
        assert accepts_a_token_of_a_key_pair(client, run)
        host = headers(run["people"][0])
        invited = meeting | {"contactIds": run["contacts"][:1], "staffIds": run["staff"][:1]}
        created = client.post(f"{run['gateway']}/api/v1/meetings", headers=host, json=invited)
        assert created.status_code == 201, created.text
        assert created.json()["attendeeCount"] == 2
        for part in ("mail", "google", "microsoft"):
            assert client.get(run[part]).status_code == 200
        check_greeting((state.parent / "output").read_text(), run)
        check_first_request(state)
        started = children(runner)
        assert len(started) == 12
    assert not (state / "run.json").exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)

    with running(state, eventually) as (runner, run), httpx.Client(trust_env=False, timeout=30) as client:
        kept = client.get(f"{run['gateway']}/api/v1/meetings", headers=headers(run["people"][0]))
        assert {each["title"] for each in kept.json()["content"]} == {"Quarterly portfolio review", "Review"}
        started = children(runner)
        os.kill(runner, signal.SIGKILL)
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started))


def test_a_service_that_dies_is_started_again(tmp_path: Path, eventually: Eventually) -> None:
    with Platform.start(tmp_path, port_offset=OFFSET) as platform:
        gateway = platform.processes["api-gateway"]
        before = gateway.pid
        gateway.kill(signal.SIGKILL)
        platform.restart_exited()
        assert gateway.running
        assert gateway.pid != before
        host = platform.addresses.people[0]
        answer = httpx.get(
            f"{platform.addresses.gateway}/api/v1/meetings", headers=host.headers, trust_env=False, timeout=30
        )
        assert answer.status_code == 200
