"""``python -m docgen schemas|docs|release|site``: write what the code says, and say what changed."""

import argparse
import sys
from collections.abc import Callable

from docgen import asyncapi, schemas
from docgen.files import ROOT, write
from docgen.pages import pages
from docgen.releases import FOLDER, IncompatibleError, next_release
from docgen.samples import sample_files
from docgen.schemas import schema_files
from docgen.site import BUILD, BrokenLinkError, write_site


def write_schemas() -> list[str]:
    """Golden schemas, and the samples with fields that are new."""
    return [*write(schema_files(), whole=schemas.FOLDER), *write(sample_files())]


def write_docs() -> list[str]:
    """The pages under ``docs/generated``."""
    return write(pages(), whole=asyncapi.FOLDER)


def write_release() -> list[str]:
    """What has changed since the last release, as the next one."""
    return write(next_release(), root=FOLDER)


def write_site_pages() -> list[str]:
    """What the documentation site is built from."""
    write_site()
    return [str(BUILD.relative_to(ROOT))]


_COMMANDS: dict[str, Callable[[], list[str]]] = {
    "schemas": write_schemas,
    "docs": write_docs,
    "release": write_release,
    "site": write_site_pages,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docgen", description=__doc__)
    parser.add_argument("what", choices=_COMMANDS, nargs="+")
    try:
        changed = [path for what in parser.parse_args().what for path in _COMMANDS[what]()]
    except IncompatibleError as error:
        sys.stderr.write(f"{error}\nThese changes break a release. What to do instead: docs/decisions/0008\n")
        return 1
    except BrokenLinkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"{path}\n" for path in changed) or "nothing changed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
