"""What a person reads when everything is up: where to look and what to try."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from localrun.addresses import Addresses

FIRST_MEETING = "first-meeting.sh"
"""A script beside run.json that sends a first request; a file, because a token fills half a screen."""


def greeting(addresses: Addresses, state_dir: Path) -> str:
    """Where to look and what to try, on one screen (24 lines of 80 characters)."""
    places = {
        "API": f"{addresses.gateway}, its reference at /docs",
        "Mails": addresses.mail,
        "Google": addresses.google,
        "Outlook": addresses.microsoft,
        "Kafka": addresses.kafka,
        "MongoDB": addresses.mongodb,
        "Logs": f"{state_dir}/logs",
        "Programs": f"{state_dir}/run.json has all addresses, people and tokens",
    }
    return "\n".join(
        [
            "",
            "The platform is running. Open the console and log in as anybody:",
            "",
            f"  {addresses.console}",
            "",
            *(f"  {name:<10}{place}" for name, place in places.items()),
            "",
            "In another terminal:",
            "",
            "  make tour   a meeting travels through Kafka to mail and calendar and back",
            f"  sh {state_dir}/{FIRST_MEETING}   a first request, with curl",
            "",
            "Ctrl-C stops everything; meetings are kept for the next run.",
            "",
        ]
    )


def first_meeting(addresses: Addresses) -> str:
    """A shell script that creates a meeting with `curl` and prints the answer and its status."""
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
    lines = [
        f"# A first meeting, as {host.name} ({host.user_type}); the invitations arrive at {addresses.mail}",
        f"TOKEN={host.token}",
        f"curl -sS -w '\\n%{{http_code}}\\n' {addresses.gateway}/api/v1/meetings \\",
        *(f'  -H "{name}: {value}" \\' for name, value in headers.items()),
        f"  -d '{json.dumps(meeting)}'",
    ]
    return "\n".join(lines) + "\n"
