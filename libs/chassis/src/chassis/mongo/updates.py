"""MongoDB updates that are put together from parts."""

from collections.abc import Mapping
from typing import Any

Update = Mapping[str, Mapping[str, Any]]
"""An update by its operators, such as ``{"$set": {…}}``."""


def merge_updates(*updates: Update) -> dict[str, dict[str, Any]]:
    """One update that does what all of these do; of two values for one field the later one counts."""
    merged: dict[str, dict[str, Any]] = {}
    for update in updates:
        for operator, fields in update.items():
            merged.setdefault(operator, {}).update(fields)
    return merged
