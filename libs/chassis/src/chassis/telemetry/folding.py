"""Folds floods of log lines: one line of a kind a minute, which says how many more there were."""

import logging
import time
from collections.abc import Callable

FOLD = "fold"
"""The key with which a line of our own asks to be folded."""
_LIBRARIES = ("aiokafka",)
"""While the broker is away, each client of it tells several times a second."""
_MAX_KINDS = 1_000


class LineFolder(logging.Filter):
    """Of libraries' lines the text before values are put into it is the kind; of our own, the event and its error."""

    def __init__(self, interval: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        """``interval``: seconds from one line of a kind to the next."""
        super().__init__()
        self._interval = interval
        self._clock = clock
        self._next: dict[tuple[str, ...], float] = {}
        self._folded: dict[tuple[str, ...], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = _kind(record)
        if kind is None:
            return True
        if len(self._next) > _MAX_KINDS:
            self._next.clear()
            self._folded.clear()
        now = self._clock()
        if now < self._next.get(kind, 0.0):
            self._folded[kind] = self._folded.get(kind, 0) + 1
            return False
        self._next[kind] = now + self._interval
        _tell(record, self._folded.pop(kind, 0))
        return True


def _kind(record: logging.LogRecord) -> tuple[str, ...] | None:
    """None: never folded."""
    if isinstance(record.msg, dict):
        if not record.msg.pop(FOLD, False):
            return None
        return tuple(str(record.msg.get(key)) for key in ("event", "error", "group", "topic", "queue"))
    if record.name.partition(".")[0] in _LIBRARIES:
        return record.name, record.levelname, str(record.msg)
    return None


def _tell(record: logging.LogRecord, folded: int) -> None:
    if not folded:
        return
    if isinstance(record.msg, dict):
        record.msg["folded"] = folded
    else:
        record.msg, record.args = f"{record.getMessage()} ({folded} more lines like this were folded)", None
