"""`python -m localrun`, which is what `make run` calls."""

import sys

if __name__ == "__main__":
    try:
        from localrun.cli import main
    except ImportError as missing:
        sys.exit(
            f"The virtual environment is incomplete ({missing}). Make it anew: "
            "rm -r .venv && make setup. Then try make run again."
        )
    sys.exit(main())
