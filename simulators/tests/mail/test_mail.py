"""The mail sink over sockets: what comes in by SMTP is shown, kept and refused as scripted."""

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
from simulators.common.serve import running
from simulators.mail.app import create_app

CALENDAR = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"


@dataclass(frozen=True)
class Sink:
    """A running sink: its HTTP client and its SMTP port."""

    http: httpx.Client
    smtp_port: int

    def send(self, *recipients: str, subject: str = "Invitación: reunión") -> dict[str, tuple[int, bytes]]:
        """Send one mail to all recipients; the refused ones and why."""
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=10) as client:
            return client.send_message(invitation(subject), "Host@Example.com", list(recipients))


@contextmanager
def sink_at(folder: Path) -> Iterator[Sink]:
    app = create_app(folder, smtp_host="127.0.0.1", smtp_port=0)
    with running(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        yield Sink(client, app.state.smtp_port)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with sink_at(tmp_path) as running_sink:
        yield running_sink


def invitation(subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Meetings <meetings@example.com>"
    message["To"] = "Jane Roe <jane@example.com>"
    message["Subject"] = subject
    message["Message-ID"] = "<m1@example.com>"
    message.set_content("Nos vemos, señora.")
    message.add_alternative('<p onclick="evil()">Nos vemos<script>evil()</script></p>', subtype="html")
    message.add_alternative(CALENDAR, subtype="calendar", params={"method": "REQUEST"})
    message.add_attachment(b"BEGIN", maintype="application", subtype="ics", filename="invite.ics")
    return message


def test_a_mail_is_shown_with_its_parts(sink: Sink) -> None:
    assert sink.send("Jane@Example.com", "bo@example.com") == {}
    [summary] = sink.http.get("/api/messages", params={"to": "jane@example.com"}).json()
    assert summary["subject"] == "Invitación: reunión"
    assert summary["messageId"] == "<m1@example.com>"
    assert summary["mailFrom"] == "Host@Example.com"
    assert summary["recipients"] == ["Jane@Example.com", "bo@example.com"]
    mail = sink.http.get(f"/api/messages/{summary['id']}").json()
    assert mail["text"].strip() == "Nos vemos, señora."
    assert "<script>" in mail["html"]
    assert mail["calendar"].splitlines() == CALENDAR.splitlines()
    assert mail["calendarMethod"] == "REQUEST"
    assert mail["attachments"] == [{"fileName": "invite.ics", "contentType": "application/ics", "size": 5}]
    assert {"name": "To", "value": "Jane Roe <jane@example.com>"} in mail["headers"]
    raw = sink.http.get(f"/api/messages/{summary['id']}/raw")
    assert raw.headers["content-type"].startswith("text/plain")
    assert b"Message-ID: <m1@example.com>" in raw.content


def test_the_list_is_newest_first_filtered_and_can_be_emptied(sink: Sink) -> None:
    sink.send("one@example.com", subject="first")
    sink.send("two@example.com", subject="second")
    assert [mail["subject"] for mail in sink.http.get("/api/messages").json()] == ["second", "first"]
    assert sink.http.delete("/api/messages", params={"to": "TWO@example.com"}).status_code == 204
    assert [mail["subject"] for mail in sink.http.get("/api/messages").json()] == ["first"]
    assert sink.http.delete("/api/messages").status_code == 204
    assert sink.http.get("/api/messages").json() == []
    assert sink.http.get("/api/messages/1").status_code == 404
    assert sink.http.get("/api/messages/1/raw").status_code == 404


def test_mails_survive_a_restart(tmp_path: Path) -> None:
    with sink_at(tmp_path) as before:
        before.send("jane@example.com", subject="kept")
    with sink_at(tmp_path) as after:
        assert [mail["subject"] for mail in after.http.get("/api/messages").json()] == ["kept"]
        after.send("jane@example.com", subject="newer")
        assert [mail["id"] for mail in after.http.get("/api/messages").json()] == [2, 1]


def test_the_pages_escape_and_lock_up_what_strangers_wrote(sink: Sink) -> None:
    sink.send("jane@example.com", subject="<b>bold</b>")
    inbox = sink.http.get("/")
    assert "&lt;b&gt;bold&lt;/b&gt;" in inbox.text
    assert "<b>bold" not in inbox.text
    page = sink.http.get("/messages/1")
    assert "&lt;b&gt;bold" in page.text
    assert "<script>" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    frame = sink.http.get("/messages/1/html")
    policy = frame.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert sink.http.get("/messages/2").status_code == 404


def test_only_the_page_itself_may_delete(sink: Sink) -> None:
    sink.send("jane@example.com")
    assert sink.http.post("/delete", headers={"Origin": "http://elsewhere.example"}).status_code == 403
    assert len(sink.http.get("/api/messages").json()) == 1
    assert sink.http.post("/delete", headers={"Origin": str(sink.http.base_url).rstrip("/")}).status_code == 303
    assert sink.http.get("/api/messages").json() == []


def test_one_recipient_can_be_refused_while_others_pass(sink: Sink) -> None:
    fault = {"kind": "recipient_refused", "account": "gone@example.com", "status": 550, "reason": "No such user"}
    sink.http.post("/_control/faults", json=fault).raise_for_status()
    assert sink.send("gone@example.com", "here@example.com") == {"gone@example.com": (550, b"No such user")}
    [kept] = sink.http.get("/api/messages").json()
    assert kept["recipients"] == ["here@example.com"]


def test_a_mail_can_be_refused_for_now(sink: Sink) -> None:
    sink.http.post("/_control/faults", json={"kind": "mail_refused", "status": 451, "times": 1}).raise_for_status()
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        sink.send("jane@example.com")
    assert refusal.value.smtp_code == 451
    assert sink.http.get("/api/messages").json() == []
    assert sink.send("jane@example.com") == {}


@pytest.mark.parametrize(("kind", "kept"), [("drop_before_commit", 0), ("drop_after_commit", 1)])
def test_the_connection_can_break_around_the_commit(sink: Sink, kind: str, kept: int) -> None:
    sink.http.post("/_control/faults", json={"kind": kind, "times": 1}).raise_for_status()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        sink.send("jane@example.com")
    assert len(sink.http.get("/api/messages").json()) == kept


def test_chance_is_seeded(sink: Sink) -> None:
    def outcomes() -> list[bool]:
        sink.http.delete("/_control/faults")
        sink.http.post("/_control/faults/seed", json={"seed": 7}).raise_for_status()
        fault = {"kind": "recipient_refused", "probability": 0.5, "status": 450}
        sink.http.post("/_control/faults", json=fault).raise_for_status()
        with smtplib.SMTP("127.0.0.1", sink.smtp_port, timeout=10) as client:
            client.ehlo()
            client.mail("host@example.com")
            return [client.rcpt(f"p{n}@example.com")[0] == 250 for n in range(20)]

    first = outcomes()
    assert len(set(first)) == 2
    assert outcomes() == first


def test_an_unknown_fault_is_refused(sink: Sink) -> None:
    assert sink.http.post("/_control/faults", json={"kind": "meteor"}).status_code == 400


def test_a_mail_that_is_no_mail_is_shown_all_the_same(sink: Sink) -> None:
    with smtplib.SMTP("127.0.0.1", sink.smtp_port, timeout=10) as client:
        client.sendmail("a@example.com", ["b@example.com"], b"Content-Type: text/html; charset=klingon\r\n\r\n\xff\xfe")
    [summary] = sink.http.get("/api/messages").json()
    assert summary["subject"] == ""
    assert sink.http.get(f"/api/messages/{summary['id']}").json()["html"] is not None
    assert sink.http.get(f"/messages/{summary['id']}").status_code == 200
