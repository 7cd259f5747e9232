"""The indexes that a job queue needs; ``admin`` counts by their names."""

from pymongo import ASCENDING, IndexModel


def due_index(name: str) -> str:
    """The name of the index of due jobs in field ``name``."""
    return f"{name} due in order"


def leased_index(name: str) -> str:
    return f"{name} leased"


def discarded_index(name: str) -> str:
    return f"{name} discarded"


def blocked_index(name: str) -> str:
    return f"{name} blocked"


def job_indexes(name: str, *, concurrency_key: str | None = None, order: str | None = None) -> list[IndexModel]:
    """The indexes for jobs in field ``name``; ``concurrency_key`` and ``order`` as for ``JobQueue``."""
    covered = [concurrency_key] if concurrency_key else []
    return [
        *([_due(name, f"{name} in fair order", [order, "_id", f"{name}.dueAt", *covered])] if order else []),
        _due(name, due_index(name), [f"{name}.dueAt", "_id", *covered]),
        _partial(leased_index(name), f"{name}.lease.until"),
        _partial(discarded_index(name), f"{name}.discarded.at"),
        _partial(blocked_index(name), f"{name}.blocked.since"),
    ]


def _due(name: str, index_name: str, keys: list[str]) -> IndexModel:
    return IndexModel(
        [(key, ASCENDING) for key in keys],
        name=index_name,
        partialFilterExpression={f"{name}.dueAt": {"$exists": True}},
    )


def _partial(index_name: str, key: str) -> IndexModel:
    return IndexModel([(key, ASCENDING)], name=index_name, partialFilterExpression={key: {"$exists": True}})
