"""Both doors answer as they describe themselves, whatever is sent: schemathesis tries what the descriptions allow and
forbid. ``make hostile`` tries more of it, at length; HOSTILE_SEED=… repeats a run.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from docgen.openapi import FOLDER
from localrun.platform import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(0)]  # as long as the examples take; each request has its own limit

HERE = Path(__file__).parent
EXAMPLES = os.environ.get("HOSTILE_EXAMPLES", "4")
SEED = os.environ.get("HOSTILE_SEED", "20260615")


@pytest.mark.parametrize("service", ["api-gateway", "webhook-ingest"])
def test_a_door_answers_as_it_is_described(platform: Platform, service: str, tmp_path: Path) -> None:
    addresses = platform.addresses
    door = addresses.gateway
    assert door is not None
    caller = addresses.people[0]
    command = [
        Path(sys.executable).with_name("schemathesis"),
        "--no-color",
        f"--config-file={HERE / 'schemathesis.toml'}",
        "run",
        HERE.parents[1] / FOLDER / f"{service}.json",
        f"--url={door}",
        f"--max-examples={EXAMPLES}",
        f"--seed={SEED}",
    ]
    caller_is = {
        "HOSTILE_TENANT": caller.tenant_uuid,
        "HOSTILE_USER": caller.user_id,
        "HOSTILE_EMAIL": caller.email,
        "HOSTILE_TYPE": caller.user_type,
        "HOSTILE_TOKEN": caller.token,
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    tried = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env=os.environ | caller_is
    )
    assert tried.returncode == 0, f"HOSTILE_SEED={SEED}\n{tried.stdout}{tried.stderr}"
    print(tried.stdout[tried.stdout.rfind("SUMMARY") :])
