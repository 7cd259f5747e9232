"""What clients were told, and whether the platform kept its word."""

import contextlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from contracts.envelope import Envelope, EnvelopeError
from contracts.topics import MEETING_EVENTS


@dataclass
class Told:
    """One meeting as its creator knows it: what was acknowledged, and what was sent without a clear answer."""

    title: str
    meeting_uuid: str | None = None
    acknowledged_version: int = 0
    acknowledged_titles: list[str] = field(default_factory=list)
    open_titles: set[str] = field(default_factory=set)
    """Titles of requests that ended in 202, 503 or no answer: they may or may not have taken effect."""


@dataclass(frozen=True)
class Event:
    sequence: int
    id: str
    type: str


async def read_events(bootstrap: str) -> dict[str, list[Event]]:
    """Every event on the public topic, per meeting, in the order in which a consumer sees them."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=20)
    events: dict[str, list[Event]] = defaultdict(list)
    async with consumer:
        partitions = [TopicPartition(MEETING_EVENTS.name, number) for number in range(MEETING_EVENTS.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            await consumer.seek_to_beginning(partition)
        while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    with contextlib.suppress(EnvelopeError):  # other tests put garbage on this topic
                        envelope = Envelope.from_headers(record.headers)
                        events[envelope.subject].append(Event(envelope.sequence or 0, envelope.id, envelope.type))
    return events


def broken_promises(
    history: list[Told], meetings: dict[str, dict[str, Any]], versions: dict[str, int], events: dict[str, list[Event]]
) -> list[str]:
    """Everything that contradicts what clients were told; empty when every promise was kept.

    ``meetings`` and ``versions``: what the API answers now, by id. ``events``: what consumers saw.
    """
    problems = []
    by_title: dict[str, list[str]] = defaultdict(list)
    for uuid, meeting in meetings.items():
        by_title[meeting["description"]].append(uuid)
    for told in history:
        found = by_title.get(told.title, [])
        if len(found) > 1:
            problems.append(f"{told.title}: exists {len(found)} times")
        if told.meeting_uuid is None:
            continue
        if told.meeting_uuid not in found:
            problems.append(f"{told.title}: acknowledged as {told.meeting_uuid}, but not there")
            continue
        if versions[told.meeting_uuid] < told.acknowledged_version:
            problems.append(f"{told.title}: version {told.acknowledged_version} was acknowledged and is lost")
        possible = {*told.acknowledged_titles[-1:], *told.open_titles}
        if possible and meetings[told.meeting_uuid]["title"] not in possible:
            problems.append(f"{told.title}: has a title that was neither the last acknowledged one nor under way")
    for uuid, version in versions.items():
        problems += _broken_events(uuid, version, events.get(uuid, []))
    return problems


def _broken_events(uuid: str, version: int, seen: list[Event]) -> list[str]:
    first_seen = list(dict.fromkeys(event.sequence for event in seen))
    problems = []
    if first_seen != list(range(1, version + 1)):
        problems.append(f"{uuid}: version {version}, but its events came as {first_seen}")
    ids = defaultdict(set)
    for event in seen:
        ids[event.sequence].add(event.id)
    problems += [f"{uuid}: sequence {number} told by {len(of)} events" for number, of in ids.items() if len(of) > 1]
    return problems


async def read_meetings(http: httpx.AsyncClient, uuids: list[str]) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """What the API answers for these meetings, with their versions; a meeting that is not there is left out."""
    meetings, versions = {}, {}
    for uuid in uuids:
        answer = await http.get(f"/api/v1/meetings/{uuid}")
        if answer.status_code == httpx.codes.OK:
            meetings[uuid] = answer.json()
            versions[uuid] = int(answer.headers["etag"].strip('"'))
    return meetings, versions
