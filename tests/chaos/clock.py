"""A process whose clock is wrong: a library of ours before the C library adds seconds to the real time."""

import shutil
import subprocess
from pathlib import Path

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    static long skew;
    if (!real) {
        const char *given = getenv("CLOCK_SKEW_SECONDS");
        skew = given ? atol(given) : 0;
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    }
    int status = real(id, now);
    if (status == 0 && id == CLOCK_REALTIME)
        now->tv_sec += skew;
    return status;
}
"""


def can_be_wrong() -> bool:
    """Whether there is a C compiler here to make the library with."""
    return shutil.which("cc") is not None


def wrong_clock(folder: Path, seconds: int) -> dict[str, str]:
    """The environment of a process whose wall clock is so many seconds ahead (or behind); durations stay right."""
    library = folder / "clock.so"
    if not library.exists():
        source = folder / "clock.c"
        source.write_text(_SOURCE)
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
        subprocess.run(command, check=True, capture_output=True)
    return {"LD_PRELOAD": str(library), "CLOCK_SKEW_SECONDS": str(seconds)}
