"""Runs tests as if it were another day, in another zone.

    make clocks                                            the pure tests that time may matter to, under every clock
    make clocks ARGS="--only year-end tests/e2e -x"        any tests, under one of them

Every process of Python that a test starts has the same clock. A clock is set half a minute before the change that it
is about, so that the tests run before and after it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.clocks import shifted_clock

FOLDERS = ("libs/contracts", "libs/chassis", "services", "simulators", "tools/meetings-cli")
# About bytes, texts, sockets, logins and failures: no day or zone is in them, and they take most of the time.
TIMELESS = (
    "calendar calendars changes_rounds commands compatibility console converging description directory envelope faults "
    "filter_table guest_privacy hostile_notifications hostile_payloads hostile_requests html_text http kafka_settings "
    "limits login mail missing_events models oauth pages platform politeness push records schemas search smtp text "
    "truth webhooks"
)
# Of the others, what takes long because it is much.
LONG = "not fits_into and not in_any_order"


def pure_tests() -> list[str]:
    """What pytest is given: modules of tests that need no infrastructure and that time may matter to."""
    timeless = {f"test_{name}" for name in TIMELESS.split()}
    modules = [
        str(module)
        for folder in FOLDERS
        for module in sorted(Path(folder).rglob("test_*.py"))
        if module.stem not in timeless and "\npytestmark = pytest.mark.integration\n" not in module.read_text()
    ]
    return ["-m=not integration and not e2e and not browser and not chaos", f"-k={LONG}", *modules]


@dataclass(frozen=True)
class Clock:
    """An instant at which a run begins (ISO 8601 in UTC) and the local zone of its processes (IANA)."""

    name: str
    at: str
    zone: str

    def environment(self) -> dict[str, str]:
        shift = datetime.fromisoformat(self.at) - datetime.now(UTC)
        return {"TZ": self.zone} | shifted_clock(shift.total_seconds())


CLOCKS = [
    Clock("year-end", "2027-12-31T09:59:30Z", "Pacific/Kiritimati"),  # +14; the next year begins at 10:00Z
    Clock("new-year", "2027-01-01T10:59:30Z", "Pacific/Pago_Pago"),  # -11; the old year ends at 11:00Z
    Clock("leap-day", "2028-02-29T22:59:30Z", "Europe/Madrid"),  # ends at 23:00Z
    Clock("month-end", "2027-01-31T23:59:30Z", "UTC"),  # a month that is followed by a shorter one
    Clock("friday-night", "2027-07-16T18:14:30Z", "Asia/Kathmandu"),  # +05:45; Saturday begins at 18:15Z
    Clock("madrid-spring", "2027-03-28T00:59:30Z", "Europe/Madrid"),  # 02:00 to 03:00
    Clock("new-york-autumn", "2027-11-07T05:59:30Z", "America/New_York"),  # 02:00 to 01:00
    Clock("santiago-spring", "2027-09-05T03:59:30Z", "America/Santiago"),  # this day has no midnight
    Clock("santiago-autumn", "2027-04-04T02:59:30Z", "America/Santiago"),  # this day has two midnights
    Clock("lord-howe-spring", "2027-10-02T15:29:30Z", "Australia/Lord_Howe"),  # by half an hour
]


def command(arguments: Sequence[str]) -> list[str]:
    # pytest knows time_machine as a plugin and warns, since the shift has imported it before.
    early = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", early, *arguments]


def run(clock: Clock, log: Path) -> bool:
    """The pure tests under one clock; whether they passed. What pytest says goes to ``log``."""
    with log.open("w") as out:
        env = os.environ | clock.environment()
        done = subprocess.run(command(pure_tests()), env=env, stdout=out, stderr=out, check=False)
    last = (log.read_text().splitlines() or ["nothing was said"])[-1]
    print(f"{clock.name:18}{clock.at} {clock.zone:22}{last}", flush=True)
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make clocks", description="Run tests under other clocks.")
    parser.add_argument("--only", choices=[clock.name for clock in CLOCKS], help="under this clock alone")
    chosen, rest = parser.parse_known_args()
    if chosen.only is not None:
        (clock,) = (clock for clock in CLOCKS if clock.name == chosen.only)
        env = os.environ | clock.environment()
        return subprocess.run(command(rest or pure_tests()), env=env, check=False).returncode
    if rest:
        parser.error("other tests need one clock: --only")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        logs = [Path(folder) / clock.name for clock in CLOCKS]
        passed = list(pool.map(run, CLOCKS, logs))
        for log in [log for log, good in zip(logs, passed, strict=True) if not good]:
            print(f"\n--- {log.name}\n{log.read_text()}")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    raise SystemExit(main())
