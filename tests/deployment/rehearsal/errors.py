"""What ends a rehearsal."""

from collections.abc import Iterator
from contextlib import contextmanager


class RehearsalError(Exception):
    """A step failed; the message says which, and what it printed last."""


class PreparationError(RehearsalError):
    """There is no engine here, or no base images for it: nothing of the project was tried."""


@contextmanager
def preparing() -> Iterator[None]:
    """What fails within is a failure of the preparation.

    Raises:
        PreparationError: a step within failed.
    """
    try:
        yield
    except RehearsalError as error:
        raise PreparationError(str(error)) from error
