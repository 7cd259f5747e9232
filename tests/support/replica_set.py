"""Three MongoDB members that tests may stop from replicating, and kill."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from localrun.mongodb import REPLICA_SET, Mongod, member
from localrun.ports import free_port
from pymongo import MongoClient
from pymongo.errors import PyMongoError

_ELECTION_MILLIS = 2_000


class ReplicaSet:
    """Three members, each with a vote and with test commands."""

    def __init__(self, members: dict[int, Mongod]) -> None:
        """``members`` by their ports."""
        self._members = members

    @property
    def processes(self) -> dict[str, Mongod]:
        """By name."""
        return {process.name: process for process in self._members.values()}

    @property
    def primary(self) -> Mongod:
        """There is one, unless an election is going on."""
        return self._members[self._primary()]

    @property
    def uri(self) -> str:
        return f"mongodb://{','.join(map(_address, self._members))}/?replicaSet={REPLICA_SET}"

    @classmethod
    @contextlib.contextmanager
    def running(cls, folder: Path) -> Iterator["ReplicaSet"]:
        """Started, with a primary; stopped at the end."""
        ports = [free_port() for _ in range(3)]
        processes = {
            port: member(f"mongod-{number}", folder / str(number), port, log=folder / f"{number}.log")
            for number, port in enumerate(ports)
        }
        try:
            for process in processes.values():
                process.start()
            for process in processes.values():
                process.wait_ready()
            members = cls(processes)
            members._initiate()
            yield members
        finally:
            for process in processes.values():
                process.kill()

    def stop_replication(self) -> None:
        """From now on the secondaries take nothing from the primary; they go on voting."""
        for port in self._secondaries():
            _command(port, "configureFailPoint", "stopReplProducer", mode="alwaysOn")

    def resume_replication(self) -> None:
        """The members that run replicate again."""
        for port in self._running():
            _command(port, "configureFailPoint", "stopReplProducer", mode="off")

    def kill_primary(self) -> None:
        """Kill it, and wait until another member has taken its place."""
        self.primary.kill()
        _until(lambda: self._find_primary() is not None, "another primary")

    def _initiate(self) -> None:
        members = [{"_id": number, "host": _address(port)} for number, port in enumerate(self._members)]
        config = {"_id": REPLICA_SET, "members": members, "settings": {"electionTimeoutMillis": _ELECTION_MILLIS}}
        _command(next(iter(self._members)), "replSetInitiate", config)
        _until(lambda: len(self._secondaries()) == 2, "two secondaries")

    def _running(self) -> list[int]:
        return [port for port, process in self._members.items() if process.running]

    def _secondaries(self) -> list[int]:
        return [port for port in self._running() if _hello(port).get("secondary")] if self._find_primary() else []

    def _find_primary(self) -> int | None:
        return next((port for port in self._running() if _hello(port).get("isWritablePrimary")), None)

    def _primary(self) -> int:
        primary = self._find_primary()
        assert primary is not None
        return primary


def _address(port: int) -> str:
    return f"127.0.0.1:{port}"


def _hello(port: int) -> dict[str, Any]:
    try:
        return _command(port, "hello")
    except PyMongoError:
        return {}


def _command(port: int, command: str, value: Any = 1, **more: Any) -> dict[str, Any]:
    with MongoClient[dict[str, Any]](f"mongodb://{_address(port)}/?directConnection=true", timeoutMS=5_000) as client:
        return client.admin.command(command, value, **more)


def _until(condition: Callable[[], bool], what: str, within: float = 60) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within:.0f} s: {what}"
        time.sleep(0.05)
