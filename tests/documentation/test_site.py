"""The documentation as a site: complete, searchable, and without links to nothing."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from docgen import site
from docgen.site import BrokenLinkError, asyncapi_page, write_site


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_site(folder)
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "-f",
        f"{folder}/mkdocs.yml",
        "-d",
        f"{folder}/html",
    ]
    done = subprocess.run(
        command, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr  # strict: a link to nothing, also to a heading, is an error
    return folder / "html"


def test_readme_is_the_first_page_and_its_links_lead_to_pages(built: Path) -> None:
    page = (built / "index.html").read_text()
    assert "make tour" in page
    for target in (
        "how-to/subscribe.html",
        "decisions/index.html",
        "generated/asyncapi/index.html",
        "contributing.html",
    ):
        assert f'href="{target}"' in page


def test_messages_and_descriptions_are_pages(built: Path) -> None:
    assert "meetings.meeting.created.v1" in (built / "generated/events.html").read_text()
    core = (built / "generated/asyncapi/meeting-core.html").read_text()
    assert "meetings.meeting.created.v1" in core
    assert (built / "generated/asyncapi/meeting-core.yaml").exists()
    assert "POST /api/v1/meetings" in (built / "generated/openapi/api-gateway.html").read_text()


def test_everything_can_be_searched(built: Path) -> None:
    index = json.loads((built / "search/search_index.json").read_text())
    found = {entry["location"].partition("#")[0] for entry in index["docs"] if "idempotency" in entry["text"].lower()}
    assert "how-to/call-the-api.html" in found


def test_pages_load_nothing_from_elsewhere(built: Path) -> None:
    for path in built.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|img|link rel="(?:stylesheet|icon|preconnect)")[^>]*(?:src|href)="(https?:[^"]*)"',
            path.read_text(),
        )
        assert loaded == [], path


def test_a_link_to_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("# Page\n\n[there](nothing.md)\n")
    monkeypatch.setattr(site, "ROOT", tmp_path)
    monkeypatch.setattr(site, "ELSEWHERE", {})
    monkeypatch.setattr(site, "SECTIONS", {})
    with pytest.raises(BrokenLinkError, match=r"docs/page\.md links to nothing\.md"):
        write_site(tmp_path / "site")


def test_links_in_code_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "# Page\n\n```\n[there](nothing.md)\n```\n\n[self](page.md#x) [web](https://example.com) [api](/docs)\n"
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text(text)
    monkeypatch.setattr(site, "ROOT", tmp_path)
    monkeypatch.setattr(site, "ELSEWHERE", {})
    monkeypatch.setattr(site, "SECTIONS", {})
    write_site(tmp_path / "site")
    assert (tmp_path / "site/docs/page.md").read_text() == text.replace("[api](/docs)", "api")


def test_a_service_is_described_by_what_it_reads_and_writes() -> None:
    described = {
        "info": {"title": "core", "description": "Owns."},
        "channels": {"a/b": {"description": "Things.", "messages": {"x.y-z.v1": {}}}},
        "operations": {"send.a/b": {"action": "send", "channel": {"$ref": "#/channels/a~1b"}}},
    }
    page = "\n".join(asyncapi_page(described, "core.yaml"))
    assert "Writes `a/b`. Things." in page
    assert "- [`x.y-z.v1`](../events.md#xy-zv1)" in page
