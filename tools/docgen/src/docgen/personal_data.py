"""The reference page about personal data: which kind is in which topic and collection, and how long it stays."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from calendar_sync.connections.model import Connection
from calendar_sync.inbound.imported_event import ImportedEvent
from calendar_sync.inbound.model import InboundSyncState
from calendar_sync.outbound.model import MirroredMeeting
from contracts.history import HistoryEntry
from contracts.transport.idempotency import CommandRecord
from contracts.transport.topics import CALENDAR_SYNC, INVITATIONS, MEETING_CORE, TOPICS
from contracts.values.personal import NEUTRAL, DataKind, Personal
from invitations.domain.guest import Guest
from invitations.domain.host_notice import GuestNotice, MeetingNotice
from meeting_core.domain.meeting import Meeting
from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo

from docgen.catalogue import FOLDER, retention
from docgen.files import Files
from docgen.markdown import code, listed, page, table
from docgen.messages import types_on


@dataclass(frozen=True, slots=True)
class Collection:
    """A MongoDB collection, by the model of its documents."""

    service: str
    name: str
    model: type[BaseModel]
    purpose: str
    kept: str


COLLECTIONS = (
    Collection(MEETING_CORE, "meetings", Meeting, "The meetings themselves.", "as long as the firm keeps its meetings"),
    Collection(
        MEETING_CORE,
        "meeting_history",
        HistoryEntry,
        "Who changed a meeting, and what.",
        "as the meeting",
    ),
    Collection(MEETING_CORE, "processed_commands", CommandRecord, "Which commands were processed.", "a day"),
    Collection(INVITATIONS, "guests", Guest, "Whom to mail, and what they were sent last.", "as the meeting"),
    Collection(INVITATIONS, "host_notices", GuestNotice, "What hosts are mailed about their guests.", "as the meeting"),
    Collection(
        INVITATIONS, "host_notices", MeetingNotice, "Hosts' own meetings, which they are mailed.", "as the meeting"
    ),
    Collection(
        CALENDAR_SYNC, "connections", Connection, "Whose calendar is connected; tokens, encrypted.", "until erasure"
    ),
    Collection(
        CALENDAR_SYNC, "mirrored_meetings", MirroredMeeting, "Meetings in hosts' external calendars.", "as the meeting"
    ),
    Collection(
        CALENDAR_SYNC, "imported_events", ImportedEvent, "Events of external calendars.", "while the event is in reach"
    ),
    Collection(
        CALENDAR_SYNC, "inbound_sync_states", InboundSyncState, "How far a calendar was read.", "as the connection"
    ),
)
IDS_ONLY = {
    (MEETING_CORE, "hosts"): "ids of the users whose calendar is connected",
    (MEETING_CORE, "mail_budgets"): "ids of users who caused mails lately; a day",
    (INVITATIONS, "mailboxes"): "none: when the mailbox of replies is read next",
    (CALENDAR_SYNC, "topics"): "ids of topics",
}
"""Collections whose documents hold no text about a person but ids in their keys."""


@dataclass(frozen=True, slots=True)
class Text:
    """A field that holds text: its path in JSON, and its kind if it is personal data."""

    path: str
    name: str
    kind: DataKind | None


def texts_of(model: type[BaseModel], prefix: str = "", seen: tuple[type[BaseModel], ...] = ()) -> Iterator[Text]:
    """Every field of the model, and of the models in it, that holds text without a fixed form."""
    if model in seen:
        return
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        for kind, inner in _leaves(_annotation(field)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from texts_of(inner, f"{path}.", (*seen, model))
            elif inner is str:
                yield Text(path, name, kind)


def _annotation(field: FieldInfo) -> Any:
    """With what pydantic took out of it."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _leaves(annotation: Any, kind: DataKind | None = None) -> Iterator[tuple[DataKind | None, Any]]:
    """The types that a value of this type may consist of, each with its mark."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *marks = get_args(annotation)
        kind = next((mark.kind for mark in marks if isinstance(mark, Personal)), kind)
        yield from _leaves(inner, kind)
    elif isinstance(annotation, type) and issubclass(annotation, RootModel):  # it is in JSON what its root is
        yield from _leaves(annotation.model_fields["root"].annotation, kind)
    elif origin in (Union, UnionType, list, tuple, set, frozenset, dict):
        for inner in get_args(annotation):
            yield from _leaves(inner, kind)
    else:
        yield kind, annotation


def unclassified(model: type[BaseModel]) -> list[str]:
    """Paths of texts without a statement whether they are personal data."""
    return [text.path for text in texts_of(model) if text.kind is None and text.name not in NEUTRAL]


def personal_data_files() -> Files:
    """The page about personal data."""
    return {
        f"{FOLDER}/personal-data.md": page(
            "Personal data",
            "Which field holds which kind of personal data, by place; the kinds are defined in "
            "`contracts/values/personal.py`. Why it is there, and how it is forgotten: "
            "[personal data and privacy](../privacy.md).",
            "## Topics",
            table(("topic", "read by", "kept", "kind", "fields"), _topic_rows()),
            "## Collections",
            table(("service", "collection", "purpose", "kept", "kind", "fields"), _collection_rows()),
            "## Collections with ids only",
            table(
                ("service", "collection", "content"), ((code(s), code(c), text) for (s, c), text in IDS_ONLY.items())
            ),
            "`api-gateway` and `webhook-ingest` store nothing.",
        )
    }


def _topic_rows() -> Iterator[tuple[str, ...]]:
    for topic in TOPICS:
        readers = listed(topic.readers) + (", other services of the platform" if topic.public else "")
        yield from _rows((code(topic.name), readers, retention(topic)), [kind.body for kind in types_on(topic)])


def _collection_rows() -> Iterator[tuple[str, ...]]:
    for one in COLLECTIONS:
        yield from _rows((code(one.service), code(one.name), one.purpose, one.kept), [one.model])


def _rows(place: tuple[str, ...], models: list[type[BaseModel]]) -> Iterator[tuple[str, ...]]:
    found = {(text.kind, text.path) for model in models for text in texts_of(model) if text.kind is not None}
    for kind in DataKind:
        if paths := sorted(path for its, path in found if its is kind):
            yield *place, kind.value, listed(paths)
