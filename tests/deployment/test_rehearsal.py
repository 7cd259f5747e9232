"""The rehearsal's own rules, without an engine: what skips it, what fails it, what it reads and writes."""

import os
from pathlib import Path

import pytest

from tests.deployment.rehearsal import __main__ as rehearsal
from tests.deployment.rehearsal import page, stand_ins
from tests.deployment.rehearsal.errors import PreparationError, RehearsalError, preparing
from tests.deployment.rehearsal.report import Report
from tests.deployment.rehearsal.shell import run


def outcome(error: Exception | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> int:
    """The exit status of a rehearsal whose steps end so."""

    def rehearse(folder: Path, report: Report, *, quick: bool) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(rehearsal, "rehearse", rehearse)
    monkeypatch.setattr(rehearsal, "_require", lambda *, may_install: None)
    monkeypatch.setattr("sys.argv", ["make rehearsal", "--folder", str(tmp_path)])
    return rehearsal.main()


def test_it_passes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert outcome(None, monkeypatch, tmp_path) == 0


def test_it_fails_with_a_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(RehearsalError("the drive failed"), monkeypatch, tmp_path) == 1
    assert capsys.readouterr().err == "FAILED: the drive failed\n"


def test_where_nothing_can_be_prepared_it_is_skipped_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(PreparationError("no engine"), monkeypatch, tmp_path) == 0
    assert capsys.readouterr().out == "SKIPPED: the deployment was NOT rehearsed here: no engine\n"


def test_it_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(PreparationError, match="root"):
        rehearsal._require(may_install=True)


def test_it_installs_nothing_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda program: None if program == "dockerd" else program)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    with pytest.raises(PreparationError, match=r"packages docker\.io "):
        rehearsal._require(may_install=False)


def test_a_package_that_cannot_be_installed_is_a_failure_of_the_preparation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda program: None)
    monkeypatch.setenv("PATH", str(tmp_path))  # where no apt-get is
    with pytest.raises(PreparationError, match="apt-get"):
        rehearsal._require(may_install=True)


def test_a_failed_command_says_what_it_printed() -> None:
    with pytest.raises(RehearsalError, match="exit status 3\nno luck"):
        run(["sh", "-c", "echo no luck; exit 3"])
    with pytest.raises(PreparationError), preparing():
        run(["/no/such/program"])


@pytest.mark.parametrize("mark", ["make rehearsal: demonstration", "make rehearsal: tls", "make rehearsal-kubernetes"])
def test_the_page_has_commands_to_follow(mark: str) -> None:
    assert page.commands(mark)


def test_the_page_gets_the_table_and_keeps_the_rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before, _, rest = page.PAGE.read_text(encoding="utf-8").partition(page.BEGIN)
    copy = tmp_path / "deploy.md"
    copy.write_text(page.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(page, "PAGE", copy)
    report = Report()
    report.add_fact("2 cores")
    report.add("compose up", 12.34)
    report.add_meetings([0.5, 7.25])
    page.record(report.as_markdown())
    text = copy.read_text(encoding="utf-8")
    assert "| compose up | 12.3 | 0.5, 7.2 |\n" in text
    assert ": 2 cores.\n" in text
    assert text.startswith(before)
    assert text.endswith(rest.partition(page.END)[2])


def test_every_image_that_is_started_has_a_stand_in() -> None:
    for name, tag in stand_ins.images().items():
        dockerfile = (stand_ins.FILES / name / "Dockerfile").read_text(encoding="utf-8")
        assert dockerfile.count("FROM ") == 1
        assert tag.count(":") == 1
