"""The images, judged without Docker: the build's steps carried out in a folder, what they hold, as whom they run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import requires
from pathlib import Path

import pytest
from docgen.services import SERVICES
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.deployment import ROOT

DOCKERFILE = (ROOT / "deploy/docker/Dockerfile").read_text(encoding="utf-8")
STAGES = dict(re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.DOTALL | re.MULTILINE))
PRODUCTION = [
    "libs/contracts",
    "libs/chassis",
    *(f"services/{service.name}" for service in SERVICES),
    "tools/meetings-cli",
]
DEMO = [*PRODUCTION, "simulators"]


def steps(stage: str) -> Iterator[tuple[str, str]]:
    """The instructions of a stage: (COPY, "libs libs") and so on."""
    for line in re.sub(r"\\\n\s*", "", STAGES[stage]).splitlines():
        if line and not line.startswith("#"):
            instruction, _, rest = line.partition(" ")
            yield instruction, rest


def build(root: Path) -> Path:
    """Carry out the build stages with ``root`` for the container's root folder. Returns the virtual environment."""
    tools = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{tools}:{sys.base_prefix}/bin:{os.defpath}"}
    app = root / "app"
    app.mkdir()
    for instruction, rest in (*steps("build"), *steps("build-demo")):
        match instruction, rest.replace("/app", str(app)):
            case "WORKDIR", folder:
                assert Path(folder) == app
            case "ENV", assignments:
                environment |= dict(part.split("=", 1) for part in shlex.split(assignments))
            case "COPY", what:
                *sources, target = (Path(part) for part in what.split())
                for source in sources:
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


def lock(name: str) -> str:
    return (ROOT / f"deploy/docker/{name}.lock").read_text(encoding="utf-8")


def pinned(text: str) -> dict[str, str]:
    """The versions in a lock that this platform installs, by package."""
    found: dict[str, str] = {}
    for line in re.findall(r"^[\w.-]+==.*$", text, re.MULTILINE):
        requirement = Requirement(line.removesuffix("\\").strip())
        if requirement.marker is None or requirement.marker.evaluate():
            found[canonicalize_name(requirement.name)] = str(requirement.specifier)
    return found


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


@pytest.mark.timeout(300)
def test_the_images_can_be_built_and_have_every_program(tmp_path: Path) -> None:
    environment = build(tmp_path)
    services = [f"{service.name.replace('-', '_')}.main" for service in SERVICES]
    simulators = [f"simulators.{name}.app" for name in ("platform", "mail", "google", "microsoft")]
    programs = ", ".join([*services, *simulators, "chassis.provision", "meetings_cli.main"])
    command = [environment / "bin/python", "-I", "-c", f"import {programs}"]
    imported = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, timeout=50)
    assert imported.returncode == 0, imported.stderr
    documents = environment.glob("lib/python*/site-packages/googleapiclient/discovery_cache/documents/*")
    assert [document.name for document in documents] == ["calendar.v3.json"]


@pytest.mark.parametrize(("name", "members"), [("production", PRODUCTION), ("demo", DEMO)])
def test_an_image_has_what_its_packages_need_and_nothing_else(name: str, members: list[str]) -> None:
    own = {
        tomllib.loads((ROOT / member / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
        for member in members
    }
    assert pinned(lock(name)).keys() == needed_by(sorted(own)) - own
    everything = pinned((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    assert pinned(lock(name)).items() <= everything.items()  # tested as deployed


def test_the_production_image_has_no_simulator() -> None:
    assert "simulators" not in STAGES["build"]
    assert "COPY --from=build /app/.venv /app/.venv" in STAGES["production"]
    assert "build-demo" not in STAGES["production"] + STAGES["base"]
    assert list(STAGES)[-1] == "production"  # what `docker build` makes when no target is named


@pytest.mark.parametrize("name", ["production", "demo"])
def test_what_an_image_installs_is_locked_by_hashes(name: str) -> None:
    assert f"uv pip install --require-hashes --no-deps -r {name}.lock" in DOCKERFILE
    assert "--build-constraints requirements.lock --require-hashes" in DOCKERFILE
    lines = re.findall(r"^[\w.-]+==.*(?:\n    .*)*", lock(name), re.MULTILINE)
    assert len(lines) > 50
    assert [line.partition("=")[0] for line in lines if "--hash=sha256:" not in line] == []


def test_an_image_runs_as_an_unprivileged_user() -> None:
    users = {stage: re.findall(r"^USER (\d+)$", text, re.MULTILINE) for stage, text in STAGES.items()}
    user = users["base"][-1]
    assert int(user) > 0
    assert f"--uid {user} " in STAGES["base"]
    assert users["production"] == []
    assert users["demo"][-1] == user


def test_a_container_listens_to_others() -> None:
    assert re.search(r"^ENV .*\bHTTP_HOST=0\.0\.0\.0\b", STAGES["base"], re.MULTILINE)


@pytest.mark.parametrize(("status", "expected"), [(200, 0), (503, 1)])
def test_a_container_is_healthy_when_its_service_says_so(status: int, expected: int) -> None:
    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    def exit_status() -> int:
        check = [sys.executable, "-I", "-S", ROOT / "deploy/docker/healthy.py", "/readyz"]
        return subprocess.run(check, env=env, check=False, timeout=30, stderr=subprocess.DEVNULL).returncode

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        env = {"HTTP_PORT": str(server.server_port)}
        assert exit_status() == expected
        server.shutdown()
    assert exit_status() == 1
