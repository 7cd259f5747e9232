"""A clock that tests can move: real time plus an offset, or standing still."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta


class Clock:
    """The simulated time of one provider.

    Belongs to one event loop: :meth:`sleep` and the methods that move time must be called on the same loop.
    """

    def __init__(self) -> None:
        self._offset = timedelta()
        self._frozen_at: datetime | None = None
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        """The simulated instant, aware, in UTC."""
        return self._frozen_at if self._frozen_at is not None else datetime.now(UTC) + self._offset

    @property
    def offset(self) -> timedelta:
        """How far simulated time is ahead of real time."""
        return self.now() - datetime.now(UTC)

    @property
    def frozen(self) -> bool:
        """Whether time stands still."""
        return self._frozen_at is not None

    def advance(self, by: timedelta) -> None:
        """Move time forward and wake every sleeper that is due.

        Raises ValueError when ``by`` is negative: tokens and channels that expired stay expired.
        """
        if by < timedelta():
            raise ValueError("time moves forward only")
        if self._frozen_at is not None:
            self._frozen_at += by
        else:
            self._offset += by
        self._wake()

    def freeze(self) -> None:
        """Let time stand still until :meth:`resume`; :meth:`advance` still moves it."""
        self._frozen_at = self.now()
        self._wake()

    def resume(self) -> None:
        """Let time run again, from where it stood."""
        if self._frozen_at is not None:
            self._offset = self.offset
            self._frozen_at = None
            self._wake()

    async def sleep(self, seconds: float) -> None:
        """Return once ``seconds`` of simulated time have passed."""
        due = self.now() + timedelta(seconds=seconds)
        while (remaining := (due - self.now()).total_seconds()) > 0:
            moved = self._moved
            with suppress(TimeoutError):
                async with asyncio.timeout(None if self.frozen else remaining):
                    await moved.wait()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
