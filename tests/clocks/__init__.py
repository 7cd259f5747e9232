"""Other clocks for processes of Python."""

from pathlib import Path

_SHIFT = Path(__file__).parent / "shift"


def shifted_clock(seconds: float) -> dict[str, str]:
    """The environment of a process whose wall clock is so many seconds ahead (or behind); durations stay right."""
    return {"CLOCK_SHIFT": str(seconds), "PYTHONPATH": str(_SHIFT)}
