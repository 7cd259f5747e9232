"""Filters a lock file: leaves out the packages whose name starts with one of the given prefixes (``a|b|c``)."""

import sys


def main() -> None:
    prefixes = tuple(sys.argv[1].split("|"))
    kept = True
    for line in sys.stdin:
        if not line.startswith((" ", "#")):
            kept = not line.startswith(prefixes)
        if kept:
            sys.stdout.write(line)


if __name__ == "__main__":
    main()
