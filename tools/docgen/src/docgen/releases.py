"""Released contracts: ``libs/contracts/released/<n>/`` holds what release n added or changed, and is never edited.

Releases lie in the tree, not in tags, so that a shallow clone can prove compatibility.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from docgen import samples, schemas
from docgen.compatibility import Promise, incompatibilities
from docgen.files import ROOT, Files
from docgen.samples import sample_files
from docgen.schemas import schema_files

FOLDER = ROOT / "libs/contracts/released"


class IncompatibleError(Exception):
    """Today's contracts break a release; the message lists how."""


def releases(folder: Path = FOLDER) -> list[Path]:
    """The releases there are, the oldest first."""
    return sorted(folder.glob("[0-9]*"), key=lambda path: int(path.name)) if folder.is_dir() else []


def history(folder: Path = FOLDER) -> dict[str, list[Promise]]:
    """What was promised about each message type, release by release."""
    promised: dict[str, list[Promise]] = {}
    for release in releases(folder):
        texts = {path.name: path.read_text(encoding="utf-8") for path in sorted((release / "schemas").glob("*.json"))}
        for name, promise in _promises(texts).items():
            promised.setdefault(name, []).append(promise)
    return promised


@cache
def today() -> dict[str, Promise]:
    """What is promised about each message type now."""
    return _promises({Path(path).name: text for path, text in schema_files().items()})


def next_release(folder: Path = FOLDER) -> Files:
    """The files of the next release, as paths in ``folder``: what differs from its newest released copy, if anything.

    Raises:
        IncompatibleError: a promise would be broken.
    """
    earlier, now = history(folder), today()
    if problems := incompatibilities(earlier, now):
        raise IncompatibleError("\n".join(problems))
    number = len(releases(folder)) + 1
    changed = {name for name, promise in now.items() if name not in earlier or earlier[name][-1] != promise}
    new_schemas = {
        f"{number}/schemas/{Path(path).name}": text
        for path, text in schema_files().items()
        if _type_of(Path(path).name) in changed
    }
    before = _newest_samples(folder)
    named = {Path(path).relative_to(samples.FOLDER).as_posix(): text for path, text in sample_files().items()}
    new_samples = {f"{number}/samples/{name}": text for name, text in named.items() if before.get(name) != text}
    return {**new_schemas, **new_samples}


def _promises(texts: dict[str, str]) -> dict[str, Promise]:
    parsed: dict[str, Any] = {name: json.loads(text) for name, text in texts.items()}
    return {
        _type_of(name): Promise(written, parsed.get(name.replace(".json", schemas.READ), written))
        for name, written in parsed.items()
        if not name.endswith(schemas.READ)
    }


def _type_of(name: str) -> str:
    return name.removesuffix(schemas.READ).removesuffix(".json")


def _newest_samples(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(release / "samples").as_posix(): path.read_text(encoding="utf-8")
        for release in releases(folder)
        for path in sorted((release / "samples").glob("*/*.json"))
    }
