"""A rehearsal of the deployment: images built, the compose file brought up, used, hurt, scaled and taken down.

There is no image registry in it: base images are stand-ins of Debian packages, tagged as the project's files ask
(`stand-ins/`). What this shows is that our files, images and services work together; it shows nothing of the real base
images, of MongoDB 8 (the stand-in is 6.0.5), or of a network of several machines.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.deployment.rehearsal import page
from tests.deployment.rehearsal.errors import PreparationError, RehearsalError, preparing
from tests.deployment.rehearsal.report import Report
from tests.deployment.rehearsal.shell import run
from tests.deployment.rehearsal.steps import rehearse

_PACKAGES = {
    "dockerd": "docker.io", "iptables": "iptables", "ip": "iproute2", "nsenter": "util-linux",
    "debootstrap": "debootstrap", "docker-compose": "docker-compose", "chromium": "chromium", "curl": "curl",
    "java": "openjdk-17-jre-headless", "mvn": "maven",
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="make rehearsal", description=__doc__)
    parser.add_argument("--yes", action="store_true", help="install missing Debian packages without asking")
    parser.add_argument("--folder", type=Path, help="keep images and logs here for the next rehearsal")
    parser.add_argument("--quick", action="store_true", help="kill few containers, and leave the cluster out")
    parser.add_argument("--record", action="store_true", help=f"put the times into {page.PAGE.name}")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the engine is ended in any case
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="meetings-rehearsal-"))).resolve()
    report = Report()
    try:
        _require(may_install=options.yes)
        folder.mkdir(parents=True, exist_ok=True)
        rehearse(folder, report, quick=options.quick)
    except PreparationError as error:
        print(f"SKIPPED: the deployment was NOT rehearsed here: {error}")
        return 0
    except RehearsalError as error:
        report.show()
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    finally:
        if options.folder is None:
            shutil.rmtree(folder)
    report.show()
    if options.record:
        page.record(report.as_markdown())
    return 0


def _require(*, may_install: bool) -> None:
    """What a rehearsal needs of this machine. Missing packages are installed, if that is wanted.

    Raises:
        PreparationError: it cannot go on.
    """
    if os.getuid() != 0:
        raise PreparationError("it needs root")
    if os.uname().machine != "x86_64":
        raise PreparationError("its stand-ins are for x86_64")
    missing = [package for program, package in _PACKAGES.items() if shutil.which(program) is None]
    if not missing:
        return
    if not may_install and sys.stdin.isatty():
        may_install = input(f"Install {', '.join(missing)} with apt-get? [y/N] ").strip().lower() == "y"
    if not may_install:
        raise PreparationError(f"it needs the packages {' '.join(missing)} (--yes installs them)")
    with preparing():
        run(["apt-get", "update", "-qq"], timeout=600)
        command = ["apt-get", "install", "--yes", "-qq", "--no-install-recommends", *missing]
        # Run level 1: packages start no services.
        run(command, timeout=1800, env={"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"})


if __name__ == "__main__":
    sys.exit(main())
