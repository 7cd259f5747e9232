"""A small failure campaign; the full one is ``make chaos``."""

from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.campaign import campaign
from tests.chaos.faults import Spell, draw, full, small
from tests.chaos.grounds import grounds

_SEED = 3273


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_whatever_is_killed_or_paused_every_promise_is_kept(
    pytestconfig: pytest.Config, tmp_path: Path, free_port_offset: int
) -> None:
    kafka: Any = pytestconfig.getoption("kafka")
    with grounds(tmp_path, kafka=kafka, port_offset=free_port_offset) as ground:
        async with campaign(ground, seed=_SEED, clients=4) as running:
            await running.rage(islice(draw(_SEED, small(), longest=6.0), 3))
            assert await running.problems() == []
            assert {one.fault.kind for one in running.tormentor.inflicted} >= {"kill", "pause"}
            assert running.counts["mails"] > 0


def test_a_seed_draws_the_same_faults_again() -> None:
    def drawn(seed: int) -> list[Spell]:
        return list(islice(draw(seed, full("apache")), 100))

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_faults_overlap_only_where_a_cluster_could_bear_it() -> None:
    for spell in islice(draw(7, full("apache")), 1000):
        if spell.second is not None:
            touched = f"{spell.first.target} and {spell.second.target}"
            assert spell.first.target != spell.second.target
            assert not ("kafka" in touched and "mongodb" in touched)
