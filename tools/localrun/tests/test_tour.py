"""`make tour` beside a run, and without one."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from localrun.platform import Platform


def take_tour(state_dir: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "STATE_DIR": str(state_dir)}
    return subprocess.run(
        [sys.executable, "-m", "localrun.tour"], env=env, capture_output=True, text=True, timeout=100, check=False
    )


def test_without_a_run_it_says_what_to_do(tmp_path: Path) -> None:
    done = take_tour(tmp_path)
    assert (done.returncode, "make run" in done.stdout) == (1, True)
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.e2e
@pytest.mark.timeout(120)
def test_a_meeting_travels_to_mail_and_calendar_and_back(platform: Platform) -> None:
    host = platform.addresses.people[0]
    disconnect = f"{platform.addresses.gateway}/api/v1/calendar/disconnect"
    httpx.post(disconnect, headers=host.headers, trust_env=False, timeout=30)  # whatever an earlier test connected
    done = take_tour(platform.state_dir)
    httpx.post(disconnect, headers=host.headers, trust_env=False, timeout=30).raise_for_status()
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [
        "creates a meeting",
        "→ meetings.commands",
        "→ meetings.events",
        "“Invitation: Quarterly portfolio review”",
        "Jane Roe ACCEPTED",
        f"“Quarterly portfolio review”, {platform.addresses.google}/accounts/",
        "16:00:00",
        "The new time reaches Jane's mailbox",
        platform.addresses.console,
    ]
    position = 0  # each step after the one before; records of earlier tests may come first
    for step in steps:
        position = done.stdout.find(step, position)
        assert position >= 0, f"{step!r} is missing or out of order in {done.stdout}"
