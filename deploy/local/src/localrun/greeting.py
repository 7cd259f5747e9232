"""What a person reads when everything is up: where to look, and a first request to try."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from localrun.addresses import Addresses


def greeting(addresses: Addresses, state_dir: Path) -> str:
    """Addresses, a ready token and a first `curl`, as plain text to copy from."""
    places = {
        "Base URL": f"{addresses.gateway} (the API and the webhooks; its description is at /docs)",
        "Mails": addresses.mail,
        "Google calendars": addresses.google,
        "Outlook calendars": addresses.microsoft,
        "Kafka": addresses.kafka,
        "MongoDB": addresses.mongodb,
        "Logs": f"{state_dir}/logs",
        "For programs": f"{state_dir}/run.json",
    }
    lines = ["", "The platform is running.", ""]
    lines += [f"  {name:<18} {place}" for name, place in places.items()]
    lines += ["", *_first_request(addresses), "", "Ctrl-C stops everything; meetings are kept for the next run.", ""]
    return "\n".join(lines)


def _first_request(addresses: Addresses) -> list[str]:
    host = addresses.people[0]
    day = datetime.now(UTC).date() + timedelta(days=7)
    meeting = {
        "title": "Quarterly portfolio review",
        "startDateTime": f"{day}T15:00:00",
        "endDateTime": f"{day}T15:45:00",
        "timezone": "America/Santiago",
        "locationType": "ONLINE",
        "meetingLink": "https://meet.google.com/abc-defg-hij",
        "contactIds": addresses.contacts[:1],
        "staffIds": addresses.staff[:1],
        "externalAttendees": [{"name": "Jane Roe", "email": "jane.roe@example.com", "language": "ENGLISH"}],
    }
    headers = host.headers | {"Authorization": "Bearer $TOKEN", "Content-Type": "application/json"}
    return [
        f"A first meeting, as {host.name} ({host.user_type}); the invitations arrive at {addresses.mail}",
        "",
        f"export TOKEN={host.token}",
        "",
        f"curl -sS -w '\\n%{{http_code}}\\n' {addresses.gateway}/api/v1/meetings \\",
        *(f'  -H "{name}: {value}" \\' for name, value in headers.items()),
        f"  -d '{json.dumps(meeting)}'",
    ]
