"""What ends a rehearsal."""


class RehearsalError(Exception):
    """A step failed; the message says which, and what it printed last."""
