"""What the tests of the command line share: settings for the real broker and the real database, and a command's run."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from meetings_cli.main import main
from meetings_cli.settings import Settings
from pydantic import SecretStr


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No local run and nothing in the environment: the folder in which a local run would keep its state."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def settings(nowhere: Path, kafka_bootstrap: str, mongodb_uri: str) -> Settings:
    return Settings(
        kafka_bootstrap_servers=kafka_bootstrap, mongodb_uri=mongodb_uri, internal_token=SecretStr("internal")
    )


@dataclass(frozen=True)
class Ran:
    """What a command printed on standard output and, in one line, on standard error; its exit status."""

    out: str
    err: str
    status: int


Meetings = Callable[..., Ran]


@pytest.fixture
def meetings(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Meetings:
    """Runs the command as the shell would."""

    def run(*words: str) -> Ran:
        monkeypatch.setattr("sys.argv", ["meetings", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        ran = Ran(said.out, re.sub(r"\s+", " ", said.err), int(ended.value.code or 0))
        assert "Traceback" not in ran.err
        return ran

    return run
