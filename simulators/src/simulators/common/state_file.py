"""State that survives a restart: one JSON file, replaced as a whole."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

StateT = TypeVar("StateT", bound=BaseModel)


class StateFile(Generic[StateT]):
    """Keeps a pydantic model in a file, or nowhere when ``path`` is None."""

    def __init__(self, path: Path | None, model: type[StateT]) -> None:
        self._path = path
        self._model = model
        self._written: str | None = None

    def load(self) -> StateT:
        """The state as last saved, or a new one. Raises ValueError when the file holds something else."""
        if self._path is None or not self._path.exists():
            return self._model()
        return self._model.model_validate_json(self._path.read_bytes())

    def save(self, state: StateT) -> None:
        """Replace the file in one step, so that a crash leaves the old state or the new one, never half of it."""
        if self._path is None:
            return
        text = state.model_dump_json()
        if text == self._written:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".tmp")
        draft.write_text(text, encoding="utf-8")
        draft.replace(self._path)
        self._written = text

    async def keep(self, state: Callable[[], StateT], changes: Callable[[], int], every: float = 0.5) -> None:
        """Save whenever ``changes()`` has moved on, at most once per ``every`` seconds; runs until cancelled."""
        if self._path is None:
            return
        saved = changes()
        while True:
            await asyncio.sleep(every)
            if (latest := changes()) != saved:
                self.save(state())
                saved = latest
