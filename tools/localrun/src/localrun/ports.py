"""Which port each part listens at, and who is in the way."""

from __future__ import annotations

import random
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

from localrun.problem import LocalRunError

_LISTEN = "0A"
"""TCP state of a listening socket in /proc/net/tcp (proc(5))."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The TCP ports of one run, all on 127.0.0.1. Each is a setting: the field's name in capitals with `_PORT`."""

    gateway: int = 8080
    """Of the edge: the one base URL."""
    api_gateway: int = 8090
    webhook_ingest: int = 8081
    meeting_core: int = 8091
    invitations: int = 8092
    calendar_sync: int = 8093
    platform: int = 8070
    mail: int = 8025
    mail_smtp: int = 1025
    replies_smtp: int = 1026
    """Where the mail sink hands guests' replies to invitations."""
    google: int = 8071
    microsoft: int = 8072
    kafka: int = 19092
    mongodb: int = 27027

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], offset: int | None = None) -> Ports:
        """The defaults shifted by `offset` (default: PORT_OFFSET, else 0), except those that `environ` names.

        Raises `LocalRunError` for a value that is no port, and when two parts would get the same one.
        """
        shift = _number(environ, "PORT_OFFSET", 0) if offset is None else offset
        defaults = cls().by_name()
        chosen = cls(**{name: _number(environ, variable(name), port + shift) for name, port in defaults.items()})
        owners: dict[int, str] = {}
        for name, port in chosen.by_name().items():
            if not 0 < port < 65536:
                raise LocalRunError(f"{variable(name)} would be {port}, which is no TCP port (1 to 65535).")
            if port in owners:
                raise LocalRunError(
                    f"{variable(owners[port])} and {variable(name)} are both {port}. "
                    "Give one of them another value (a PORT_OFFSET of 100 or more keeps the defaults apart)."
                )
            owners[port] = name
        return chosen

    def by_name(self) -> dict[str, int]:
        """ServiceSpec name to port, in the order of declaration."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def variable(name: str) -> str:
    """The environment variable that sets the port of a part."""
    return f"{name.upper()}_PORT"


def require_free(ports: Mapping[str, int]) -> None:
    """Raise `LocalRunError` naming every taken port, what holds it, and the variable that moves the part elsewhere."""
    taken = [
        f"Port {port} ({name.replace('_', '-')}) is taken by {holder(port) or 'another process'}. "
        f"Stop that, or choose another port with {variable(name)}."
        for name, port in ports.items()
        if not _is_free(port)
    ]
    if taken:
        taken.append("PORT_OFFSET=1000 shifts all ports at once, for example: PORT_OFFSET=1000 make run")
        raise LocalRunError("\n".join(taken))


_GIVEN: set[int] = set()


def free_port() -> int:
    """A port that is free now, below the range that the kernel hands to outgoing connections, which could take it.

    No process is given the same one twice: who was given it first may not listen yet.
    """
    while True:
        port = random.randint(20_000, 32_000)  # noqa: S311 (no secret)
        if port not in _GIVEN and _is_free(port):
            _GIVEN.add(port)
            return port


def holder(port: int) -> str | None:
    """The process that listens at a local TCP port, as `pid 12 (command line)`; None when it cannot be read."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in _read(Path(table)).splitlines()[1:]:
            columns = line.split()
            if columns[3] == _LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{columns[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        if inodes & _open_files(process):
            command = _read(process / "cmdline").replace("\0", " ").strip()
            return f"pid {process.name} ({command[:80]})"
    return None


def _open_files(process: Path) -> set[str]:
    """What a process has open, as far as this user may know; files come and go while this reads."""
    found = set()
    with suppress(OSError):
        for link in (process / "fd").iterdir():
            with suppress(OSError):
                found.add(str(link.readlink()))
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger after a stop do not count
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise LocalRunError(f"Port {port} may not be used by this user; choose one above 1023.") from None
        except OSError:
            return False
    return True


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "")
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise LocalRunError(f"{name} must be a whole number, not {text!r}.") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
