"""The platform as the benchmarks of requests run it: with a state of its own, without limits on mails."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from localrun.platform import Platform

from tests.support.crowd import NO_MAIL_LIMITS

_REACTING = ("invitations", "calendar-sync")


@contextmanager
def running_platform(*, kafka: Literal["tansu", "apache"], port_offset: int) -> Iterator[Platform]:
    """The whole platform, until left."""
    with (
        tempfile.TemporaryDirectory(prefix="meetings-bench-") as folder,
        Platform.start(
            Path(folder),
            port_offset=port_offset,
            kafka=kafka,
            env_overrides={"meeting-core": NO_MAIL_LIMITS},
            report=print,
        ) as platform,
    ):
        yield platform


def stop_reacting(platform: Platform) -> None:
    """Stop what works on after the answer, on the same cores: mails of one round would slow the next one."""
    for service in _REACTING:
        platform.processes[service].stop()
