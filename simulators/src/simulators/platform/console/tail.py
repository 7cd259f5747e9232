"""The platform's topics as server-sent events: what happened after a request, as it happens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer

_WITH_BODY = "meetings.events"
"""The one public topic; of the others only the envelope is shown, because bodies may hold what a viewer may not see."""
_TOPICS = (
    "meetings.commands",
    _WITH_BODY,
    "invitations.events",
    "calendar.commands",
    "calendar.events",
    "gateway.replies",
)
_WAIT_MS = 10_000  # then a comment is sent, which shows that the connection still works
_ATTRIBUTES = {
    "ce_id": "id",
    "ce_type": "type",
    "ce_source": "source",
    "ce_subject": "subject",
    "ce_time": "time",
    "ce_sequence": "sequence",
    "ce_correlationid": "correlationId",
    "ce_causationid": "causationId",
}


async def tail(bootstrap_servers: str, tenant: str) -> AsyncIterator[str]:
    """Every record of this tenant from now on, as text of an event stream (WHATWG HTML, section 9.2), until closed."""
    consumer = AIOKafkaConsumer(
        *_TOPICS, bootstrap_servers=bootstrap_servers, auto_offset_reset="latest", fetch_max_wait_ms=100
    )
    async with consumer:
        for partition in consumer.assignment():
            await consumer.position(partition)  # settled now: resolved later, what comes meanwhile would be missed
        yield "event: ready\ndata: {}\n\n"
        while True:
            batches = await consumer.getmany(timeout_ms=_WAIT_MS)
            if not batches:
                yield ": nothing happened\n\n"
            for record in (record for records in batches.values() for record in records):
                headers = {name: value.decode(errors="replace") for name, value in record.headers}
                if headers.get("ce_tenant") == tenant:
                    yield f"event: record\ndata: {json.dumps(describe(record, headers))}\n\n"


def describe(record: Any, headers: dict[str, str]) -> dict[str, Any]:
    """What the page shows of a record: its place, its envelope and, on the public topic, its body."""
    described: dict[str, Any] = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    described |= {name: headers[header] for header, name in _ATTRIBUTES.items() if header in headers}
    if record.topic == _WITH_BODY and record.value:
        described["body"] = json.loads(record.value)
    return described
