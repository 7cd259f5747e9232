"""A small failure campaign; the full one is ``make chaos``."""

from pathlib import Path

import pytest

from tests.chaos.campaign import campaign
from tests.chaos.faults import draw, full, small
from tests.chaos.grounds import grounds

_SEED, _SECONDS = 4, 20.0


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_whatever_is_killed_or_paused_every_promise_is_kept(tmp_path: Path, free_port_offset: int) -> None:
    faults = draw(_SEED, _SECONDS, small(), longest=6.0)
    assert len(faults) >= 2
    with grounds(tmp_path, kafka="tansu", port_offset=free_port_offset) as ground:
        async with campaign(ground, seed=_SEED, clients=4) as running:
            await running.rage(faults, _SECONDS)
            assert await running.problems() == []
            assert {one.fault for one in running.tormentor.inflicted} == set(faults)
            assert running.counts["mails"] > 0


def test_a_seed_draws_the_same_faults_again() -> None:
    assert draw(7, 600, full("apache")) == draw(7, 600, full("apache"))
    assert draw(7, 600, full("apache")) != draw(8, 600, full("apache"))
