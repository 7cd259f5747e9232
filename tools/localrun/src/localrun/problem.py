"""What went wrong, in words for the person at the terminal."""

from __future__ import annotations


class LocalRunError(Exception):
    """Something stands in the way of the local run; the message says what, and the way out."""
