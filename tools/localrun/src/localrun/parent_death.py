"""Runs a command that dies with its parent: `python -I -S parent_death.py PARENT_PID COMMAND [ARGUMENT]...`.

The kernel's parent-death signal (prctl(2), PR_SET_PDEATHSIG) is the only tie that also holds when the parent is killed
with SIGKILL. It survives exec, so this sets it, checks that the parent did not die just before, and becomes the command
under the same process id. It is a program of its own because `subprocess` warns against running Python code between
fork and exec of a process with threads (`preexec_fn`). Imports stay few: it runs before every child.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this process `signal_number` when the thread that started it ends (Linux only)."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")


def main(arguments: list[str]) -> None:
    """Tie this process to the parent named first, then become the command named after it."""
    parent, command = int(arguments[0]), arguments[1:]
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the parent process is gone")
    try:
        os.execvp(command[0], command)  # noqa: S606 (the command line is the runner's own)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
