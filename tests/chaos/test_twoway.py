"""A small campaign against two-way sync; the full one is ``python -m tests.chaos.twoway``."""

from pathlib import Path

import pytest
from localrun.platform import Platform

from tests.chaos.twoway import ENVIRONMENT, campaigns

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]


async def test_platform_and_calendars_say_the_same_whatever_fails(tmp_path: Path, free_port_offset: int) -> None:
    with Platform.start(tmp_path, port_offset=free_port_offset, env_overrides=ENVIRONMENT) as platform:
        assert await campaigns(platform, operations=24, seed=7) == []
