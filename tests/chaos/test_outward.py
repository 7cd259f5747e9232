"""A small campaign against outward sync; the full one is ``python -m tests.chaos.outward``."""

from pathlib import Path

import pytest
from localrun.platform import Platform

from tests.chaos.outward import ENVIRONMENT, campaigns

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


async def test_calendars_equal_the_platform_whatever_fails(tmp_path: Path, free_port_offset: int) -> None:
    with Platform.start(tmp_path, port_offset=free_port_offset, env_overrides=ENVIRONMENT) as platform:
        problems = await campaigns(platform, operations=25, seed=7)
    assert problems == {"google": [], "outlook": []}
