"""State survives a restart."""

import json
from pathlib import Path

import pytest
from simulators.common.serve import running
from simulators.google.app import create_app
from simulators.google.settings import Settings
from simulators.google.testing import Google, Receiver, eventually

HOST = "host@example.com"
EVENT = {"id": "abcdef", "start": {"date": "2026-07-01"}, "end": {"date": "2026-07-02"}}


def test_accounts_tokens_events_channels_and_the_clock_survive_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    settings = Settings(state_file=tmp_path / "deep" / "google.json")
    with running(create_app(settings)) as url, Google(url, settings) as google:
        google.control("POST", "clock", {"advanceSeconds": 86_400})
        credentials = google.connect(HOST)
        service = google.calendar(credentials)
        service.events().insert(calendarId="primary", body=EVENT).execute()
        token = service.events().list(calendarId="primary").execute()["nextSyncToken"]
        watching = {"id": "channel-1", "type": "web_hook", "address": receiver.url}
        service.events().watch(calendarId="primary", body=watching).execute()
        receiver.wait(1)
        before = google.control("GET", "clock")["now"]

    with running(create_app(settings)) as url, Google(url, settings) as google:
        assert google.control("GET", "clock")["now"] > before
        service = google.calendar(credentials)
        assert service.events().list(calendarId="primary", syncToken=token).execute()["items"] == []
        service.events().delete(calendarId="primary", eventId="abcdef").execute()
        assert receiver.wait(2)[1].number > 1
        (gone,) = service.events().list(calendarId="primary", syncToken=token).execute()["items"]
        assert (gone["id"], gone["status"]) == ("abcdef", "cancelled")


def test_changes_are_saved_while_it_runs(tmp_path: Path) -> None:
    settings = Settings(state_file=tmp_path / "google.json")
    with running(create_app(settings)) as url, Google(url, settings) as google:
        google.control("POST", "accounts", {"email": HOST})
        eventually(lambda: settings.state_file is not None and settings.state_file.exists())
        assert HOST in json.loads((tmp_path / "google.json").read_text())["accounts"]


def test_a_file_of_something_else_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "google.json"
    path.write_text('{"accounts": 7}')
    with pytest.raises(ValueError, match="accounts"):
        create_app(Settings(state_file=path))
    assert path.read_text() == '{"accounts": 7}'


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PORT", "9")
    monkeypatch.setenv("WEBHOOK_HOSTS", '["webhook-ingest"]')
    monkeypatch.setenv("GOOGLE_REDIRECT_URIS", '["https://app.example/cb"]')
    monkeypatch.setenv("GOOGLE_CLIENT_SECRET", "s3cret")
    settings = Settings()
    assert (settings.http_port, settings.google_client_secret) == (9, "s3cret")
    assert settings.webhook_hosts == {"webhook-ingest"}
    assert settings.google_redirect_uris == {"https://app.example/cb"}
