"""How one viewer sees the history of a meeting. Pure."""

from collections.abc import Iterator

from contracts.api.history import HistoryActor, HistoryEntryView
from contracts.history import HistoryEntry
from contracts.values.changes import ActorRef, FieldChange
from contracts.values.enums import ActorType
from pydantic.alias_generators import to_camel

from meeting_core.domain.views import HOST_FIELDS, Viewer

_SYNC_FAILURE = frozenset({"syncFailureCode", "syncFailureReason"})
_DELIVERY_FAILURE = frozenset({"deliveryFailureCode", "deliveryFailureReason"})
_HOST = frozenset(map(to_camel, HOST_FIELDS))


def entry_view(entry: HistoryEntry, viewer: Viewer) -> HistoryEntryView:
    """One entry, with those fields alone that the viewer sees of the meeting."""
    return HistoryEntryView(
        version=entry.version,
        at=entry.at,
        event_type=entry.event_type,
        event_id=entry.event_id,
        actor=_actor(entry.actor, viewer),
        changes=list(_changes(entry, viewer)),
        previous_hash=entry.previous_hash,
        hash=entry.hash,
    )


def _actor(actor: ActorRef, viewer: Viewer) -> HistoryActor:
    is_shown = actor.type is ActorType.SYSTEM or viewer.sees(actor.id)
    return HistoryActor(id=actor.id if is_shown else None, type=actor.type, way=actor.way)


def _changes(entry: HistoryEntry, viewer: Viewer) -> Iterator[FieldChange]:
    hidden = set[str]() if viewer.sees_host else set(_HOST)
    if not viewer.sees_sync_failure:
        hidden |= _SYNC_FAILURE
    if not viewer.sees_delivery_failure:
        hidden |= _DELIVERY_FAILURE
    for group in entry.changes:
        if group.participant_uuid is None or viewer.sees(group.participant_uuid):
            yield from (change for change in group.fields or () if change.field not in hidden)
