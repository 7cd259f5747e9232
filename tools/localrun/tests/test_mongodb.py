"""Our own mongod: a replica set of one that survives restarts, a move, and says what it lacks."""

from collections.abc import Callable
from pathlib import Path

import pytest
from localrun import mongodb
from localrun.mongodb import mongod, running_mongod
from localrun.ports import free_port
from localrun.problem import LocalRunError
from pymongo import MongoClient
from pymongo.errors import OperationFailure


def add_one(uri: str) -> int:
    """Insert in a transaction, which only a replica set allows; how many there are now."""
    with MongoClient[dict[str, object]](uri) as client:
        things = client.test.things
        with client.start_session() as session, session.start_transaction():
            things.insert_one({}, session=session)
        return things.count_documents({})


@pytest.mark.integration
def test_data_survives_a_restart_and_a_move_to_another_port(tmp_path: Path) -> None:
    with running_mongod(tmp_path) as first:
        assert add_one(first) == 1
    with running_mongod(tmp_path) as second:
        assert second != first
        assert add_one(second) == 2


@pytest.mark.integration
def test_a_killed_mongod_comes_back_as_primary(tmp_path: Path) -> None:
    port = free_port()
    process = mongod(tmp_path, port, log=tmp_path / "mongod.log")
    process.start()
    try:
        process.wait_ready()
        assert add_one(mongodb.uri(port)) == 1
        process.kill()
        process.restart()
        assert add_one(mongodb.uri(port)) == 2
    finally:
        process.stop()


@pytest.mark.integration
@pytest.mark.parametrize("allowed", [True, False])
def test_only_with_test_commands_it_can_be_made_to_fail(tmp_path: Path, allowed: bool) -> None:
    port = free_port()
    process = mongod(tmp_path, port, log=tmp_path / "mongod.log", test_commands=allowed)
    process.start()
    try:
        process.wait_ready()
        with MongoClient[dict[str, object]](mongodb.uri(port)) as client:
            fail = {"mode": "alwaysOn", "data": {"failCommands": ["insert"], "errorCode": 14031, "appName": "unlucky"}}
            if not allowed:
                with pytest.raises(OperationFailure, match="no such command"):
                    client.admin.command("configureFailPoint", "failCommand", **fail)
                return
            client.admin.command("configureFailPoint", "failCommand", **fail)
        assert add_one(mongodb.uri(port)) == 1
        with pytest.raises(OperationFailure) as failure:
            add_one(f"{mongodb.uri(port)}&appName=unlucky")
        assert failure.value.code == 14031
    finally:
        process.stop()


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is first on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


LDD_MISSING = """cat <<'END'
  libssl.so.3 => not found
  libcurl.so.4 => not found
  libc.so.6 => /lib/libc.so.6 (0x00007f)
END"""
LDD_OLD = """echo "mongod: libc.so.6: version \\`GLIBC_2.34' not found (required by mongod)" >&2"""
LDD_FINE = """echo "  libc.so.6 => /lib/libc.so.6 (0x00007f)\""""


@pytest.mark.parametrize(
    ("ldd", "message"),
    [
        (LDD_MISSING, r"lacks libssl\.so\.3, libcurl\.so\.4\. .*apt-get install libcurl4 libssl3\. Or set MONGODB_URI"),
        (LDD_OLD, r"newer system \(GLIBC_2\.34\)"),
        (LDD_FINE, r"(?s)ended with status 127.*it will not"),
    ],
    ids=["missing libraries", "old system", "another reason"],
)
def test_a_mongod_that_cannot_start_says_what_to_install(bin_dir: Path, tmp_path: Path, ldd: str, message: str) -> None:
    program(bin_dir / "mongod", "echo it will not; exit 127")
    program(bin_dir / "ldd", ldd)
    with pytest.raises(LocalRunError, match=message), running_mongod(tmp_path / "data"):
        pytest.fail("it runs")


def test_a_mongod_on_path_wins_over_the_wheel(bin_dir: Path) -> None:
    on_path = program(bin_dir / "mongod", "exit 0")
    assert mongodb._binary() == str(on_path)


def test_no_mongod_at_all_is_told_with_the_way_out(bin_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing: Callable[[str], None] = lambda name: None  # noqa: E731
    monkeypatch.setattr(mongodb, "find_spec", nothing)
    with pytest.raises(LocalRunError, match=r"no MongoDB here.*MONGODB_URI"):
        mongodb._binary()
