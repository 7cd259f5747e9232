"""What the person at the terminal sees when it cannot run: one paragraph, no traceback."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from localrun.ports import Ports
from localrun.state import lock_state_dir


def run(tmp_path: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "STATE_DIR": str(tmp_path / "state"), "COLUMNS": "80"} | environ
    return subprocess.run(
        [sys.executable, "-m", "localrun"], env=env, capture_output=True, text=True, timeout=50, check=False
    )


def assert_told(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    for word in words:
        assert word in done.stderr


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = run(tmp_path, GATEWAY_PORT=port)
    assert_told(done, f"Port {port} (gateway) is taken by pid {os.getpid()}", "GATEWAY_PORT", "PORT_OFFSET")


def test_an_unknown_kafka_is_told(tmp_path: Path) -> None:
    assert_told(run(tmp_path, KAFKA="rabbit"), "KAFKA must be tansu or apache, not 'rabbit'")


def test_a_run_that_is_up_already_is_told(tmp_path: Path) -> None:
    with lock_state_dir(tmp_path / "state", "gateway http://127.0.0.1:8080"):
        assert_told(run(tmp_path), "running already", f"pid {os.getpid()}, gateway http://127.0.0.1:8080")


def test_help_documents_every_port() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "localrun", "--help"], capture_output=True, text=True, timeout=50, check=True
    )
    for name, port in Ports().by_name().items():
        assert f"{name.upper()}_PORT" in done.stdout
        assert str(port) in done.stdout


@pytest.mark.integration
def test_without_java_apache_kafka_is_told(tmp_path: Path) -> None:
    done = run(tmp_path, KAFKA="apache", PATH="/nowhere", JAVA_HOME="", PORT_OFFSET="2300")
    assert_told(done, "There is no java on PATH", "apt-get install openjdk-17-jre-headless maven")
